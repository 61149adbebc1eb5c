/* group.h - collectives of a group of processes that run while the caller goes on; icl.h has those that it waits for.
 *
 * A group knows memory, counts and dtypes, nothing of tensors. Collectives run one after another, in the order in which
 * they were started, which must be the same on each rank, on a thread of the group. */
#ifndef ICL_GROUP_GROUP_H
#define ICL_GROUP_GROUP_H

#include "base/status.h"

typedef struct icl__request icl__request;

/* The sum over all ranks of `count` elements, f32, f64 or i64 (which wraps around), added in the order of ranks:
 * ((r0 + r1) + r2). `mine` may be `sum`; otherwise the two do not overlap. Both are the group's until the wait. */
icl_status icl__group_start_sum(icl_group *group, icl_dtype dtype, const void *mine, void *sum, size_t count,
                                icl__request **result);
/* As icl_group_gather(). */
icl_status icl__group_start_gather(icl_group *group, const void *mine, size_t bytes, void *all, icl__request **result);

/* Waits for the end of a request and frees it. NULL is allowed. */
icl_status icl__group_wait(icl_group *group, icl__request *request);

/* Ends the call that waits for others now, if one does, with EINTERRUPTED: they are told, and the group is lost. May be
 * called from a signal handler. */
void icl__group_interrupt(void);

/* EIO, with its message, if the group has failed; at once, for those who compute long between two calls. */
icl_status icl__group_check(icl_group *group);

/* May sums be added in another order than that of ranks? */
bool icl__group_fast_reduce(const icl_group *group);

/* Seconds that collectives took so far, from when each could begin; for profiles. */
double icl__group_busy(icl_group *group);

#endif
