/* ranks.h - the ranks of a group as threads of this process, which speak over the loopback. */
#ifndef ICL_TESTS_RANKS_H
#define ICL_TESTS_RANKS_H

#include "icl.h"

enum { MOST_RANKS = 8 };

/* Runs the body once for each rank, all at the same time, and returns when all have ended. */
void ranks_run(int ranks, void (*body)(icl_group *group, void *context), void *context);

#endif
