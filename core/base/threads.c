/* threads.c - teams of POSIX threads that meet at barriers.
 *
 * A team has threads - 1 workers. A worker waits at the barrier, runs the body, waits at the barrier again, and so on;
 * icl__team_run passes the same two barriers, so the first starts a run and the second ends it. A thread at a barrier
 * spins for a few microseconds, then yields its core for about a millisecond, then sleeps.
 *
 * Idle teams are kept in a list and taken out for a run. They are stopped when the library is unloaded. */
#include "base/threads.h"

#include "base/cgroup.h"
#include "base/memory.h"

#include <limits.h>
#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { SPINS = 1000, YIELDS = 2000, MAX_THREADS = 4096 };

typedef struct team {
  struct team *next;    /* in the list of idle teams */
  int threads, workers; /* workers that exist: threads - 1, fewer while the team is being made */
  pthread_t *worker;
  void (*body)(int thread, int threads, void *context);
  void *context;
  bool stop;    /* workers leave instead of running the body */
  bool crowded; /* more threads than cores: spinning would only hold up the one waited for */
  _Alignas(ICL__ALIGNMENT) atomic_int arrived; /* threads at the barrier */
  _Alignas(ICL__ALIGNMENT) atomic_uint phase;  /* counts barriers that were passed */
  atomic_int sleepers;
  pthread_mutex_t lock;
  pthread_cond_t passed;
} team;

typedef struct {
  team *team;
  int thread;
} worker_start;

static _Thread_local team *current; /* the team whose body this thread runs; NULL: none, or a team of one */

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static team *idle;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* ---- the barrier ---- */

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/* Counts `count` threads as being at the barrier; true if they were the last, which lets all others go on. */
static bool arrive(team *t, int count) {
  if (atomic_fetch_add(&t->arrived, count) + count < t->threads)
    return false;
  atomic_store(&t->arrived, 0);
  atomic_fetch_add(&t->phase, 1);
  if (atomic_load(&t->sleepers) > 0) {
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->passed);
    pthread_mutex_unlock(&t->lock);
  }
  return true;
}

static int first_turn(const team *t) { return t && t->crowded ? SPINS : 0; }

/* What a thread does that has looked for something so many times. */
static inline void pass_turn(int turn) {
  if (turn < SPINS)
    relax();
  else
    sched_yield();
}

static void wait_for_all(team *t) {
  unsigned phase = atomic_load(&t->phase);
  if (arrive(t, 1))
    return;
  for (int i = first_turn(t); i < SPINS + YIELDS; i++) {
    if (atomic_load_explicit(&t->phase, memory_order_acquire) != phase)
      return;
    pass_turn(i);
  }
  pthread_mutex_lock(&t->lock);
  atomic_fetch_add(&t->sleepers, 1);
  while (atomic_load(&t->phase) == phase)
    pthread_cond_wait(&t->passed, &t->lock);
  atomic_fetch_sub(&t->sleepers, 1);
  pthread_mutex_unlock(&t->lock);
}

void icl__team_barrier(void) {
  if (current)
    wait_for_all(current);
}

/* It is not long until then: the other thread is at work. */
void icl__team_await(const atomic_int *value, int wanted) {
  for (int i = first_turn(current); atomic_load_explicit(value, memory_order_acquire) != wanted; i += i < SPINS)
    pass_turn(i);
}

/* ---- making and stopping a team ---- */

static void *work(void *argument) {
  worker_start start = *(worker_start *)argument;
  icl__free(argument);
  team *t = start.team;
  current = t;
  omp_set_num_threads(1);
  for (;;) {
    wait_for_all(t);
    if (t->stop)
      return NULL;
    t->body(start.thread, t->threads, t->context);
    wait_for_all(t);
  }
}

/* Ends the workers that exist. Those that never came to be are counted as arrived in their place. */
static void free_team(team *t) {
  t->stop = true;
  arrive(t, t->threads - t->workers);
  for (int i = 0; i < t->workers; i++)
    pthread_join(t->worker[i], NULL);
  pthread_cond_destroy(&t->passed);
  pthread_mutex_destroy(&t->lock);
  icl__free(t->worker);
  icl__free(t);
}

int icl__thread_start(pthread_t *thread, void *(*body)(void *), void *argument) {
  sigset_t block, before;
  sigfillset(&block);
  sigdelset(&block, SIGSEGV);
  sigdelset(&block, SIGBUS);
  sigdelset(&block, SIGFPE);
  sigdelset(&block, SIGILL);
  pthread_sigmask(SIG_SETMASK, &block, &before);
  int error = pthread_create(thread, NULL, body, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

/* Starts the next worker of a team. */
static icl_status add_worker(team *t) {
  worker_start *start = icl__alloc(1, sizeof *start);
  if (!start)
    return ICL_ENOMEM;
  *start = (worker_start){t, t->workers + 1};
  int error = icl__thread_start(&t->worker[t->workers], work, start);
  if (error) {
    icl__free(start);
    return icl__fail(ICL_ENOTSUP, "cannot start thread %d of %d: %s; ask for fewer threads", t->workers + 2, t->threads,
                     strerror(error));
  }
  t->workers++;
  return ICL_OK;
}

static icl_status make_team(int threads, team **result) {
  team *t = icl__calloc(1, sizeof *t);
  pthread_t *worker = icl__calloc((size_t)threads, sizeof *worker);
  if (!t || !worker) {
    icl__free(t);
    icl__free(worker);
    return ICL_ENOMEM;
  }
  t->threads = threads;
  t->worker = worker;
  t->crowded = threads > icl__threads_default();
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->passed, NULL);
  while (t->workers < threads - 1) {
    icl_status status = add_worker(t);
    if (status != ICL_OK) {
      free_team(t);
      return status;
    }
  }
  *result = t;
  return ICL_OK;
}

/* ---- idle teams ---- */

/* A child has none of its parent's workers, and its locks may have been held. */
static void forget_teams(void) {
  while (idle) {
    team *t = idle;
    idle = t->next;
    icl__free(t->worker);
    icl__free(t);
  }
  current = NULL;
  pthread_mutex_init(&idle_lock, NULL);
}

static void prepare_fork(void) { pthread_atfork(NULL, NULL, forget_teams); }

static team *take_idle(int threads) {
  pthread_mutex_lock(&idle_lock);
  team **at = &idle;
  while (*at && (*at)->threads != threads)
    at = &(*at)->next;
  team *t = *at;
  if (t)
    *at = t->next;
  pthread_mutex_unlock(&idle_lock);
  return t;
}

static void give_idle(team *t) {
  pthread_mutex_lock(&idle_lock);
  t->next = idle;
  idle = t;
  pthread_mutex_unlock(&idle_lock);
}

/* Also runs when a program unloads the library: no thread may be left in code that goes away. */
__attribute__((destructor)) static void stop_idle_teams(void) {
  while (idle) {
    team *t = idle;
    idle = t->next;
    free_team(t);
  }
}

/* ---- running ---- */

int icl__one_thread_begin(void) {
  int before = omp_get_max_threads();
  if (before != 1)
    omp_set_num_threads(1);
  return before;
}

void icl__one_thread_end(int before) {
  if (before != 1)
    omp_set_num_threads(before);
}

icl_status icl__team_run(int threads, void (*body)(int thread, int threads, void *context), void *context) {
  if (threads < 1 || threads > MAX_THREADS)
    return icl__fail(ICL_EINVAL, "threads: cannot run %d threads; 1 to %d are possible", threads, MAX_THREADS);
  pthread_once(&fork_once, prepare_fork);
  team *t = NULL, *outer = current;
  if (threads > 1 && !(t = take_idle(threads)))
    ICL__TRY(make_team(threads, &t));
  int openmp_threads = icl__one_thread_begin();
  current = t;
  if (t) {
    t->body = body;
    t->context = context;
    wait_for_all(t);
  }
  body(0, threads, context);
  if (t) {
    wait_for_all(t);
    give_idle(t);
  }
  current = outer;
  icl__one_thread_end(openmp_threads);
  return ICL_OK;
}

/* ---- cores ---- */

/* True if `cpu` is the first of the processors in `mask` that share its core. */
static bool is_first_of_core(int cpu, const cpu_set_t *mask) {
  char path[128], list[256] = "";
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
  FILE *file = fopen(path, "re");
  if (file && !fgets(list, sizeof list, file))
    list[0] = 0;
  if (file)
    fclose(file);
  int low, high, used; /* 0-1,64-65 */
  for (const char *at = list; sscanf(at, "%d%n", &low, &used) == 1;) {
    at += used;
    high = low;
    if (*at == '-' && sscanf(at, "-%d%n", &high, &used) == 1)
      at += used;
    for (int other = low; other <= high && other < cpu; other++)
      if (CPU_ISSET(other, mask))
        return false;
    if (*at == ',')
      at++;
  }
  return true;
}

int icl__threads_default(void) {
  cpu_set_t mask;
  int count = 0, limit = icl__cgroup_cores();
  if (sched_getaffinity(0, sizeof mask, &mask) != 0)
    return 1;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &mask) && is_first_of_core(cpu, &mask))
      count++;
  if (count > limit)
    count = limit;
  return count < 1 ? 1 : count;
}
