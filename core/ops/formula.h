/* formula.h - one backward pass, as the gradient formulas of the op families see it.
 *
 * A formula records ops and hands their results over as gradients. The contributions to a node are collected, so that
 * they are added once, as one n-ary sum of which the planner can pick terms. What is recorded belongs to the pass,
 * which releases it at its end. */
#ifndef ICL_OPS_FORMULA_H
#define ICL_OPS_FORMULA_H

#include "ops/ops.h"

/* How nodes come into being and go: given by whoever runs the pass. */
typedef struct {
  icl_status (*record)(icl_engine *engine, int op, int inputs, icl__node *const *in, const icl_attributes *attr,
                       icl__node **result);
  icl_status (*number)(icl_engine *engine, double value, icl__node **result);
  void (*release)(icl__node *node);
} icl__recorder;

typedef struct {
  int count;
  icl__node *term[ICL_MAX_INPUTS];
} icl__terms;

struct icl__gradient {
  icl_engine *engine;
  const icl__recorder *recorder;
  bool first;        /* of a group of processes this is the first */
  icl_status status; /* the first error of a formula */
  int nodes;
  icl__node **node;  /* what the loss depends on and needs a gradient; sorted by id */
  icl__terms *given; /* what was handed over for each of them */
  size_t owned, owned_capacity;
  icl__node **own; /* released by icl__gradient_clear() */
};

/* ---- handing over ---- */

/* Does input i of y need a gradient? */
bool icl__wants(const icl__node *y, int i);
/* Can a gradient go through y? None goes through whole numbers and truth values. */
bool icl__has_gradient(const icl__node *y);
/* Hands over the gradient of input i of y; the caller keeps its reference. The shape is summed to the input's shape
 * first, and the dtype cast to the input's, where they differ. */
icl_status icl__give(icl__gradient *pass, icl__node *y, int i, icl__node *gradient);
/* The same as it is, for the packed sums of batch norm, whose shape is not the input's. */
icl_status icl__give_packed(icl__gradient *pass, icl__node *y, int i, icl__node *gradient);

/* ---- recording ---- */

/* Records an op. NULL after an error, and NULL inputs give NULL, so that formulas nest; icl__give(NULL) then returns
 * the error. */
icl__node *icl__g(icl__gradient *pass, int op, int inputs, icl__node *const *in, const icl_attributes *attr);
icl__node *icl__g1(icl__gradient *pass, int op, icl__node *a);
icl__node *icl__g2(icl__gradient *pass, int op, icl__node *a, icl__node *b);
icl__node *icl__g3(icl__gradient *pass, int op, icl__node *a, icl__node *b, icl__node *c);
icl__node *icl__g_number(icl__gradient *pass, double value);

/* Ops with attributes that several families need. */
icl__node *icl__g_reshape(icl__gradient *pass, icl__node *x, int rank, const int32_t *shape);
icl__node *icl__g_broadcast(icl__gradient *pass, icl__node *x, int rank, const int32_t *shape);
icl__node *icl__g_sum_to(icl__gradient *pass, icl__node *x, int rank, const int32_t *shape);
icl__node *icl__g_sum_rows(icl__gradient *pass, icl__node *x); /* over the last axis, kept with size 1 */

/* ---- for whoever runs the pass ---- */

/* Gives the pass the caller's reference. Returns the node; NULL, with the error kept in the pass, if `status` is one or
 * memory is out. */
icl__node *icl__gradient_own(icl__gradient *pass, icl_status status, icl__node *node);
/* The place of a node in the pass, or -1: it is not part of it. */
int icl__gradient_find(const icl__gradient *pass, const icl__node *node);
/* The complete gradient of node i, or NULL. */
icl__node *icl__gradient_of(icl__gradient *pass, int i);
void icl__gradient_clear(icl__gradient *pass);

#endif
