/* shape.c - the same elements in another arrangement: reshape, permute, pad, concat, narrow. */
#include "ops/families.h"

/* ---- reshape ---- */

/* Finds the size that is -1, if there is one; `open` is its axis, or -1. */
static icl_status find_open_axis(const icl__node *node, int *open) {
  const int32_t *shape;
  int rank = icl__list(&node->attr, TARGET_SHAPE, &shape);
  *open = -1;
  for (int axis = 0; axis < rank; axis++) {
    if (shape[axis] < -1 || (shape[axis] == -1 && *open >= 0))
      return icl__value_error(node, "sizes must be at least 0, and one of them may be -1");
    if (shape[axis] == -1)
      *open = axis;
  }
  return ICL_OK;
}

/* Replaces a size of -1 by what is left of the elements of x. */
static icl_status settle_shape(icl__node *node) {
  const icl__node *x = node->in[0];
  int32_t *shape = &node->attr.i[TARGET_SHAPE + 1];
  int rank = node->attr.i[TARGET_SHAPE], open;
  int64_t count = icl__node_count(x);
  ICL__TRY(find_open_axis(node, &open));
  if (open >= 0) {
    shape[open] = 1;
    int64_t others = icl__bounded_count(rank, shape);
    if (others == 0 || count % others || count / others > INT32_MAX)
      return icl__shape_error(node, "no size for the -1 makes %lld elements out of %lld", (long long)count,
                              (long long)others);
    shape[open] = (int32_t)(count / others);
  }
  if (icl__bounded_count(rank, shape) == count)
    return ICL_OK;
  char text[ICL__SHAPE_TEXT];
  return icl__shape_error(node, "x has %lld elements, which do not fill %s", (long long)count,
                          icl__shape_text(text, (icl_dtype)x->dtype, rank, shape));
}

icl_status icl__infer_reshape(icl__node *node) {
  const int32_t *shape;
  ICL__TRY(settle_shape(node));
  int rank = icl__list(&node->attr, TARGET_SHAPE, &shape);
  return icl__set_shape(node, rank, shape, (icl_dtype)node->in[0]->dtype);
}

void icl__batch_reshape(const icl__facts *facts, icl__batch_rule *rule) {
  const struct icl__operand *x = &facts->in[0];
  if (facts->rank > 0 && x->rank > 0 && facts->shape[0] == x->shape[0])
    icl__rule_map(rule, 1, false);
  else
    icl__rule_global(rule);
}

icl_status icl__grad_reshape(icl__gradient *pass, icl__node *y, icl__node *gy) {
  return icl__give(pass, y, 0, icl__g_reshape(pass, gy, y->in[0]->rank, y->in[0]->shape));
}

/* ---- permute ---- */

icl_status icl__infer_permute(icl__node *node) {
  const icl__node *x = node->in[0];
  const int32_t *dims;
  int32_t shape[ICL_MAX_RANK];
  bool used[ICL_MAX_RANK] = {false};
  int length = icl__list(&node->attr, PERMUTE_DIMS, &dims);
  if (length != x->rank)
    return icl__value_error(node, "dims must name each of the %d axes of x once, not %d", x->rank, length);
  for (int axis = 0; axis < length; axis++) {
    ICL__TRY(icl__expect_axis(node, PERMUTE_DIMS + 1 + axis, x->rank));
    if (used[dims[axis]])
      return icl__value_error(node, "axis %d is named twice", (int)dims[axis]);
    used[dims[axis]] = true;
    shape[axis] = x->shape[dims[axis]];
  }
  return icl__set_shape(node, length, shape, (icl_dtype)x->dtype);
}

void icl__batch_permute(const icl__facts *facts, icl__batch_rule *rule) {
  const int32_t *dims;
  if (icl__list(facts->attr, PERMUTE_DIMS, &dims) > 0 && dims[0] == 0)
    icl__rule_map(rule, 1, false);
  else
    icl__rule_global(rule);
}

icl_status icl__grad_permute(icl__gradient *pass, icl__node *y, icl__node *gy) {
  const int32_t *dims;
  int32_t inverse[ICL_MAX_RANK];
  int length = icl__list(&y->attr, PERMUTE_DIMS, &dims);
  for (int axis = 0; axis < length; axis++)
    inverse[dims[axis]] = axis;
  icl_attributes attr = {0};
  icl__set_list(&attr, PERMUTE_DIMS, length, inverse);
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_permute, 1, &gy, &attr));
}

/* ---- narrow ---- */

/* x and first; sets dim to count from 0 */
static icl_status check_narrow(icl__node *node) {
  ICL__TRY(icl__expect_axis(node, NARROW_DIM, node->in[0]->rank));
  ICL__TRY(icl__expect_dtype(node, 1, ICL_I64, "first"));
  return icl__expect_one(node, 1, "first");
}

icl_status icl__infer_narrow(icl__node *node) {
  ICL__TRY(check_narrow(node));
  int32_t dim = node->attr.i[NARROW_DIM], length = node->attr.i[NARROW_LENGTH], size = node->in[0]->shape[dim];
  if (length < 0 || length > size)
    return icl__value_error(node, "length must be from 0 to %d, the size of axis %d, not %d", (int)size, (int)dim,
                            (int)length);
  return icl__set_size(node, dim, length, (icl_dtype)node->in[0]->dtype);
}

icl_status icl__infer_narrow_grad(icl__node *node) {
  ICL__TRY(check_narrow(node));
  int32_t dim = node->attr.i[NARROW_DIM], size = node->attr.i[NARROW_SIZE], length = node->in[0]->shape[dim];
  if (size < length)
    return icl__value_error(node, "size must be at least %d, the size of g along axis %d, not %d", (int)length,
                            (int)dim, (int)size);
  return icl__set_size(node, dim, size, (icl_dtype)node->in[0]->dtype);
}

void icl__batch_narrow(const icl__facts *facts, icl__batch_rule *rule) {
  if (facts->attr->i[NARROW_DIM] == 0)
    icl__rule_global(rule);
  else
    icl__rule_map(rule, 1, false);
}

static icl__node *narrow(icl__gradient *pass, int op, icl__node *x, icl__node *first, int dim, int32_t size) {
  icl_attributes attr = {.i = {[NARROW_DIM] = dim, [NARROW_LENGTH] = size}};
  return icl__g(pass, op, 2, (icl__node *[]){x, first}, &attr);
}

icl_status icl__grad_narrow(icl__gradient *pass, icl__node *y, icl__node *gy) {
  int dim = y->attr.i[NARROW_DIM];
  return icl__give(pass, y, 0, narrow(pass, ICL__OP_narrow_grad, gy, y->in[1], dim, y->in[0]->shape[dim]));
}

icl_status icl__grad_narrow_grad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  int dim = y->attr.i[NARROW_DIM];
  return icl__give(pass, y, 0, narrow(pass, ICL__OP_narrow, gy, y->in[1], dim, y->in[0]->shape[dim]));
}

/* ---- concat_part ---- */

icl_status icl__infer_concat_part(icl__node *node) {
  ICL__TRY(icl__expect_axis(node, PART_DIM, node->in[0]->rank));
  int32_t dim = node->attr.i[PART_DIM], first = node->attr.i[PART_FIRST], length = node->attr.i[PART_LENGTH];
  int32_t size = node->in[0]->shape[dim];
  if (first < 0 || length < 0 || first > size - length)
    return icl__value_error(node, "positions %d to %d do not lie within axis %d of size %d", (int)first,
                            (int)(first + length - 1), (int)dim, (int)size);
  return icl__set_size(node, dim, length, (icl_dtype)node->in[0]->dtype);
}

static icl__node *part(icl__gradient *pass, icl__node *x, int dim, int32_t first, int32_t length) {
  icl_attributes attr = {.i = {[PART_DIM] = dim, [PART_FIRST] = first, [PART_LENGTH] = length}};
  return icl__g(pass, ICL__OP_concat_part, 1, &x, &attr);
}

icl_status icl__grad_concat_part(icl__gradient *pass, icl__node *y, icl__node *gy) {
  const icl__node *x = y->in[0];
  int dim = y->attr.i[PART_DIM];
  int32_t low[ICL_MAX_RANK] = {0}, high[ICL_MAX_RANK] = {0};
  low[dim] = y->attr.i[PART_FIRST];
  high[dim] = x->shape[dim] - low[dim] - y->attr.i[PART_LENGTH];
  icl_attributes attr = {0};
  icl__set_list(&attr, PAD_LOW, x->rank, low);
  icl__set_list(&attr, PAD_HIGH, x->rank, high);
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_pad, 1, &gy, &attr));
}

/* ---- pad ---- */

icl_status icl__infer_pad(icl__node *node) {
  const icl__node *x = node->in[0];
  const int32_t *low, *high;
  int32_t shape[ICL_MAX_RANK];
  if (icl__list(&node->attr, PAD_LOW, &low) != x->rank || icl__list(&node->attr, PAD_HIGH, &high) != x->rank)
    return icl__value_error(node, "low and high must have %d sizes, one for each axis of x", x->rank);
  for (int axis = 0; axis < x->rank; axis++) {
    int64_t size = (int64_t)x->shape[axis] + low[axis] + high[axis];
    if (low[axis] < 0 || high[axis] < 0)
      return icl__value_error(node, "padding of axis %d must be at least 0, not %d and %d; narrow() cuts", axis,
                              (int)low[axis], (int)high[axis]);
    if (size > INT32_MAX)
      return icl__shape_error(node, "axis %d would have %lld elements", axis, (long long)size);
    shape[axis] = (int32_t)size;
  }
  return icl__set_shape(node, x->rank, shape, (icl_dtype)x->dtype);
}

void icl__batch_pad(const icl__facts *facts, icl__batch_rule *rule) {
  if (facts->rank == 0 || facts->attr->i[PAD_LOW + 1] || facts->attr->i[PAD_HIGH + 1])
    icl__rule_global(rule);
  else
    icl__rule_map(rule, 1, false);
}

/* What lies between the padding, axis by axis. */
icl_status icl__grad_pad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  const icl__node *x = y->in[0];
  const int32_t *low;
  icl__list(&y->attr, PAD_LOW, &low);
  for (int axis = 0; axis < x->rank; axis++)
    if (x->shape[axis] != y->shape[axis])
      gy = part(pass, gy, axis, low[axis], x->shape[axis]);
  return icl__give(pass, y, 0, gy);
}

/* ---- concat ---- */

static icl_status check_part(const icl__node *node, int i, int dim) {
  const icl__node *first = node->in[0], *part = node->in[i];
  bool fits = part->rank == first->rank;
  for (int axis = 0; fits && axis < first->rank; axis++)
    fits = axis == dim || part->shape[axis] == first->shape[axis];
  if (!fits)
    return icl__shape_error(node, "input %d must be like the first but for axis %d", i + 1, dim);
  return icl__expect_dtype(node, i, (icl_dtype)first->dtype, "every input, like the first,");
}

icl_status icl__infer_concat(icl__node *node) {
  ICL__TRY(icl__expect_axis(node, CONCAT_DIM, node->in[0]->rank));
  int dim = node->attr.i[CONCAT_DIM];
  int64_t size = 0;
  for (int i = 0; i < node->inputs; i++) {
    ICL__TRY(check_part(node, i, dim));
    size += node->in[i]->shape[dim];
  }
  if (size > INT32_MAX)
    return icl__shape_error(node, "axis %d would have %lld elements", dim, (long long)size);
  return icl__set_size(node, dim, (int32_t)size, (icl_dtype)node->in[0]->dtype);
}

void icl__batch_concat(const icl__facts *facts, icl__batch_rule *rule) {
  if (facts->attr->i[CONCAT_DIM] == 0)
    icl__rule_global(rule);
  else
    icl__rule_map(rule, (1u << facts->inputs) - 1, false);
}

icl_status icl__grad_concat(icl__gradient *pass, icl__node *y, icl__node *gy) {
  int dim = y->attr.i[CONCAT_DIM];
  int32_t first = 0;
  for (int i = 0; i < y->inputs; i++) {
    int32_t length = y->in[i]->shape[dim];
    if (icl__wants(y, i))
      ICL__TRY(icl__give(pass, y, i, part(pass, gy, dim, first, length)));
    first += length;
  }
  return ICL_OK;
}
