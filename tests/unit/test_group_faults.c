/* test_group_faults.c - groups that come to nothing, or are lost: every rank is told who it was and where, and none
 * waits for ever. */
#include "unit.h"

#include "base/clock.h"
#include "base/memory.h"
#include "group/group.h"
#include "ranks.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Waits at barriers until one fails: the message begins with this rank on its host, and goes on like that. */
static void wait_for_failure(icl_group *group, int rank, const char *rest) {
  char start[128];
  icl_status status;
  while ((status = icl_group_barrier(group)) == ICL_OK)
    usleep(1000);
  snprintf(start, sizeof start, "rank %d on %s", rank, icl_group_host(group, rank));
  CHECK_EQ(status, ICL_EIO);
  CHECK_CONTAINS(icl_message(), start);
  CHECK_CONTAINS(icl_message(), rest);
  CHECK_ERROR(icl_group_barrier(group), ICL_EIO, rest); /* and stays so */
  CHECK_ERROR(icl__group_check(group), ICL_EIO, rest);
}

/* ---- ranks that go ---- */

static void killed(icl_group *group) {
  if (icl_group_rank(group) == 1) {
    CHECK_OK(icl_group_barrier(group));
    raise(SIGKILL);
  }
  wait_for_failure(group, 1, "ended without a word");
}

static void run_and_lose(ranks *r, void (*body)(icl_group *group), int lost, int signal) {
  for (int rank = 0; rank < r->size; rank++)
    ranks_start(r, rank, body);
  for (int rank = 0; rank < r->size; rank++)
    ranks_end(r, rank, rank == lost ? signal : 0);
}

TEST(a_rank_that_is_killed_is_told) {
  for (int size = 2; size <= 4; size++) {
    ranks r = ranks_of(size);
    run_and_lose(&r, killed, 1, SIGKILL);
  }
}

enum { LARGE = 20000000 };

/* In the middle of a sum that takes a while. */
static void killed_while_it_sums(icl_group *group) {
  float *data = icl__calloc(LARGE, sizeof *data);
  icl__request *request;
  icl_status status = icl__group_start_sum(group, ICL_F32, data, data, LARGE, &request);
  if (icl_group_rank(group) == 2) {
    usleep(5000);
    raise(SIGKILL);
  }
  if (status == ICL_OK)
    status = icl__group_wait(group, request);
  if (status == ICL_OK)
    wait_for_failure(group, 2, "rank 2 on");
  CHECK_ERROR(icl__group_check(group), ICL_EIO, "rank 2 on");
  icl__free(data);
}

TEST(a_rank_that_is_killed_in_a_sum_is_told) {
  ranks r = ranks_of(3);
  run_and_lose(&r, killed_while_it_sums, 2, SIGKILL);
}

static void aborted(icl_group *group) {
  if (icl_group_rank(group) == 2) {
    usleep(50000);
    icl_group_abort(group, "the loss is not finite");
    CHECK_ERROR(icl_group_barrier(group), ICL_EIO, "the loss is not finite");
    icl_group_abort(group, "for another reason"); /* has no effect any more */
  }
  wait_for_failure(group, 2, ": the loss is not finite");
}

TEST(an_abort_reaches_all_others) {
  for (int size = 3; size <= 4; size++)
    ranks_run(size, aborted);
}

static void aborted_while_others_compute(icl_group *group) {
  if (icl_group_rank(group) == 1)
    icl_group_abort(group, "early");
  while (icl__group_check(group) == ICL_OK) /* comes while nothing is asked for */
    usleep(1000);
  wait_for_failure(group, 1, ": early");
}

TEST(an_abort_is_known_before_the_next_call) { ranks_run(3, aborted_while_others_compute); }

static void left(icl_group *group) {
  if (icl_group_rank(group) == 0)
    return;
  wait_for_failure(group, 0, "has left the group");
}

TEST(a_rank_that_leaves_is_told_when_it_is_missed) { ranks_run(3, left); }

static void all_left(icl_group *group) {
  usleep(200000 * (unsigned)icl_group_rank(group)); /* one by one, missed by nobody */
  CHECK_OK(icl__group_check(group));
}

TEST(ranks_may_leave_at_different_times) { ranks_run(3, all_left); }

static void gone(icl_group *group) {
  if (icl_group_rank(group) == 0)
    _exit(0); /* without a release */
  wait_for_failure(group, 0, "ended without a word");
}

TEST(a_rank_that_exits_is_told) { ranks_run(2, gone); }

/* ---- ranks that are silent ---- */

static void silent(icl_group *group) {
  if (icl_group_rank(group) == 1) {
    CHECK_OK(icl_group_barrier(group));
    raise(SIGSTOP);
  }
  wait_for_failure(group, 1, "gave no sign of life for 1 s");
}

/* The one that was stopped is told as well, when it goes on. */
TEST(a_rank_that_is_stopped_is_told) {
  ranks r = ranks_of(3);
  r.timeout = 1;
  for (int rank = 0; rank < 3; rank++)
    ranks_start(&r, rank, silent);
  ranks_end(&r, 0, 0);
  ranks_end(&r, 2, 0);
  CHECK_EQ(kill(r.process[1], SIGCONT), 0);
  ranks_end(&r, 1, 0);
}

static void busy(icl_group *group) {
  double end = icl__seconds() + 3;
  while (icl_group_rank(group) == 0 && icl__seconds() < end)
    continue; /* computes, thrice as long as the timeout */
  CHECK_OK(icl_group_barrier(group));
}

TEST(a_rank_that_computes_is_not_taken_for_dead) {
  ranks r = ranks_of(3);
  r.timeout = 1;
  run_and_lose(&r, busy, -1, 0);
}

static void asleep(icl_group *group) {
  if (icl_group_rank(group) == 0)
    raise(SIGSTOP);
  CHECK_OK(icl_group_barrier(group));
}

/* All were stopped, as by the suspension of a machine: nobody is to blame. */
TEST(ranks_that_were_all_stopped_go_on) {
  ranks r = ranks_of(2);
  r.timeout = 2;
  for (int rank = 0; rank < 2; rank++)
    ranks_start(&r, rank, asleep);
  int status;
  CHECK_EQ(waitpid(r.process[0], &status, WUNTRACED), r.process[0]);
  CHECK_EQ(kill(r.process[1], SIGSTOP), 0);
  sleep(4);
  kill(r.process[0], SIGCONT);
  kill(r.process[1], SIGCONT);
  ranks_end(&r, 0, 0);
  ranks_end(&r, 1, 0);
}

/* ---- ranks that do not agree ---- */

static void fails_with(icl_group *group, icl_status status, const char *first, const char *second) {
  if (status == ICL_OK)
    status = icl_group_barrier(group);
  CHECK_EQ(status, ICL_EIO);
  CHECK_CONTAINS(icl_message(), "the ranks do not run the same program: rank 0 on ");
  CHECK_CONTAINS(icl_message(), first);
  CHECK_CONTAINS(icl_message(), second);
}

static void sum_different_counts(icl_group *group) {
  float data[200] = {0};
  icl__request *request;
  size_t count = icl_group_rank(group) ? 200 : 100;
  CHECK_OK(icl__group_start_sum(group, ICL_F32, data, data, count, &request));
  fails_with(group, icl__group_wait(group, request), " sums 100 f32, rank 1 on ", " sums 200 f32");
}

static void sum_different_dtypes(icl_group *group) {
  double data[4] = {0};
  icl__request *request;
  CHECK_OK(icl__group_start_sum(group, icl_group_rank(group) ? ICL_I64 : ICL_F64, data, data, 4, &request));
  fails_with(group, icl__group_wait(group, request), " sums 4 f64, rank 1 on ", " sums 4 i64");
}

static void do_different_things(icl_group *group) {
  char data[64], all[128];
  bool second = icl_group_rank(group) == 1;
  icl_status status =
      second ? icl_group_broadcast(group, 1, data, sizeof data) : icl_group_gather(group, data, sizeof data, all);
  fails_with(group, status, " gathers 64 bytes of each, rank 1 on ", " broadcasts 64 bytes of rank 1");
}

static void broadcast_from_two(icl_group *group) {
  char data[8] = "";
  icl_status status = icl_group_broadcast(group, icl_group_rank(group), data, sizeof data);
  fails_with(group, status, " broadcasts 8 bytes of rank 0, rank 1 on ", " broadcasts 8 bytes of rank 1");
}

static void wait_and_sum(icl_group *group) {
  float data[LARGE / 10] = {0};
  icl__request *request;
  icl_status status = icl_group_rank(group) ? icl_group_barrier(group)
                                            : icl__group_start_sum(group, ICL_F32, data, data, LARGE / 10, &request);
  if (icl_group_rank(group) == 0)
    status = icl__group_wait(group, request);
  fails_with(group, status, " sums 2000000 f32, rank 1 on ", " waits at a barrier");
}

TEST(ranks_that_do_different_things_are_told) {
  ranks_run(2, sum_different_counts);
  ranks_run(2, sum_different_dtypes);
  ranks_run(2, do_different_things);
  ranks_run(2, broadcast_from_two);
  ranks_run(2, wait_and_sum);
}

/* ---- groups that never are ---- */

TEST(options_that_are_wrong) {
  ranks r = ranks_of(2);
  icl_group *group;
  CHECK_ERROR(ranks_open(&r, 2, &group), ICL_EINVAL, "rank 2 of 2");
  CHECK_ERROR(ranks_open(&r, -1, &group), ICL_EINVAL, "rank -1 of 2");
  r.timeout = -1;
  CHECK_ERROR(ranks_open(&r, 0, &group), ICL_EINVAL, "a timeout is");
  CHECK_ERROR(icl_group_open(NULL, &group), ICL_EINVAL, "needs the rank");
  icl_group_options options = {.rank = 0, .size = 2};
  CHECK_ERROR(icl_group_open(&options, &group), ICL_EINVAL, "needs an address");
  options.size = 1; /* meets nobody */
  CHECK_OK(icl_group_open(&options, &group));
  icl_group_release(group);
  options.kind = "smoke";
  CHECK_ERROR(icl_group_open(&options, &group), ICL_EINVAL, "'smoke'; choose tcp or mpi");
}

TEST(plugins_that_are_missing_or_wrong) {
  char folder[] = "/tmp/icl-group-XXXXXX", path[64];
  icl_group_options options = {.kind = "mpi"};
  icl_group *group;
  CHECK(mkdtemp(folder));
  setenv("ICL_PLUGINS", folder, 1);
  CHECK_ERROR(icl_group_open(&options, &group), ICL_ENOENT, "icl needs libopenmpi-dev");
  snprintf(path, sizeof path, "%s/libicl_mpi.so", folder);
  FILE *file = fopen(path, "w");
  fputs("no library", file);
  fclose(file);
  icl_status status = icl_group_open(&options, &group);
  unlink(path);
  rmdir(folder);
  CHECK_ERROR(status, ICL_ENOTSUP, path);
}

TEST(addresses_that_are_wrong) {
  static const char *const wrong[] = {"host",   "host:",      ":29500",      "host:port",
                                      "host:0", "host:65536", "host:123456", "[]:1"};
  icl_group *group;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    icl_group_options options = {.rank = 0, .size = 2, .address = wrong[i]};
    CHECK_ERROR(icl_group_open(&options, &group), ICL_EINVAL, "is no address of a group");
  }
  icl_group_options options = {.rank = 1, .size = 2, .address = "no-such-host.invalid:29500", .start_timeout = 1};
  CHECK_ERROR(icl_group_open(&options, &group), ICL_EIO,
              "host 'no-such-host.invalid' of the group's address is not known");
}

TEST(a_rank_that_comes_too_late_is_told) {
  ranks r = ranks_of(3);
  r.start_timeout = 0.5;
  icl_group *group;
  CHECK_ERROR(ranks_open(&r, 0, &group), ICL_EIO, "ranks 1, 2 of 3 did not come to 127.0.0.1:");
  CHECK_ERROR(ranks_open(&r, 1, &group), ICL_EIO, "rank 1 of 3 does not meet rank 0 at 127.0.0.1:");
  CHECK_ERROR(ranks_open(&r, 1, &group), ICL_EIO, "Connection refused");
}

/* Opens this rank in a process of its own, which must fail like that. */
static pid_t fail_to_open(const ranks *r, int rank, const char *part) {
  pid_t process = fork();
  CHECK(process >= 0);
  if (process)
    return process;
  icl_group *group;
  CHECK_ERROR(ranks_open(r, rank, &group), ICL_EIO, part);
  exit(0);
}

static void check_end(pid_t process) {
  int status = 1;
  CHECK_EQ(waitpid(process, &status, 0), process);
  CHECK_EQ(status, 0);
}

TEST(all_who_came_are_told_who_did_not) {
  ranks r = ranks_of(3);
  r.start_timeout = 1;
  pid_t leader = fail_to_open(&r, 0, "rank 2 of 3 did not come");
  pid_t other = fail_to_open(&r, 1, "rank 2 of 3 did not come");
  check_end(leader);
  check_end(other);
}

/* A socket that listens or is connected at the address of the group. */
static int plain_socket(const ranks *r, bool listens) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  at.sin_port = htons((uint16_t)atoi(strchr(r->address, ':') + 1));
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (listens) {
    CHECK_EQ(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_EQ(listen(fd, 4), 0);
    return fd;
  }
  double end = icl__seconds() + 30;
  while (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
    CHECK(icl__seconds() < end);
    usleep(10000);
  }
  return fd;
}

TEST(a_port_that_is_in_use) {
  ranks r = ranks_of(2);
  icl_group *group;
  int fd = plain_socket(&r, true);
  CHECK_ERROR(ranks_open(&r, 0, &group), ICL_EIO, "is in use, perhaps by another run; take another port");
  close(fd);
}

/* Someone listens there who is not of icl. */
TEST(a_stranger_at_the_address) {
  ranks r = ranks_of(2);
  r.start_timeout = 0.5;
  int fd = plain_socket(&r, true);
  pid_t other = fail_to_open(&r, 1, "rank 1 of 2 does not meet rank 0");
  int connection = accept(fd, NULL, NULL);
  static const char words[64] = "HTTP/1.1 400 Bad Request\r\n\r\n";
  CHECK_EQ(write(connection, words, sizeof words), (int)sizeof words);
  check_end(other);
}

static void nothing(icl_group *group) { CHECK_OK(icl_group_barrier(group)); }

TEST(strangers_do_not_disturb) {
  ranks r = ranks_of(3);
  ranks_start(&r, 0, nothing);
  int silent_one = plain_socket(&r, false), loud = plain_socket(&r, false);
  static const char words[64] = "GET / HTTP/1.1\r\n\r\n";
  CHECK_EQ(write(loud, words, sizeof words), (int)sizeof words);
  close(loud);
  ranks_start(&r, 1, nothing);
  ranks_start(&r, 2, nothing);
  for (int rank = 0; rank < 3; rank++)
    ranks_end(&r, rank, 0);
  close(silent_one);
}

/* Two runs with one address: whoever comes second to a place is sent away, and the first group is whole. */
TEST(ranks_of_another_group_are_refused) {
  ranks r = ranks_of(3), larger = r;
  larger.size = 4;
  ranks_start(&r, 0, nothing);
  pid_t wrong_size = fail_to_open(&larger, 1, "has 3 ranks, not 4");
  ranks_start(&r, 1, nothing);
  check_end(wrong_size);
  usleep(300000);
  pid_t twice = fail_to_open(&r, 1, "rank 1 is there already at ");
  check_end(twice);
  ranks_start(&r, 2, nothing);
  for (int rank = 0; rank < 3; rank++)
    ranks_end(&r, rank, 0);
}

TEST(a_rank_that_ends_before_all_are_there) {
  ranks r = ranks_of(3);
  pid_t leader = fail_to_open(&r, 0, "rank 1 on ");
  ranks_start(&r, 1, nothing);
  usleep(500000);
  CHECK_EQ(kill(r.process[1], SIGKILL), 0);
  check_end(leader);
  ranks_end(&r, 1, SIGKILL);
}
