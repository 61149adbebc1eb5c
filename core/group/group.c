/* group.c - a group of threads of one process: ranks with the same address meet, and whoever comes last to a collective
 * carries it out. */
#include "group/group.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum { MOST_RANKS = 16, BLOCK = 256 };

typedef struct {
  bool gathers;
  icl_dtype dtype;
  size_t count;
  const void *mine;
  void *result;
} part;

typedef struct meeting {
  struct meeting *next;
  char *address;
  int size, members;
  bool taken[MOST_RANKS];
  uint64_t started[MOST_RANKS], done;
  part part[MOST_RANKS]; /* of the collective that is under way */
  char why[256];         /* the group is lost; "": it is not */
} meeting;

struct icl_group {
  int references, rank;
  uint64_t started;
  meeting *meeting;
};

struct icl__request {
  uint64_t number;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static meeting *meetings;

static meeting *find(const icl_group_options *options) {
  for (meeting *m = meetings; m; m = m->next)
    if (!strcmp(m->address, options->address) && m->size == options->size && !m->taken[options->rank])
      return m;
  meeting *m = icl__calloc(1, sizeof *m);
  m->address = icl__strdup(options->address);
  m->size = options->size;
  m->next = meetings;
  return meetings = m;
}

icl_status icl_group_open(const icl_group_options *options, icl_group **result) {
  if (options->size < 1 || options->size > MOST_RANKS || options->rank < 0 || options->rank >= options->size)
    return icl__fail(ICL_EINVAL, "group: there is no rank %d of %d", options->rank, options->size);
  icl_group *group = icl__calloc(1, sizeof *group);
  pthread_mutex_lock(&lock);
  group->references = 1;
  group->rank = options->rank;
  group->meeting = find(options);
  group->meeting->taken[options->rank] = true;
  group->meeting->members++;
  pthread_cond_broadcast(&changed);
  while (group->meeting->members < options->size && !group->meeting->why[0])
    pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  *result = group;
  return ICL_OK;
}

icl_group *icl_group_retain(icl_group *group) {
  group->references++;
  return group;
}

void icl_group_release(icl_group *group) {
  if (!group || --group->references)
    return;
  pthread_mutex_lock(&lock);
  meeting *m = group->meeting;
  if (!m->why[0])
    snprintf(m->why, sizeof m->why, "rank %d on localhost has left", group->rank);
  pthread_cond_broadcast(&changed);
  if (!--m->members) {
    for (meeting **at = &meetings; *at; at = &(*at)->next)
      if (*at == m) {
        *at = m->next;
        break;
      }
    icl__free(m->address);
    icl__free(m);
  }
  pthread_mutex_unlock(&lock);
  icl__free(group);
}

int icl_group_rank(const icl_group *group) { return group->rank; }
int icl_group_size(const icl_group *group) { return group->meeting->size; }
int icl_group_local_rank(const icl_group *group) { return group->rank; }
int icl_group_local_size(const icl_group *group) { return group->meeting->size; }
const char *icl_group_host(const icl_group *group, int rank) {
  return rank >= 0 && rank < group->meeting->size ? "localhost" : NULL;
}

#define ADD(type)                                                                                                      \
  for (size_t i = 0; i < end - begin; i++) {                                                                           \
    type sum = ((const type *)m->part[0].mine)[begin + i];                                                             \
    for (int r = 1; r < m->size; r++)                                                                                  \
      sum += ((const type *)m->part[r].mine)[begin + i];                                                               \
    ((type *)(void *)block)[i] = sum;                                                                                  \
  }

static void add(meeting *m) {
  size_t bytes = icl_dtype_bytes(m->part[0].dtype), count = m->part[0].count;
  for (size_t begin = 0; begin < count; begin += BLOCK) {
    size_t end = begin + BLOCK < count ? begin + BLOCK : count;
    uint64_t block[BLOCK];
    if (m->part[0].dtype == ICL_F32) {
      ADD(float)
    } else if (m->part[0].dtype == ICL_F64) {
      ADD(double)
    } else {
      ADD(int64_t)
    }
    for (int r = 0; r < m->size; r++)
      memcpy((char *)m->part[r].result + begin * bytes, block, (end - begin) * bytes);
  }
}

static void carry_out(meeting *m) {
  for (int r = 1; r < m->size; r++)
    if (m->part[r].gathers != m->part[0].gathers || m->part[r].dtype != m->part[0].dtype ||
        m->part[r].count != m->part[0].count) {
      snprintf(m->why, sizeof m->why, "rank %d on localhost does something else than rank 0", r);
      return;
    }
  if (!m->part[0].gathers) {
    add(m);
    return;
  }
  for (int r = 0; r < m->size; r++)
    for (int s = 0; s < m->size; s++)
      memcpy((char *)m->part[r].result + (size_t)s * m->part[s].count, m->part[s].mine, m->part[s].count);
}

static icl_status start(icl_group *group, part what, icl__request **result) {
  meeting *m = group->meeting;
  icl__request *request = icl__alloc(1, sizeof *request);
  pthread_mutex_lock(&lock);
  while (m->started[group->rank] > m->done && !m->why[0])
    pthread_cond_wait(&changed, &lock); /* one at a time */
  request->number = ++m->started[group->rank];
  m->part[group->rank] = what;
  bool all = true;
  for (int r = 0; r < m->size; r++)
    all = all && m->started[r] == request->number;
  if (all && !m->why[0]) {
    carry_out(m);
    m->done++;
    pthread_cond_broadcast(&changed);
  }
  pthread_mutex_unlock(&lock);
  *result = request;
  return ICL_OK;
}

icl_status icl__group_start_sum(icl_group *group, icl_dtype dtype, const void *mine, void *sum, size_t count,
                                icl__request **result) {
  return start(group, (part){false, dtype, count, mine, sum}, result);
}

icl_status icl__group_start_gather(icl_group *group, const void *mine, size_t bytes, void *all, icl__request **result) {
  return start(group, (part){true, ICL_U8, bytes, mine, all}, result);
}

icl_status icl__group_wait(icl_group *group, icl__request *request) {
  meeting *m = group->meeting;
  if (!request)
    return ICL_OK;
  pthread_mutex_lock(&lock);
  while (m->done < request->number && !m->why[0])
    pthread_cond_wait(&changed, &lock);
  bool done = m->done >= request->number;
  pthread_mutex_unlock(&lock);
  icl__free(request);
  return done ? ICL_OK : icl__fail(ICL_EIO, "%s", m->why);
}

icl_status icl__group_check(icl_group *group) {
  return group->meeting->why[0] ? icl__fail(ICL_EIO, "%s", group->meeting->why) : ICL_OK;
}

bool icl__group_is_kind(const char *kind) { return !strcmp(kind, "tcp"); }

icl_status icl_group_gather(icl_group *group, const void *mine, size_t bytes, void *all) {
  icl__request *request;
  ICL__TRY(icl__group_start_gather(group, mine, bytes, all, &request));
  return icl__group_wait(group, request);
}

icl_status icl_group_broadcast(icl_group *group, int root, void *data, size_t bytes) {
  char *all = icl__alloc((size_t)group->meeting->size, bytes);
  icl_status status = icl_group_gather(group, data, bytes, all);
  if (status == ICL_OK)
    memcpy(data, all + (size_t)root * bytes, bytes);
  icl__free(all);
  return status;
}

icl_status icl_group_barrier(icl_group *group) { return icl_group_gather(group, "", 0, (char[1]){0}); }

void icl_group_abort(icl_group *group, const char *why) {
  pthread_mutex_lock(&lock);
  if (!group->meeting->why[0])
    snprintf(group->meeting->why, sizeof group->meeting->why, "rank %d on localhost: %s", group->rank, why);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}
