/* test_threads.c - teams of threads: everything runs at the same time, barriers hold, nothing races. Also run under the
 * thread sanitizer. */
#include "unit.h"

#include "base/memory.h"
#include "base/threads.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 9, ROUNDS = 200 };

typedef struct {
  int values[ROUNDS][MOST]; /* plain memory: only barriers order it */
  atomic_int wrong, ran;
} board;

/* Each thread writes its number, and after the barrier reads what the others wrote. */
static void fill_board(int thread, int threads, void *context) {
  board *b = context;
  atomic_fetch_add(&b->ran, 1);
  for (int round = 0; round < ROUNDS; round++) {
    b->values[round][thread] = round + thread;
    icl__team_barrier();
    for (int other = 0; other < threads; other++)
      if (b->values[round][other] != round + other)
        atomic_fetch_add(&b->wrong, 1);
  }
}

static void check_board(int threads) {
  board *b = icl__calloc(1, sizeof *b);
  CHECK_OK(icl__team_run(threads, fill_board, b));
  CHECK_EQ(b->ran, threads);
  CHECK_EQ(b->wrong, 0);
  for (int thread = 0; thread < threads; thread++)
    CHECK_EQ(b->values[ROUNDS - 1][thread], ROUNDS - 1 + thread);
  icl__free(b);
}

TEST(team_barriers_order_memory) {
  for (int threads = 1; threads <= MOST; threads++)
    check_board(threads);
}

typedef struct {
  int sum; /* plain memory: only the turns order it */
  atomic_int turn;
} relay;

/* The threads add to one sum in turns. */
static void run_relay(int thread, int threads, void *context) {
  relay *r = context;
  for (int turn = thread; turn < ROUNDS * threads; turn += threads) {
    icl__team_await(&r->turn, turn);
    r->sum = r->sum * 3 % 1000003 + thread;
    atomic_store_explicit(&r->turn, turn + 1, memory_order_release);
  }
}

TEST(team_threads_await_their_turns) {
  for (int threads = 1; threads <= MOST; threads++) {
    relay r = {0}, alone = {0};
    CHECK_OK(icl__team_run(threads, run_relay, &r));
    for (int turn = 0; turn < ROUNDS * threads; turn++)
      alone.sum = alone.sum * 3 % 1000003 + turn % threads;
    CHECK_EQ(r.sum, alone.sum);
  }
}

static void count(int thread, int threads, void *context) {
  (void)threads;
  int *counts = context;
  counts[thread]++;
}

TEST(team_runs_follow_each_other) {
  int counts[3] = {0};
  for (int run = 0; run < 2000; run++) {
    CHECK_OK(icl__team_run(3, count, counts));
    if (run % 500 == 0)
      usleep(20000); /* long enough for the workers to fall asleep */
  }
  for (int thread = 0; thread < 3; thread++)
    CHECK_EQ(counts[thread], 2000);
}

static void *host_thread(void *unused) {
  (void)unused;
  for (int i = 0; i < 5; i++) {
    check_board(2);
    check_board(3);
  }
  return NULL;
}

TEST(team_two_hosts_at_once) {
  pthread_t host[2];
  for (int i = 0; i < 2; i++)
    CHECK_EQ(pthread_create(&host[i], NULL, host_thread, NULL), 0);
  for (int i = 0; i < 2; i++)
    CHECK_EQ(pthread_join(host[i], NULL), 0);
}

static void run_inner(int thread, int threads, void *context) {
  (void)thread, (void)threads, (void)context;
  check_board(2);
  icl__team_barrier();
  check_board(1);
  icl__team_barrier();
}

TEST(team_inside_a_body) { CHECK_OK(icl__team_run(2, run_inner, NULL)); }

static void note_openmp(int thread, int threads, void *context) {
  (void)threads;
  int *most = context;
  most[thread] = omp_get_max_threads();
}

TEST(team_keeps_openmp_on_one_thread) {
  int most[3] = {0};
  omp_set_num_threads(5);
  CHECK_OK(icl__team_run(3, note_openmp, most));
  for (int thread = 0; thread < 3; thread++)
    CHECK_EQ(most[thread], 1);
  CHECK_EQ(omp_get_max_threads(), 5);
  int before = icl__one_thread_begin();
  CHECK_EQ(omp_get_max_threads(), 1);
  icl__one_thread_end(before);
  CHECK_EQ(omp_get_max_threads(), 5);
}

TEST(team_refuses_sizes) {
  CHECK_ERROR(icl__team_run(0, count, NULL), ICL_EINVAL, "0 threads");
  CHECK_ERROR(icl__team_run(-3, count, NULL), ICL_EINVAL, "-3 threads");
  CHECK_ERROR(icl__team_run(1 << 20, count, NULL), ICL_EINVAL, "threads");
}

TEST(team_default_is_plausible) {
  int threads = icl__threads_default();
  CHECK(threads >= 1 && threads <= sysconf(_SC_NPROCESSORS_ONLN));
}

TEST(team_without_memory) {
  int counts[4] = {0};
  for (int allowed = 0; allowed < 5; allowed++) { /* a team, its table, and one block for each of three workers */
    icl__alloc_fail_after(allowed);
    CHECK_ERROR(icl__team_run(4, count, counts), ICL_ENOMEM, "out of memory");
  }
  icl__alloc_fail_after(-1);
  CHECK_EQ(counts[0], 0);
  CHECK_OK(icl__team_run(4, count, counts));
  CHECK_EQ(counts[3], 1);
}

#ifndef __SANITIZE_THREAD__ /* which does not let a child start threads */
TEST(team_survives_fork) {
  check_board(2);
  pid_t child = fork();
  if (child == 0) {
    check_board(2);
    _exit(0);
  }
  int status = 1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  check_board(2);
}
#endif
