/* families.h - the functions of the op families, named by the columns of ops.def, and what the families share. */
#ifndef ICL_OPS_FAMILIES_H
#define ICL_OPS_FAMILIES_H

#include "ops/attributes.h"
#include "ops/formula.h"

#define OP(name, least, most, attributes, infer, grad, batch, flags, doc)                                              \
  icl_status icl__infer_##infer(icl__node *node);                                                                      \
  icl_status icl__grad_##grad(icl__gradient *pass, icl__node *y, icl__node *gy);                                       \
  void icl__batch_##batch(const icl__facts *facts, icl__batch_rule *rule);
#define PW(name, inputs, kind, grad, formula, doc)                                                                     \
  icl_status icl__infer_pointwise(icl__node *node);                                                                    \
  icl_status icl__grad_##grad(icl__gradient *pass, icl__node *y, icl__node *gy);
#include "ops/ops.def"
#undef OP
#undef PW

/* ---- checks of inference; `form` and `name` go into the message ---- */

/* Input i has this rank: "conv2d: x must be (n, h, w, c), not of rank 3". */
icl_status icl__expect_rank(const icl__node *node, int i, int rank, const char *name, const char *form);
icl_status icl__expect_float(const icl__node *node, int i, const char *name);
icl_status icl__expect_dtype(const icl__node *node, int i, icl_dtype dtype, const char *name);
/* Of f32, or of f64. */
icl_status icl__expect_wide(const icl__node *node, int i, const char *name);
/* One element of any rank. */
icl_status icl__expect_one(const icl__node *node, int i, const char *name);
/* A vector with one element a channel. */
icl_status icl__expect_channels(const icl__node *node, int i, int32_t channels, const char *name);
/* The axis in a slot: made to count from 0. */
icl_status icl__expect_axis(icl__node *node, int slot, int rank);
/* Windows over an image of `size` (h, w), as conv2d and pools have them: how many there are, rounded down. */
icl_status icl__expect_window(const icl__node *node, const int32_t size[2], const int32_t kernel[2],
                              const int32_t stride[2], const int32_t padding[2], int32_t windows[2]);
/* The last input is an index tensor: i64, each from 0 to limit - 1. */
icl_status icl__expect_indices(icl__node *node, int32_t limit, const char *name);

/* ---- batch rules that several families end in ---- */

/* A map of the inputs in `batched`. */
static inline void icl__rule_map(icl__batch_rule *rule, uint32_t batched, bool seed) {
  *rule = (icl__batch_rule){ICL__MAP, batched, seed};
}
static inline void icl__rule_reduce(icl__batch_rule *rule, uint32_t batched, bool seed) {
  *rule = (icl__batch_rule){ICL__REDUCE, batched, seed};
}
static inline void icl__rule_global(icl__batch_rule *rule) { *rule = (icl__batch_rule){ICL__GLOBAL, 0, false}; }

#endif
