/* group.c - how long a sum over the ranks takes, beside a plain loop that moves as many bytes over sockets of the same
 * kind: bench_group [ELEMENTS [ROUNDS]]. The two take turns; the last line compares their medians.
 *
 *   build/release/tests/bench_group                      two processes, by tcp
 *   mpirun -n 2 build/release/tests/bench_group          by MPI, without the plain loop
 *   mpirun -n 2 build/release/tests/bench_group --fast   the sum of the MPI */
#include "base/clock.h"
#include "base/memory.h"
#include "group/group.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_ROUNDS = 100, BLOCK = 256 << 10 };

static void give_up(const char *what, const char *why) {
  fprintf(stderr, "bench_group: %s: %s\n", what, why);
  exit(1);
}

static void check(icl_status status, const char *what) {
  if (status != ICL_OK)
    give_up(what, icl_message());
}

/* ---- the plain loop ---- */

/* A socket that listens at a port which was free. */
static int listen_anywhere(struct sockaddr_in *at) {
  socklen_t bytes = sizeof *at;
  *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)at, bytes) != 0 || listen(fd, 1) != 0 ||
      getsockname(fd, (struct sockaddr *)at, &bytes) != 0)
    give_up("listen", strerror(errno));
  return fd;
}

/* A pair of connected sockets of TCP. */
static void connect_pair(int fd[2]) {
  struct sockaddr_in at;
  int listening = listen_anywhere(&at), one = 1;
  fd[0] = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd[0], (struct sockaddr *)&at, sizeof at) != 0)
    give_up("connect", strerror(errno));
  fd[1] = accept(listening, NULL, NULL);
  close(listening);
  for (int i = 0; i < 2; i++)
    setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* Sends `bytes` and takes as many at the same time, from and to as much memory as a sum has. */
static void move(int fd, char *memory, size_t bytes) {
  size_t sent = 0, taken = 0;
  while (sent < bytes || taken < bytes) {
    struct pollfd p = {.fd = fd, .events = (short)((sent < bytes ? POLLOUT : 0) | (taken < bytes ? POLLIN : 0))};
    poll(&p, 1, -1);
    if (p.revents & POLLOUT) {
      size_t most = bytes - sent < BLOCK ? bytes - sent : BLOCK;
      ssize_t n = send(fd, memory + sent, most, MSG_DONTWAIT | MSG_NOSIGNAL);
      sent += n > 0 ? (size_t)n : 0;
    }
    if (p.revents & (POLLIN | POLLHUP)) {
      size_t most = bytes - taken < BLOCK ? bytes - taken : BLOCK;
      ssize_t n = recv(fd, memory + taken, most, MSG_DONTWAIT);
      if (n == 0)
        give_up("recv", "the other one has ended");
      taken += n > 0 ? (size_t)n : 0;
    }
  }
}

/* ---- measuring ---- */

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *seconds, int count) {
  qsort(seconds, (size_t)count, sizeof *seconds, by_size);
  return seconds[count / 2];
}

static void measure(icl_group *group, int fd, size_t count, int rounds) {
  const size_t bytes = count * sizeof(float);
  float *data = icl__calloc(count, sizeof *data);
  double sums[MOST_ROUNDS], moves[MOST_ROUNDS];
  if (!data)
    give_up("memory", icl_message());
  memset(data, 0, bytes);
  for (int round = -1; round < rounds; round++) { /* the first one warms up */
    icl__request *request;
    check(icl_group_barrier(group), "barrier");
    double start = icl__seconds();
    check(icl__group_start_sum(group, ICL_F32, data, data, count, &request), "sum");
    check(icl__group_wait(group, request), "sum");
    double between = icl__seconds();
    if (fd >= 0)
      move(fd, (char *)data, bytes);
    if (round >= 0) {
      sums[round] = between - start;
      moves[round] = icl__seconds() - between;
    }
  }
  if (icl_group_rank(group) == 0) {
    double sum = median(sums, rounds), plain = median(moves, rounds);
    printf("sum of %zu f32 over %d ranks: %.1f ms, %.2f GB/s of each\n", count, icl_group_size(group), 1e3 * sum,
           1e-9 * (double)bytes / sum);
    if (fd >= 0)
      printf("plain loop: %.1f ms; the sum runs at %.0f %% of it\n", 1e3 * plain, 100 * plain / sum);
  }
  icl__free(data);
}

int main(int argc, char **argv) {
  bool fast = argc > 1 && strcmp(argv[1], "--fast") == 0;
  argc -= fast;
  argv += fast;
  size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 36000000;
  int rounds = argc > 2 ? atoi(argv[2]) : 9, fd[2] = {-1, -1}, rank = 0;
  char address[32] = "";
  icl_group *group;
  icl_group_options options = {.kind = "mpi", .fast_reduce = fast};
  if (rounds < 1 || rounds > MOST_ROUNDS || count < 1)
    give_up(argv[1], "counts are from 1, rounds to 100");
  if (!getenv("OMPI_COMM_WORLD_RANK")) {
    struct sockaddr_in at;
    connect_pair(fd);
    close(listen_anywhere(&at));
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(at.sin_port));
    rank = fork() == 0;
    options = (icl_group_options){.rank = rank, .size = 2, .address = address};
    close(fd[1 - rank]);
  }
  check(icl_group_open(&options, &group), "open");
  measure(group, fd[rank], count, rounds);
  icl_group_release(group);
  while (wait(NULL) > 0)
    continue;
  return 0;
}
