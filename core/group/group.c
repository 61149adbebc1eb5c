/* group.c - see group.h: the object, its queue, and the thread that works it off. */
#include "group/group.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/threads.h"
#include "group/communicator.h"
#include "group/plugin.h"

enum { TIMEOUT = 20, START_TIMEOUT = 60, MESSAGE = 1024 };

struct icl__request {
  icl__collective what;
  bool done; /* or the group has failed */
  icl__request *next;
};

struct icl_group {
  atomic_int references;
  pid_t process;
  const icl__communicator *communicator;
  icl__meeting meeting;
  icl__roster roster;
  void *state; /* of the communicator; the thread's */
  int sharers; /* ranks of this host, this one included, that may use processors of its */
  pthread_t thread;

  pthread_mutex_t lock; /* of what follows */
  pthread_cond_t change;
  icl__request *first, **last; /* that wait */
  bool open, closing, told;    /* told: all others know of the failure */
  icl_status failed;
  char failure[MESSAGE];
  double busy; /* seconds in collectives */
};

/* Does this rank run on the host of this process? */
static bool is_here(const icl_group *g, int rank) {
  return strcmp(g->roster.host[rank], g->roster.host[g->roster.rank]) == 0;
}

/* ---- the thread ---- */

static void raise_event(int event) {
  uint64_t one = 1;
  ssize_t ignored = write(event, &one, sizeof one); /* it may be up already */
  (void)ignored;
}

static void lower_event(int event) {
  uint64_t count;
  ssize_t ignored = read(event, &count, sizeof count);
  (void)ignored;
}

/* The first failure counts; lock held. */
static void note_failure(icl_group *g, icl_status status, const char *text) {
  if (g->failed != ICL_OK)
    return;
  g->failed = status;
  snprintf(g->failure, sizeof g->failure, "%s", text);
}

/* Notes what the communicator reports. EINTERRUPTED: a caller has noted why, or else a signal came. */
static void take_failure(icl_group *g, icl_status status) {
  char text[MESSAGE];
  if (status != ICL_EINTERRUPTED)
    snprintf(text, sizeof text, "%s", icl_message());
  else if (g->roster.host)
    snprintf(text, sizeof text, "rank %d on %s: it was interrupted", g->roster.rank, g->roster.host[g->roster.rank]);
  else
    snprintf(text, sizeof text, "it was interrupted before the group was there");
  pthread_mutex_lock(&g->lock);
  note_failure(g, status, text);
  pthread_mutex_unlock(&g->lock);
}

/* The next request; NULL: the group is being closed, or has failed. */
static icl__request *next_request(icl_group *g) {
  for (;;) {
    pthread_mutex_lock(&g->lock);
    icl__request *next = g->first;
    bool ends = g->failed != ICL_OK || (g->closing && !next);
    lower_event(g->meeting.work);
    if (next && !ends) {
      g->first = next->next;
      if (!g->first)
        g->last = &g->first;
    }
    pthread_mutex_unlock(&g->lock);
    if (ends)
      return NULL;
    if (next)
      return next;
    icl_status status = g->communicator->idle(g->state);
    if (status != ICL_OK)
      take_failure(g, status);
  }
}

static void finish(icl_group *g, icl__request *request, double seconds) {
  pthread_mutex_lock(&g->lock);
  request->done = true;
  g->busy += seconds;
  pthread_cond_broadcast(&g->change);
  pthread_mutex_unlock(&g->lock);
}

/* The processors that this rank may use. A machine that has more than a set holds does not say which: all. */
static cpu_set_t own_processors(void) {
  cpu_set_t own;
  if (sched_getaffinity(0, sizeof own, &own) != 0)
    memset(&own, 0xff, sizeof own);
  return own;
}

/* The first thing that all do together: each tells the processors that it may use. */
static icl_status meet(icl_group *g) {
  cpu_set_t own = own_processors(), *all = icl__calloc((size_t)g->roster.size, sizeof *all), both;
  if (!all)
    return ICL_ENOMEM;
  const icl__collective tell = {ICL__GATHER, ICL_U8, 0, sizeof own, &own, all};
  icl_status status = g->communicator->run(g->state, &tell, 0);
  for (int r = 0; r < g->roster.size && status == ICL_OK; r++) {
    CPU_AND(&both, &own, &all[r]);
    g->sharers += is_here(g, r) && CPU_COUNT(&both) > 0;
  }
  icl__free(all);
  return status;
}

/* Says what became of the opening to the one who waits for it. */
static void tell_opened(icl_group *g, icl_status status) {
  if (status != ICL_OK)
    take_failure(g, status);
  pthread_mutex_lock(&g->lock);
  g->open = true;
  pthread_cond_broadcast(&g->change);
  pthread_mutex_unlock(&g->lock);
}

/* The requests of a group that has failed are done. */
static void let_go(icl_group *g, icl__request *last) {
  pthread_mutex_lock(&g->lock);
  g->told = true;
  if (last)
    last->done = true;
  for (icl__request *r = g->first; r; r = r->next)
    r->done = true;
  g->first = NULL;
  g->last = &g->first;
  pthread_cond_broadcast(&g->change);
  pthread_mutex_unlock(&g->lock);
}

static void *work(void *argument) {
  icl_group *g = argument;
  uint64_t sequence = 1;
  bool lost = false;
  icl__request *last = NULL; /* that failed: its memory is in use until the others are told */
  icl_status status = g->communicator->open(&g->meeting, &g->roster, &g->state);
  if (status == ICL_OK) {
    status = meet(g);
    lost = status != ICL_OK;
  }
  tell_opened(g, status);
  if (lost)
    g->communicator->abort(g->state, g->failure);
  if (status == ICL_OK) {
    for (icl__request *next; (next = next_request(g));) {
      double start = icl__seconds();
      status = g->communicator->run(g->state, &next->what, sequence++);
      if (status == ICL_OK) {
        finish(g, next, icl__seconds() - start);
      } else {
        take_failure(g, status);
        last = next;
      }
    }
    if (g->failed != ICL_OK)
      g->communicator->abort(g->state, g->failure);
  }
  let_go(g, last);
  if (g->state)
    g->communicator->close(g->state);
  return NULL;
}

/* ---- waiting ---- */

static atomic_int waited_for = -1; /* what ends the group that a call waits for */

void icl__group_interrupt(void) {
  int stop = waited_for;
  if (stop >= 0)
    raise_event(stop);
}

/* Until it is true; lock held. */
static void wait_until(icl_group *g, const bool *done) {
  int outer = atomic_exchange(&waited_for, g->meeting.stop);
  while (!*done)
    pthread_cond_wait(&g->change, &g->lock);
  waited_for = outer;
}

/* ---- opening ---- */

static icl_status check_options(const icl_group_options *o) {
  if (o->size < 0 || (o->size > 0 && (o->rank < 0 || o->rank >= o->size)))
    return icl__fail(ICL_EINVAL, "rank %d of %d: ranks count from 0, and the size is how many there are", o->rank,
                     o->size);
  if (!(o->timeout >= 0) || !(o->start_timeout >= 0) || o->timeout > 1e6 || o->start_timeout > 1e6)
    return icl__fail(ICL_EINVAL, "a timeout is a number of seconds up to 1000000, 0 for the default");
  return ICL_OK;
}

static icl_status check_tcp(const icl_group_options *o) {
  if (o->size == 0)
    return icl__fail(ICL_EINVAL, "a group by tcp needs the rank of this process and the size");
  if (o->size > 1 && !(o->address && *o->address))
    return icl__fail(ICL_EINVAL, "a group by tcp needs an address where rank 0 is met, as node1:29500");
  return ICL_OK;
}

static void free_group(icl_group *g) {
  close(g->meeting.work);
  close(g->meeting.stop);
  pthread_cond_destroy(&g->change);
  pthread_mutex_destroy(&g->lock);
  icl__free((char *)g->meeting.address);
  icl__free(g->roster.host);
  icl__free(g);
}

static icl_status make_group(const icl_group_options *o, const icl__communicator *communicator, icl_group **result) {
  icl_group *g = icl__calloc(1, sizeof *g);
  char *address = icl__strdup(o->address ? o->address : "");
  if (!g || !address) {
    icl__free(g);
    icl__free(address);
    return ICL_ENOMEM;
  }
  g->references = 1;
  g->process = getpid();
  g->communicator = communicator;
  g->last = &g->first;
  g->meeting = (icl__meeting){.rank = o->rank, .size = o->size, .address = address, .fast_reduce = o->fast_reduce};
  g->meeting.timeout = o->timeout > 0 ? o->timeout : TIMEOUT;
  g->meeting.start_timeout = o->start_timeout > 0 ? o->start_timeout : START_TIMEOUT;
  g->meeting.work = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  g->meeting.stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_mutex_init(&g->lock, NULL);
  pthread_cond_init(&g->change, NULL);
  *result = g;
  if (g->meeting.work >= 0 && g->meeting.stop >= 0)
    return ICL_OK;
  int error = errno;
  free_group(g);
  return icl__fail(ICL_EIO, "a group needs two file descriptors: %s", strerror(error));
}

static icl_status failure_of(icl_group *g) {
  return g->failed == ICL_OK ? ICL_OK : icl__fail(g->failed, "%s", g->failure);
}

icl_status icl_group_open(const icl_group_options *options, icl_group **result) {
  const icl_group_options none = {0}, *o = options ? options : &none;
  const char *kind = o->kind ? o->kind : icl__tcp.name;
  const icl__communicator *communicator;
  icl_group *g;
  ICL__TRY(check_options(o));
  ICL__TRY(icl__communicator_find(kind, &communicator));
  if (communicator == &icl__tcp)
    ICL__TRY(check_tcp(o));
  ICL__TRY(make_group(o, communicator, &g));
  int error = icl__thread_start(&g->thread, work, g);
  if (error) {
    free_group(g);
    return icl__fail(ICL_EIO, "cannot start the thread of a group: %s", strerror(error));
  }
  pthread_mutex_lock(&g->lock);
  wait_until(g, &g->open);
  icl_status status = failure_of(g);
  pthread_mutex_unlock(&g->lock);
  if (status == ICL_OK) {
    *result = g;
    return ICL_OK;
  }
  pthread_join(g->thread, NULL);
  free_group(g);
  return status;
}

icl_group *icl_group_retain(icl_group *group) {
  atomic_fetch_add(&group->references, 1);
  return group;
}

void icl_group_release(icl_group *group) {
  if (!group || atomic_fetch_sub(&group->references, 1) > 1)
    return;
  if (group->process != getpid())
    return; /* the thread, and what it has, are the parent's */
  pthread_mutex_lock(&group->lock);
  group->closing = true;
  raise_event(group->meeting.work);
  pthread_mutex_unlock(&group->lock);
  pthread_join(group->thread, NULL);
  free_group(group);
}

/* ---- who is there ---- */

int icl_group_rank(const icl_group *group) { return group->roster.rank; }
int icl_group_size(const icl_group *group) { return group->roster.size; }

bool icl__group_fast_reduce(const icl_group *group) { return group->meeting.fast_reduce; }

/* Ranks below `rank` on this rank's host. */
static int count_here(const icl_group *g, int rank) {
  int count = 0;
  for (int r = 0; r < rank; r++)
    count += is_here(g, r);
  return count;
}

int icl_group_local_rank(const icl_group *group) { return count_here(group, group->roster.rank); }
int icl_group_local_size(const icl_group *group) { return count_here(group, group->roster.size); }

int icl_group_threads(const icl_group *group) {
  int cores = icl__threads_default();
  return cores > group->sharers ? cores / group->sharers : 1;
}

const char *icl_group_host(const icl_group *group, int rank) {
  return rank >= 0 && rank < group->roster.size ? group->roster.host[rank] : NULL;
}

/* ---- requests ---- */

static icl_status check_process(const icl_group *g) {
  if (g->process == getpid())
    return ICL_OK;
  return icl__fail(ICL_EINVAL, "the group belongs to process %d, from which this one was forked", (int)g->process);
}

static icl_status start(icl_group *g, icl__collective what, icl__request **result) {
  *result = NULL;
  ICL__TRY(check_process(g));
  icl__request *r = icl__calloc(1, sizeof *r);
  if (!r)
    return ICL_ENOMEM;
  r->what = what;
  pthread_mutex_lock(&g->lock);
  icl_status status = failure_of(g);
  if (status == ICL_OK) {
    *g->last = r;
    g->last = &r->next;
    raise_event(g->meeting.work);
  }
  pthread_mutex_unlock(&g->lock);
  if (status == ICL_OK)
    *result = r;
  else
    icl__free(r);
  return status;
}

icl_status icl__group_start_sum(icl_group *group, icl_dtype dtype, const void *mine, void *sum, size_t count,
                                icl__request **result) {
  *result = NULL;
  if (dtype != ICL_F32 && dtype != ICL_F64 && dtype != ICL_I64)
    return icl__fail(ICL_EDTYPE, "groups sum f32, f64 and i64, not %s", icl_dtype_name(dtype));
  return start(group, (icl__collective){ICL__SUM, dtype, 0, count, mine, sum}, result);
}

icl_status icl__group_start_gather(icl_group *group, const void *mine, size_t bytes, void *all, icl__request **result) {
  return start(group, (icl__collective){ICL__GATHER, ICL_U8, 0, bytes, mine, all}, result);
}

icl_status icl__group_wait(icl_group *group, icl__request *request) {
  if (!request)
    return ICL_OK;
  ICL__TRY(check_process(group));
  pthread_mutex_lock(&group->lock);
  wait_until(group, &request->done);
  icl_status status = failure_of(group);
  pthread_mutex_unlock(&group->lock);
  icl__free(request);
  return status;
}

double icl__group_busy(icl_group *group) {
  pthread_mutex_lock(&group->lock);
  double seconds = group->busy;
  pthread_mutex_unlock(&group->lock);
  return seconds;
}

icl_status icl__group_check(icl_group *group) {
  ICL__TRY(check_process(group));
  pthread_mutex_lock(&group->lock);
  icl_status status = failure_of(group);
  pthread_mutex_unlock(&group->lock);
  return status;
}

/* ---- calls that wait ---- */

static icl_status run(icl_group *group, icl__collective what) {
  icl__request *request;
  ICL__TRY(start(group, what, &request));
  return icl__group_wait(group, request);
}

icl_status icl_group_broadcast(icl_group *group, int root, void *data, size_t bytes) {
  if (root < 0 || root >= group->roster.size)
    return icl__fail(ICL_EINVAL, "there is no rank %d to broadcast from; the group has %d", root, group->roster.size);
  return run(group, (icl__collective){ICL__BROADCAST, ICL_U8, root, bytes, data, data});
}

icl_status icl_group_gather(icl_group *group, const void *mine, size_t bytes, void *all) {
  return run(group, (icl__collective){ICL__GATHER, ICL_U8, 0, bytes, mine, all});
}

icl_status icl_group_barrier(icl_group *group) {
  return run(group, (icl__collective){ICL__BARRIER, ICL_U8, 0, 0, NULL, NULL});
}

void icl_group_abort(icl_group *group, const char *why) {
  if (group->process != getpid())
    return;
  char text[MESSAGE];
  const int rank = group->roster.rank;
  snprintf(text, sizeof text, "rank %d on %s: %s", rank, group->roster.host[rank], why);
  pthread_mutex_lock(&group->lock);
  note_failure(group, ICL_EIO, text);
  raise_event(group->meeting.stop);
  while (!group->told)
    pthread_cond_wait(&group->change, &group->lock);
  pthread_mutex_unlock(&group->lock);
}
