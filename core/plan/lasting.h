/* lasting.h - values that last from one run of a plan to the next.
 *
 * What is made of states alone, such as weights in the layout of a kernel, is the same until one of those is written.
 * With few images it takes most of the time, so it is made in memory of its own, and runs that find it there leave it
 * out. One plan at a time has its values there, as in the arena. */
#ifndef ICL_PLAN_LASTING_H
#define ICL_PLAN_LASTING_H

#include "plan/plan.h"

typedef struct {
  void *memory;
  size_t bytes;
  const icl__backend *backend; /* whose memory it is */
  void *device;
  const icl__plan *plan; /* whose values are there; NULL: none of use */
  uint64_t *version;     /* of the states that they are made of */
  size_t capacity;
  int idle; /* runs since the memory was last of use */
} icl__lasting;

/* Makes the memory large enough for a plan. */
icl_status icl__lasting_reserve(icl__lasting *lasting, const icl__plan *plan);
/* Before a run of `plan`: where its lasting values are, and whether they need not be made. `version` has numbers that
 * no other value of a state has had, in the order of plan->settled_leaf. */
void icl__lasting_begin(icl__lasting *lasting, const icl__plan *plan, const uint64_t *version, icl__bindings *bindings);
/* After a run that has made them. */
void icl__lasting_end(icl__lasting *lasting, const icl__plan *plan, const uint64_t *version);
/* A state that they are made of was written, or the plan is no more. */
static inline void icl__lasting_forget(icl__lasting *lasting) { lasting->plan = NULL; }
void icl__lasting_drop(icl__lasting *lasting); /* gives the memory back */
void icl__lasting_free(icl__lasting *lasting);

#endif
