/* reduce.c - sums and maxima over axes, and broadcasting, the opposite of a sum. */
#include "ops/families.h"

/* Rewrites the list of axes: all for an empty one, from 0 and rising. `reduced` tells which axes are in it. */
static icl_status settle_dims(icl__node *node, int rank, bool reduced[ICL_MAX_RANK]) {
  const int32_t *dims;
  int length = icl__list(&node->attr, REDUCE_DIMS, &dims), count = 0;
  int32_t settled[ICL_MAX_RANK];
  for (int axis = 0; axis < rank; axis++)
    reduced[axis] = length == 0;
  for (int i = 0; i < length; i++) {
    ICL__TRY(icl__expect_axis(node, REDUCE_DIMS + 1 + i, rank));
    if (reduced[dims[i]])
      return icl__value_error(node, "axis %d is given twice", (int)dims[i]);
    reduced[dims[i]] = true;
  }
  for (int axis = 0; axis < rank; axis++)
    if (reduced[axis])
      settled[count++] = axis;
  icl__set_list(&node->attr, REDUCE_DIMS, count, settled);
  return ICL_OK;
}

/* The shape of x with reduced axes left out, or 1 with `keepdim`; returns the rank. */
static int reduced_shape(const icl__node *x, const bool reduced[ICL_MAX_RANK], bool keepdim,
                         int32_t shape[ICL_MAX_RANK]) {
  int rank = 0;
  for (int axis = 0; axis < x->rank; axis++)
    if (!reduced[axis])
      shape[rank++] = x->shape[axis];
    else if (keepdim)
      shape[rank++] = 1;
  return rank;
}

icl_status icl__infer_reduce(icl__node *node) {
  const icl__node *x = node->in[0];
  bool reduced[ICL_MAX_RANK];
  int32_t shape[ICL_MAX_RANK];
  ICL__TRY(settle_dims(node, x->rank, reduced));
  if (node->op == ICL__OP_sum) {
    int rank = reduced_shape(x, reduced, node->attr.i[REDUCE_KEEPDIM], shape);
    return icl__set_shape(node, rank, shape, icl__sum_dtype((icl_dtype)x->dtype));
  }
  for (int axis = 0; axis < x->rank; axis++)
    if (reduced[axis] && x->shape[axis] == 0)
      return icl__shape_error(node, "axis %d has no elements, so there is no largest", axis);
  int rank = reduced_shape(x, reduced, node->attr.i[REDUCE_KEEPDIM], shape);
  return icl__set_shape(node, rank, shape, (icl_dtype)x->dtype);
}

icl_status icl__infer_argmax(icl__node *node) {
  const icl__node *x = node->in[0];
  bool reduced[ICL_MAX_RANK] = {false};
  int32_t shape[ICL_MAX_RANK];
  ICL__TRY(icl__expect_axis(node, ARGMAX_DIM, x->rank));
  int dim = node->attr.i[ARGMAX_DIM];
  if (x->shape[dim] == 0)
    return icl__shape_error(node, "axis %d has no elements, so there is no largest", dim);
  reduced[dim] = true;
  int rank = reduced_shape(x, reduced, false, shape);
  return icl__set_shape(node, rank, shape, ICL_I64);
}

icl_status icl__infer_broadcast_to(icl__node *node) {
  const icl__node *x = node->in[0];
  const int32_t *target;
  int rank = icl__list(&node->attr, TARGET_SHAPE, &target), fit = rank;
  int32_t shape[ICL_MAX_RANK];
  for (int i = 0; i < rank; i++)
    shape[i] = target[i];
  bool fits = x->rank <= rank && icl__broadcast(&fit, shape, x->rank, x->shape);
  for (int i = 0; fits && i < rank; i++)
    fits = shape[i] == target[i];
  if (!fits) {
    char text[ICL__SHAPE_TEXT];
    return icl__shape_error(node, "x does not broadcast to %s: its sizes must be 1 or those of the end of the shape",
                            icl__shape_text(text, icl__promote(node, 0), rank, target));
  }
  return icl__set_shape(node, rank, shape, icl__promote(node, 0));
}

icl_status icl__infer_sum_to(icl__node *node) {
  const icl__node *x = node->in[0];
  const int32_t *target;
  int rank = icl__list(&node->attr, TARGET_SHAPE, &target);
  bool fits = rank <= x->rank;
  for (int i = 1; fits && i <= rank; i++)
    fits = target[rank - i] == 1 || target[rank - i] == x->shape[x->rank - i];
  if (!fits) {
    char text[ICL__SHAPE_TEXT];
    return icl__shape_error(node, "x does not sum to %s: sizes must be 1 or those of the end of x",
                            icl__shape_text(text, (icl_dtype)x->dtype, rank, target));
  }
  return icl__set_shape(node, rank, target, icl__sum_dtype((icl_dtype)x->dtype));
}

/* ---- batch rules ---- */

/* The list of settled axes is rising, so axis 0 is its first if it is there. */
static bool reduces_images(const icl__facts *facts) {
  const int32_t *dims;
  if (facts->op == ICL__OP_argmax)
    return facts->attr->i[ARGMAX_DIM] == 0;
  return icl__list(facts->attr, REDUCE_DIMS, &dims) > 0 && dims[0] == 0;
}

void icl__batch_reduce(const icl__facts *facts, icl__batch_rule *rule) {
  if (facts->in[0].rank == 0)
    icl__rule_global(rule);
  else if (reduces_images(facts))
    icl__rule_reduce(rule, 1, false);
  else
    icl__rule_map(rule, 1, false);
}

void icl__batch_reduce_order(const icl__facts *facts, icl__batch_rule *rule) {
  if (facts->in[0].rank == 0 || reduces_images(facts))
    icl__rule_global(rule);
  else
    icl__rule_map(rule, 1, false);
}

void icl__batch_sum_to(const icl__facts *facts, icl__batch_rule *rule) {
  const struct icl__operand *x = &facts->in[0];
  if (x->rank == 0)
    icl__rule_global(rule);
  else if (facts->rank == x->rank && facts->shape[0] == x->shape[0])
    icl__rule_map(rule, 1, false);
  else
    icl__rule_reduce(rule, 1, false);
}

/* ---- gradients ---- */

/* A reduced value spread over the axes of x again: reduced axes come back with size 1 and repeat. */
static icl__node *spread(icl__gradient *pass, const icl__node *y, icl__node *value) {
  const icl__node *x = y->in[0];
  const int32_t *dims;
  int32_t kept[ICL_MAX_RANK];
  int count = icl__list(&y->attr, REDUCE_DIMS, &dims);
  for (int axis = 0; axis < x->rank; axis++)
    kept[axis] = x->shape[axis];
  for (int i = 0; i < count; i++)
    kept[dims[i]] = 1;
  if (!y->attr.i[REDUCE_KEEPDIM])
    value = icl__g_reshape(pass, value, x->rank, kept);
  return icl__g_broadcast(pass, value, x->rank, x->shape);
}

icl_status icl__grad_sum(icl__gradient *pass, icl__node *y, icl__node *gy) {
  return icl__give(pass, y, 0, spread(pass, y, gy));
}

/* Every element equal to the maximum gets the same share. */
icl_status icl__grad_max(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *largest = icl__g2(pass, ICL__OP_eq, y->in[0], spread(pass, y, y));
  icl__node *equals = icl__g(pass, ICL__OP_sum, 1, &largest, &y->attr);
  icl__node *portion = spread(pass, y, icl__g2(pass, ICL__OP_div, gy, equals));
  return icl__give(pass, y, 0, icl__g3(pass, ICL__OP_where, largest, portion, icl__g_number(pass, 0)));
}

icl_status icl__grad_broadcast_to(icl__gradient *pass, icl__node *y, icl__node *gy) {
  return icl__give(pass, y, 0, gy);
}

icl_status icl__grad_sum_to(icl__gradient *pass, icl__node *y, icl__node *gy) {
  return icl__give(pass, y, 0, icl__g_broadcast(pass, gy, y->in[0]->rank, y->in[0]->shape));
}
