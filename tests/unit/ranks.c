/* ranks.c - see ranks.h. */
#include "ranks.h"

#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

ranks ranks_of(int size) {
  ranks r = {.size = size, .timeout = 60, .start_timeout = 60};
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t bytes = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  CHECK_EQ(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
  close(fd);
  r.ready = mmap(NULL, sizeof *r.ready, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(r.ready != MAP_FAILED);
  snprintf(r.address, sizeof r.address, "127.0.0.1:%d", ntohs(at.sin_port));
  return r;
}

icl_status ranks_open(const ranks *r, int rank, icl_group **group) {
  icl_group_options options = {.kind = r->kind,
                               .rank = rank,
                               .size = r->size,
                               .address = r->address,
                               .timeout = r->timeout,
                               .start_timeout = r->start_timeout};
  return icl_group_open(&options, group);
}

void ranks_start(ranks *r, int rank, void (*body)(icl_group *group)) {
  r->process[rank] = fork();
  CHECK(r->process[rank] >= 0);
  if (r->process[rank])
    return;
  icl_group *group;
  CHECK_OK(ranks_open(r, rank, &group));
  atomic_fetch_add(r->ready, 1);
  while (*r->ready < r->size)
    usleep(1000);
  body(group);
  icl_group_release(group);
  exit(0);
}

void ranks_end(ranks *r, int rank, int signal) {
  int status = 0;
  CHECK_EQ(waitpid(r->process[rank], &status, 0), r->process[rank]);
  if (signal)
    CHECK_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : 0, signal);
  else
    CHECK_EQ(status, 0);
}

void ranks_run(int size, void (*body)(icl_group *group)) {
  ranks r = ranks_of(size);
  for (int rank = 0; rank < size; rank++)
    ranks_start(&r, rank, body);
  for (int rank = 0; rank < size; rank++)
    ranks_end(&r, rank, 0);
}
