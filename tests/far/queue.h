/* queue.h - what a far device was asked to do, and the thread that does it, late.
 *
 * Jobs are done in their order. The thread begins when somebody waits, or when many jobs are queued. After the first
 * that fails only those that give memory back are done, and waiting tells of the failure. */
#ifndef ICL_TESTS_FAR_QUEUE_H
#define ICL_TESTS_FAR_QUEUE_H

#include <pthread.h>

#include "icl.h"

typedef struct far_job {
  icl_status (*work)(struct far_job *job); /* on the queue's thread */
  bool always;                             /* done after a failure, too */
  struct far_job *next;
} far_job;

typedef struct {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  far_job *first, *last;
  int length;
  bool busy, hurry, ending;
  const char *(*message_of)(void);
  icl_status status; /* the first failure */
  char message[512];
} far_queue;

bool far_queue_open(far_queue *queue, const char *(*message_of)(void));
void far_queue_close(far_queue *queue); /* does what is left */
/* Takes a job, which was made with malloc(); it is freed when it is done. */
void far_queue_add(far_queue *queue, far_job *job);
icl_status far_queue_wait(far_queue *queue); /* until all jobs are done; -> the first failure */

#endif
