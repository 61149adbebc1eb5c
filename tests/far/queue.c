/* queue.c - see queue.h. */
#include "queue.h"

#include <stdio.h>
#include <stdlib.h>

enum { LONG = 24 };

static void do_first(far_queue *queue) {
  far_job *job = queue->first;
  bool lost = queue->status != ICL_OK;
  queue->busy = true;
  pthread_mutex_unlock(&queue->lock);
  icl_status status = lost && !job->always ? ICL_OK : job->work(job);
  pthread_mutex_lock(&queue->lock);
  if (status != ICL_OK && !lost) {
    queue->status = status;
    snprintf(queue->message, sizeof queue->message, "%s", queue->message_of());
  }
  queue->first = job->next;
  queue->length--;
  queue->busy = false;
  free(job);
}

static void *work(void *context) {
  far_queue *queue = context;
  pthread_mutex_lock(&queue->lock);
  while (queue->length || !queue->ending) {
    if (queue->length && (queue->hurry || queue->ending || queue->length >= LONG)) {
      do_first(queue);
      pthread_cond_broadcast(&queue->changed);
    } else {
      queue->hurry = false;
      pthread_cond_wait(&queue->changed, &queue->lock);
    }
  }
  pthread_mutex_unlock(&queue->lock);
  return NULL;
}

bool far_queue_open(far_queue *queue, const char *(*message_of)(void)) {
  *queue = (far_queue){.message_of = message_of};
  pthread_mutex_init(&queue->lock, NULL);
  pthread_cond_init(&queue->changed, NULL);
  return pthread_create(&queue->thread, NULL, work, queue) == 0;
}

void far_queue_add(far_queue *queue, far_job *job) {
  pthread_mutex_lock(&queue->lock);
  job->next = NULL;
  *(queue->length ? &queue->last->next : &queue->first) = job;
  queue->last = job;
  queue->length++;
  pthread_cond_broadcast(&queue->changed);
  pthread_mutex_unlock(&queue->lock);
}

icl_status far_queue_wait(far_queue *queue) {
  pthread_mutex_lock(&queue->lock);
  while (queue->length) {
    queue->hurry = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_cond_wait(&queue->changed, &queue->lock);
  }
  icl_status status = queue->status;
  pthread_mutex_unlock(&queue->lock);
  return status;
}

void far_queue_close(far_queue *queue) {
  pthread_mutex_lock(&queue->lock);
  queue->ending = true;
  pthread_cond_broadcast(&queue->changed);
  pthread_mutex_unlock(&queue->lock);
  pthread_join(queue->thread, NULL);
  pthread_cond_destroy(&queue->changed);
  pthread_mutex_destroy(&queue->lock);
}
