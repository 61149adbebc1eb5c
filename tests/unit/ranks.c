/* ranks.c - see ranks.h. */
#include "ranks.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

typedef struct {
  int rank, ranks;
  const char *address;
  void (*body)(icl_group *group, void *context);
  void *context;
} rank;

/* A port that nobody listens at. */
static int free_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int s = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(bind(s, (struct sockaddr *)&address, length), 0);
  CHECK_EQ(getsockname(s, (struct sockaddr *)&address, &length), 0);
  close(s);
  return ntohs(address.sin_port);
}

static void *run(void *argument) {
  const rank *r = argument;
  icl_group *group;
  icl_group_options options = {.kind = "tcp", .rank = r->rank, .size = r->ranks, .address = r->address};
  CHECK_OK(icl_group_open(&options, &group));
  r->body(group, r->context);
  icl_group_release(group);
  return NULL;
}

void ranks_run(int ranks, void (*body)(icl_group *group, void *context), void *context) {
  char address[64];
  rank list[MOST_RANKS];
  pthread_t thread[MOST_RANKS];
  snprintf(address, sizeof address, "127.0.0.1:%d", free_port());
  CHECK(ranks <= MOST_RANKS);
  for (int r = 0; r < ranks; r++) {
    list[r] = (rank){r, ranks, address, body, context};
    CHECK_EQ(pthread_create(&thread[r], NULL, run, &list[r]), 0);
  }
  for (int r = 0; r < ranks; r++)
    CHECK_EQ(pthread_join(thread[r], NULL), 0);
}
