/* rank_threads.c - see rank_threads.h. */
#include "rank_threads.h"

#include <pthread.h>

#include "unit.h"

typedef struct {
  const ranks *ranks;
  int rank;
  void (*body)(icl_group *group, void *context);
  void *context;
} rank_thread;

static void *run(void *argument) {
  const rank_thread *t = argument;
  icl_group *group;
  CHECK_OK(ranks_open(t->ranks, t->rank, &group));
  t->body(group, t->context);
  icl_group_release(group);
  return NULL;
}

void rank_threads_run(int size, void (*body)(icl_group *group, void *context), void *context) {
  ranks r = ranks_of(size);
  rank_thread list[RANKS_MOST];
  pthread_t thread[RANKS_MOST];
  for (int rank = 0; rank < size; rank++) {
    list[rank] = (rank_thread){&r, rank, body, context};
    CHECK_EQ(pthread_create(&thread[rank], NULL, run, &list[rank]), 0);
  }
  for (int rank = 0; rank < size; rank++)
    CHECK_EQ(pthread_join(thread[rank], NULL), 0);
}
