/* lasting.h - values that last from one run of a plan to the next.
 *
 * What is made of states alone, such as weights in the layout of a kernel, is the same until one of those is written.
 * With few images it takes most of the time, so it is made once: a plan that runs again on the same states, with no
 * other such plan in between, writes it to memory of its own, and leaves it out from then on. One plan at a time has
 * such memory. It is given back when one of the states is written, or when memory is short. */
#ifndef ICL_PLAN_LASTING_H
#define ICL_PLAN_LASTING_H

#include "plan/plan.h"

typedef struct {
  const icl__plan *plan; /* the last one that ran, of those with lasting values; NULL: there was none */
  uint64_t *version;     /* of the states it read then */
  size_t capacity;
  void *memory; /* NULL: its values are in the arena */
  bool filled;  /* they are there */
} icl__lasting;

/* Before a run of `plan`: where its lasting values go, and whether they are there. `version` has numbers that no other
 * value of a state has had, in the order of plan->settled_leaf. After a run that filled them, set `filled`. */
icl_status icl__lasting_begin(icl__lasting *lasting, const icl__plan *plan, const uint64_t *version,
                              icl__bindings *bindings);
/* Gives the memory back; the next run begins anew. */
void icl__lasting_drop(icl__lasting *lasting);
void icl__lasting_free(icl__lasting *lasting);

#endif
