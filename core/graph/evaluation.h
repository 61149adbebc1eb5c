/* evaluation.h - one evaluation on its way from recorded nodes to values: canonical.c writes down what is needed,
 * evaluate.c plans, runs and commits it. */
#ifndef ICL_GRAPH_EVALUATION_H
#define ICL_GRAPH_EVALUATION_H

#include "graph/engine.h"

typedef struct {
  icl__node *node;     /* resolved: not an alias */
  icl_state *state;    /* the only one that asks for it, as its new version; NULL: kept, or wanted by several */
  icl__buffer *buffer; /* where the value goes */
} icl__wanted;

typedef struct {
  icl_state *state;
  icl__buffer *held; /* its new version, if that exists before the run, which may write states over it */
} icl__write;

typedef struct {
  icl_engine *engine;
  uint64_t mark; /* of needed nodes; that of their leaves is one above */
  icl__canonical form;
  int leaves;
  int outputs;
  size_t output_capacity;
  icl__wanted *out;
  int writes;
  icl__write *written;
} icl__evaluation;

/* What the targets and, with writes, the new versions of written states ask for. */
icl_status icl__collect_outputs(icl__evaluation *e, int targets, icl__node *const *target, bool with_writes);
/* The canonical form of what they need of `nodes`, which are in recorded order. On success *outputs, one for each of
 * e->out, is the caller's to free. */
icl_status icl__write_canonical(icl__evaluation *e, int count, icl__node *const *nodes, icl__plan_output **outputs);

bool icl__is_alias(const icl__node *node);
static inline bool icl__is_leaf_of(const icl__evaluation *e, const icl__node *node) {
  return node->mark == e->mark + 1;
}
/* NONE: no leaf of this evaluation. */
static inline icl__leaf_kind icl__leaf_kind_of(const icl__evaluation *e, const icl__node *node) {
  if (!icl__is_leaf_of(e, node))
    return ICL__LEAF_NONE;
  if (node->number)
    return ICL__LEAF_NUMBER;
  if (node->op == ICL__OP_state && !node->value)
    return ICL__LEAF_STATE;
  return node->op == ICL__OP_constant ? ICL__LEAF_CONSTANT : ICL__LEAF_TENSOR;
}

#endif
