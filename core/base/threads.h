/* threads.h - teams of threads that run one function together, and single threads.
 *
 * All threads of a team run at the same time, so they may wait for each other at barriers. Workers sleep between runs
 * and are kept for the next one. Several host threads may run teams at once, and a body may run a team of its own.
 * After fork() the child starts with fresh workers. */
#ifndef ICL_BASE_THREADS_H
#define ICL_BASE_THREADS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/status.h"

/* Physical cores that this process may use: its affinity mask, bounded by the processor time of its control group. */
int icl__threads_default(void);

/* Runs body(0 ... threads - 1, threads, context) at the same time, number 0 on the calling thread, and returns when all
 * are done. What one wrote before is seen by all. Fails before anything ran if the system gives too few threads. Inside
 * a body OpenMP (which oneDNN uses) stays on one thread. */
icl_status icl__team_run(int threads, void (*body)(int thread, int threads, void *context), void *context);

/* Inside a body: waits until every thread of its team is here. All of them must call it equally often. */
void icl__team_barrier(void);

/* Inside a body: waits until *value is `wanted`, which another thread of its team stores with what it made before. */
void icl__team_await(const atomic_int *value, int wanted);

/* Starts a thread that takes no signal which a host program may want to handle itself, so that a signal interrupts the
 * thread that waits for it. Returns an errno value, 0 for success. */
int icl__thread_start(pthread_t *thread, void *(*body)(void *), void *argument);

/* Between these two calls OpenMP regions that the calling thread starts have one thread. Returns what end gets. */
int icl__one_thread_begin(void);
void icl__one_thread_end(int before);

#endif
