/* rank_threads.h - groups for tests: ranks that are threads of this process, and can look at what others left. */
#ifndef ICL_TESTS_RANK_THREADS_H
#define ICL_TESTS_RANK_THREADS_H

#include "ranks.h"

/* Runs the body once for each rank, all at the same time, and returns when all have ended. */
void rank_threads_run(int size, void (*body)(icl_group *group, void *context), void *context);

#endif
