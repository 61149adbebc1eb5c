/* node.h - a node: what recording makes of an op, and what inference, gradients and evaluation read.
 *
 * A tensor is a node. Recording gives it op, inputs, attributes, shape and dtype; evaluation gives it a value and then
 * cuts what nobody needs any more. Node ids rise in recorded order, so an input's id is always below its user's. */
#ifndef ICL_OPS_NODE_H
#define ICL_OPS_NODE_H

#include "base/shape.h"
#include "base/status.h"

typedef icl_tensor icl__node;

/* A gradient function of the user's. */
typedef struct {
  int references;
  icl_backward_fn backward;
  void (*release)(void *);
  void *context;
} icl__custom;

struct icl_tensor {
  icl_engine *engine;
  int references;
  uint16_t op;
  uint8_t dtype, rank, inputs;
  bool needs_grad;
  bool number;  /* takes the dtype of what it meets */
  bool kept;    /* asked to outlive its step */
  bool dropped; /* its step ended without evaluating it */
  bool plain;   /* recorded between icl_no_gradient_begin and _end: no gradient goes through it */
  int32_t shape[ICL_MAX_RANK];
  int32_t index_limit; /* the last input holds indices, from 0 to index_limit - 1; 0: it holds none */
  uint64_t id;
  icl__node *in[ICL_MAX_INPUTS];
  icl_attributes attr;
  icl_state *state; /* state: the variable; its version is `version` */
  uint64_t version;
  struct icl__buffer *value; /* NULL: not evaluated */
  icl__custom *custom;
  const char *layer, *source; /* interned by the engine */
  int line;
  uint64_t mark; /* scratch of graph walks: compare with a fresh icl__engine_mark() */
  int32_t slot;  /* scratch of graph walks */
};

static inline int64_t icl__node_count(const icl__node *node) { return icl__count(node->rank, node->shape); }

/* The value of a node that is a number. It may be read while recording, since the next step records anew. */
static inline double icl__number_value(const icl__node *number) { return number->attr.f[0]; }

static inline bool icl__shape_is(const icl__node *node, int rank, const int32_t *shape) {
  return icl__equal_shapes(node->rank, node->shape, rank, shape);
}
static inline bool icl__same_shape(const icl__node *a, const icl__node *b) {
  return icl__shape_is(a, b->rank, b->shape);
}

#endif
