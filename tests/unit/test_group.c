/* test_group.c - collectives of a group: every rank gets what the definition says, to the last bit. */
#include "unit.h"

#include "base/memory.h"
#include "base/threads.h"
#include "group/group.h"
#include "ranks.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- sums ---- */

/* Element i of what a rank gives: numbers whose sum depends on the order. */
static double value(icl_dtype dtype, int rank, size_t i) {
  uint32_t mixed = (uint32_t)(i * 2654435761u) ^ (uint32_t)(rank + 1) * 40503u;
  double spread = (double)(mixed % 2000003) - 1e6;
  return dtype == ICL_I64 ? spread : spread * (i % 3 == (size_t)rank % 3 ? 1.1 : 1e-7);
}

static void put(icl_dtype dtype, void *data, size_t i, double v) {
  if (dtype == ICL_F32)
    ((float *)data)[i] = (float)v;
  else if (dtype == ICL_F64)
    ((double *)data)[i] = v;
  else
    ((int64_t *)data)[i] = (int64_t)v;
}

/* What all ranks must have. */
static void expect(icl_dtype dtype, int size, void *data, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float f = (float)value(dtype, 0, i);
    double d = value(dtype, 0, i);
    for (int r = 1; r < size; r++) {
      f += (float)value(dtype, r, i);
      d += value(dtype, r, i);
    }
    put(dtype, data, i, dtype == ICL_F32 ? (double)f : d);
  }
}

static void check_sum(icl_group *group, icl_dtype dtype, size_t count, bool in_place) {
  const size_t bytes = count * icl_dtype_bytes(dtype);
  void *mine = icl__alloc(bytes, 1), *sum = in_place ? mine : icl__alloc(bytes, 1), *right = icl__alloc(bytes, 1);
  icl__request *request;
  for (size_t i = 0; i < count; i++)
    put(dtype, mine, i, value(dtype, icl_group_rank(group), i));
  expect(dtype, icl_group_size(group), right, count);
  CHECK_OK(icl__group_start_sum(group, dtype, mine, sum, count, &request));
  CHECK_OK(icl__group_wait(group, request));
  CHECK_EQ(memcmp(sum, right, bytes), 0);
  if (!in_place)
    icl__free(sum);
  icl__free(mine);
  icl__free(right);
}

/* Counts that are fewer than the ranks, odd, small, of several pieces, and of more than the window holds. */
static void sum_all(icl_group *group) {
  static const size_t counts[] = {0, 1, 2, 3, 5, 1000, 20000, 262147, 5000011};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
    for (int way = 0; way < 2; way++) {
      check_sum(group, ICL_F32, counts[c], way);
      if (counts[c] < 1000000) {
        check_sum(group, ICL_F64, counts[c], way);
        check_sum(group, ICL_I64, counts[c], way);
      }
    }
}

TEST(sums_are_added_in_the_order_of_ranks) {
  for (int size = 1; size <= 4; size++)
    ranks_run(size, sum_all);
}

static void sum_wrapping(icl_group *group) {
  int64_t number = INT64_MAX;
  icl__request *request;
  CHECK_OK(icl__group_start_sum(group, ICL_I64, &number, &number, 1, &request));
  CHECK_OK(icl__group_wait(group, request));
  CHECK_EQ(number, -2);
}

TEST(sums_of_integers_wrap_around) { ranks_run(2, sum_wrapping); }

static void sum_bytes(icl_group *group) {
  icl__request *request;
  uint8_t byte = 1;
  CHECK_ERROR(icl__group_start_sum(group, ICL_U8, &byte, &byte, 1, &request), ICL_EDTYPE, "not u8");
  CHECK_OK(icl__group_wait(group, request));
}

TEST(sums_refuse_other_dtypes) { ranks_run(1, sum_bytes); }

/* ---- many at once ---- */

enum { MANY = 40 };

static void start_many(icl_group *group) {
  icl__request *request[MANY];
  double value[MANY];
  int32_t mine[MANY], all[MANY][RANKS_MOST];
  const int rank = icl_group_rank(group), size = icl_group_size(group);
  for (int i = 0; i < MANY; i++) {
    value[i] = rank + i;
    mine[i] = rank * i;
    if (i % 2)
      CHECK_OK(icl__group_start_sum(group, ICL_F64, &value[i], &value[i], 1, &request[i]));
    else
      CHECK_OK(icl__group_start_gather(group, &mine[i], sizeof *mine, all[i], &request[i]));
  }
  for (int i = MANY - 1; i >= 0; i--) { /* waits may come in any order */
    CHECK_OK(icl__group_wait(group, request[i]));
    if (i % 2)
      CHECK_EQ(value[i], i * size + size * (size - 1) / 2);
    for (int r = 0; i % 2 == 0 && r < size; r++)
      CHECK_EQ(all[i][r], r * i);
  }
}

TEST(requests_run_in_the_order_of_their_start) {
  ranks_run(1, start_many);
  ranks_run(3, start_many);
}

/* ---- the others ---- */

static void gather_all(icl_group *group) {
  static const size_t sizes[] = {0, 1, 7, 100000, 3000001};
  const int rank = icl_group_rank(group), size = icl_group_size(group);
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    char *mine = icl__alloc(sizes[s], 1), *all = icl__alloc(sizes[s], (size_t)size);
    memset(mine, 'a' + rank, sizes[s]);
    CHECK_OK(icl_group_gather(group, mine, sizes[s], all));
    for (size_t i = 0; i < sizes[s] * (size_t)size; i++)
      if (all[i] != 'a' + (int)(i / sizes[s]))
        CHECK_EQ(all[i], 'a' + (int)(i / sizes[s]));
    char *own = all + sizes[s] * (size_t)rank; /* may be where it goes */
    CHECK_OK(icl_group_gather(group, own, sizes[s], all));
    icl__free(mine);
    icl__free(all);
  }
}

TEST(gather_gives_every_rank_the_bytes_of_all) {
  for (int size = 1; size <= 4; size++)
    ranks_run(size, gather_all);
}

static void broadcast_all(icl_group *group) {
  enum { BYTES = 3000001 };
  char *data = icl__alloc(BYTES, 1);
  for (int root = 0; root < icl_group_size(group); root++) {
    memset(data, icl_group_rank(group) == root ? 'A' + root : '.', BYTES);
    CHECK_OK(icl_group_broadcast(group, root, data, BYTES));
    for (int i = 0; i < BYTES; i++)
      if (data[i] != 'A' + root)
        CHECK_EQ(data[i], 'A' + root);
    CHECK_OK(icl_group_broadcast(group, root, NULL, 0));
  }
  icl__free(data);
  CHECK_ERROR(icl_group_broadcast(group, -1, NULL, 0), ICL_EINVAL, "there is no rank -1");
  CHECK_ERROR(icl_group_broadcast(group, icl_group_size(group), NULL, 0), ICL_EINVAL, "there is no rank");
}

TEST(broadcast_gives_every_rank_the_bytes_of_one) {
  for (int size = 1; size <= 4; size++)
    ranks_run(size, broadcast_all);
}

static void meet_at_barriers(icl_group *group) {
  for (int i = 0; i < 200; i++) {
    if (i % 50 == icl_group_rank(group))
      usleep(20000);
    CHECK_OK(icl_group_barrier(group));
  }
}

TEST(barriers_pass) {
  ranks_run(1, meet_at_barriers);
  ranks_run(4, meet_at_barriers);
}

static void tell_who(icl_group *group) {
  char host[64] = "";
  gethostname(host, sizeof host - 1);
  CHECK_EQ(icl_group_size(group), 3);
  CHECK_EQ(icl_group_local_size(group), 3);
  CHECK_EQ(icl_group_local_rank(group), icl_group_rank(group));
  for (int r = 0; r < 3; r++)
    CHECK_STR(icl_group_host(group, r), host);
  CHECK_STR(icl_group_host(group, 3), NULL);
  CHECK_STR(icl_group_host(group, -1), NULL);
}

/* One of three that have the cores of a machine to themselves, or no more than one processor each. */
static void share_cores(icl_group *group) {
  int most = icl__threads_default() / 3;
  CHECK_EQ(icl_group_threads(group), most > 1 ? most : 1);
}

static void be_alone(icl_group *group) { CHECK_EQ(icl_group_threads(group), icl__threads_default()); }

TEST(ranks_of_a_host_share_its_cores) {
  ranks_run(1, be_alone);
  ranks_run(3, share_cores);
}

/* What a launcher has parted already is not parted again. */
TEST(ranks_that_were_bound_to_cores_keep_them) {
  cpu_set_t all, one;
  CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  ranks r = ranks_of(2);
  for (int rank = 0, cpu = -1; rank < 2; rank++) {
    do
      cpu = (cpu + 1) % CPU_SETSIZE;
    while (!CPU_ISSET(cpu, &all));
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    ranks_start(&r, rank, be_alone);
  }
  ranks_end(&r, 0, 0);
  ranks_end(&r, 1, 0);
}

/* In the place of the C library's: a machine with more processors than a set holds does not tell them. */
static bool has_too_many;
int sched_getaffinity(pid_t process, size_t bytes, cpu_set_t *set) {
  CPU_ZERO_S(bytes, set);
  errno = EINVAL;
  return has_too_many || syscall(SYS_sched_getaffinity, process, bytes, set) < 0 ? -1 : 0;
}

static void have_a_thread(icl_group *group) { CHECK_EQ(icl_group_threads(group), 1); }

TEST(ranks_that_do_not_know_their_processors_count_themselves) {
  has_too_many = true;
  ranks_run(1, have_a_thread);
  ranks_run(3, have_a_thread);
}

TEST(ranks_are_told_who_is_there) { ranks_run(3, tell_who); }

/* ---- what lasts ---- */

static void fork_one(icl_group *group) {
  pid_t child = fork();
  if (child == 0) {
    icl__request *request;
    CHECK_ERROR(icl_group_barrier(group), ICL_EINVAL, "from which this one was forked");
    CHECK_ERROR(icl__group_start_sum(group, ICL_F32, NULL, NULL, 0, &request), ICL_EINVAL, "forked");
    icl_group_abort(group, "it is not mine");
    icl_group_release(group);
    _exit(0);
  }
  int status = 1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_OK(icl_group_barrier(group));
}

TEST(a_child_leaves_the_group_alone) { ranks_run(2, fork_one); }

static void retain_one(icl_group *group) {
  icl_group *same = icl_group_retain(group);
  icl_group_release(group);
  CHECK_OK(icl_group_barrier(same));
  icl_group_retain(same);
  icl_group_release(same);
  icl_group_release(NULL);
}

TEST(the_last_reference_leaves_the_group) { ranks_run(2, retain_one); }

static void broadcast_and_go(icl_group *group) {
  char word[] = "none";
  if (icl_group_rank(group) == 1)
    strcpy(word, "last");
  else
    usleep(300000); /* the other has gone before this one asks */
  CHECK_OK(icl_group_broadcast(group, 1, word, sizeof word));
  CHECK_STR(word, "last");
}

TEST(what_was_sent_arrives_after_its_rank_has_left) { ranks_run(2, broadcast_and_go); }

TEST(a_group_without_memory) {
  ranks r = ranks_of(1);
  icl_group *group;
  icl_status status = ICL_ENOMEM;
  const size_t before = icl__memory_in_use();
  for (int allowed = 0; status == ICL_ENOMEM; allowed++) {
    icl__alloc_fail_after(allowed);
    status = ranks_open(&r, 0, &group);
    icl__alloc_fail_after(-1);
    if (status != ICL_OK)
      CHECK_EQ(icl__memory_in_use(), before);
  }
  CHECK_OK(status);
  icl_group_release(group);
  CHECK_EQ(icl__memory_in_use(), before);
}
