/* families.h - the functions of the op families, named by the columns of ops.def, and what the families share. */
#ifndef ICL_OPS_FAMILIES_H
#define ICL_OPS_FAMILIES_H

#include "ops/attributes.h"
#include "ops/ops.h"

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

/* The value of a node that is a number. It may be read while recording, since the next step records anew. */
static inline double icl__number_value(const icl__node *number) { return number->attr.f[0]; }

/* Elements of a shape of sizes from 0 on; one more than the most for any that are too many. */
#define ICL__MAX_COUNT (INT64_C(1) << 40)
int64_t icl__bounded_count(int rank, const int32_t *shape);

bool icl__shape_is(const icl__node *node, int rank, const int32_t *shape);
static inline bool icl__same_shape(const icl__node *a, const icl__node *b) {
  return icl__shape_is(a, b->rank, b->shape);
}

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
/* An index tensor: i64, and within 0 .. size - 1 where its values are known already. */
icl_status icl__expect_indices(const icl__node *node, int i, int32_t size, const char *name);

/* The list attribute in a slot: returns its length. */
static inline int icl__list(const icl_attributes *attr, int slot, const int32_t **entries) {
  *entries = &attr->i[slot + 1];
  return attr->i[slot];
}
void icl__set_list(icl_attributes *attr, int slot, int length, const int32_t *entries);

/* Widens a shape to what it and another broadcast to, as in NumPy; false if they do not fit. */
bool icl__broadcast(int *rank, int32_t *shape, int other_rank, const int32_t *other);

/* ---- batch rules that several families end in ---- */

/* A map of the inputs in `batched`. */
static inline void icl__rule_map(icl__batch_rule *rule, uint32_t batched, bool seed) {
  *rule = (icl__batch_rule){ICL__MAP, batched, seed};
}
static inline void icl__rule_reduce(icl__batch_rule *rule, uint32_t batched, bool seed) {
  *rule = (icl__batch_rule){ICL__REDUCE, batched, seed};
}
static inline void icl__rule_global(icl__batch_rule *rule) { *rule = (icl__batch_rule){ICL__GLOBAL, 0, false}; }

/* ---- ops with attributes, as gradient formulas need them; NULL as icl__g() ---- */

icl__node *icl__g_reshape(icl__gradient *pass, icl__node *x, int rank, const int32_t *shape);
icl__node *icl__g_broadcast(icl__gradient *pass, icl__node *x, int rank, const int32_t *shape);
/* Sum over the last axis, kept with size 1. */
icl__node *icl__g_sum_rows(icl__gradient *pass, icl__node *x);

#endif
