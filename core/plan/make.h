/* make.h - from a recorded graph to a plan. */
#ifndef ICL_PLAN_MAKE_H
#define ICL_PLAN_MAKE_H

#include "plan/plan.h"

/* A node of the graph to be planned, which is in topological order and has no aliases. */
typedef struct {
  icl__leaf_kind kind; /* leaves are bound at each run, and numbered in their order */
  int op, inputs;
  icl_dtype dtype;
  int rank;
  const int32_t *shape;
  const icl_attributes *attr;
  int32_t in[ICL_MAX_INPUTS]; /* numbers of nodes */
  const char *layer;          /* outlives the plan */
} icl__plan_node;

typedef struct {
  int32_t node;
  int32_t state_leaf; /* leaf number of the state's old version; -1: it is not read */
  int32_t state;      /* 1: a new state version; 0: a kept value */
} icl__plan_output;

icl_status icl__plan_make(const icl__backend *backend, void *device, const icl__policy *policy, int count,
                          const icl__plan_node *nodes, int outputs, const icl__plan_output *output, icl__plan **result);
void icl__plan_free(icl__plan *plan);
icl_status icl__plan_describe(const icl__plan *plan, char **text); /* phases, instructions, storage, sections */

#endif
