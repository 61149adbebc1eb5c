/* common.c - what the op families share: messages, dtype promotion and checks. */
#include "ops/families.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- messages ---- */

/* " (inputs: f32 (2, 8, 8, 3), a number)" */
static void describe_inputs(const icl__node *node, char *text, size_t size) {
  char shape[ICL__SHAPE_TEXT];
  size_t used = 0;
  text[0] = '\0';
  for (int i = 0; i < node->inputs && used < size; i++) {
    const icl__node *in = node->in[i];
    const char *what = in->number ? "a number" : icl__shape_text(shape, in->dtype, in->rank, in->shape);
    const char *before = i > 0 ? ", " : node->inputs > 1 ? " (inputs: " : " (input: ";
    used += (size_t)snprintf(text + used, size - used, "%s%s%s", before, what, i + 1 == node->inputs ? ")" : "");
  }
}

static icl_status fail_with_inputs(icl_status status, const icl__node *node, const char *format, va_list arguments) {
  char text[400], inputs[540];
  vsnprintf(text, sizeof text, format, arguments);
  describe_inputs(node, inputs, sizeof inputs);
  return icl__fail(status, "%s: %s%s", icl__op(node->op)->name, text, inputs);
}

#define ERROR_FUNCTION(name, status)                                                                                   \
  icl_status name(const icl__node *node, const char *format, ...) {                                                    \
    va_list arguments;                                                                                                 \
    va_start(arguments, format);                                                                                       \
    icl_status result = fail_with_inputs(status, node, format, arguments);                                             \
    va_end(arguments);                                                                                                 \
    return result;                                                                                                     \
  }
ERROR_FUNCTION(icl__shape_error, ICL_ESHAPE)
ERROR_FUNCTION(icl__dtype_error, ICL_EDTYPE)
ERROR_FUNCTION(icl__value_error, ICL_EINVAL)

/* ---- shapes ---- */

icl_status icl__set_shape(icl__node *node, int rank, const int32_t *shape, icl_dtype dtype) {
  char text[ICL__SHAPE_TEXT];
  for (int i = 0; i < rank; i++)
    if (shape[i] < 0)
      return icl__shape_error(node, "the result would be %s, and a size cannot be below 0",
                              icl__shape_text(text, dtype, rank, shape));
  if (icl__bounded_count(rank, shape) > ICL__MAX_COUNT)
    return icl__shape_error(node, "the result would be %s, more than 2^40 elements; make it smaller",
                            icl__shape_text(text, dtype, rank, shape));
  node->rank = (uint8_t)rank;
  if (rank > 0)
    memmove(node->shape, shape, (size_t)rank * sizeof *shape);
  node->dtype = (uint8_t)dtype;
  return ICL_OK;
}

icl_status icl__set_size(icl__node *node, int dim, int32_t size, icl_dtype dtype) {
  const icl__node *x = node->in[0];
  int32_t shape[ICL_MAX_RANK];
  for (int axis = 0; axis < x->rank; axis++)
    shape[axis] = axis == dim ? size : x->shape[axis];
  return icl__set_shape(node, x->rank, shape, dtype);
}

/* ---- dtypes ---- */

icl_dtype icl__wide_dtype(const icl__node *node) {
  for (int i = 0; i < node->inputs; i++)
    if (node->in[i]->dtype == ICL_F64 && !node->in[i]->number)
      return ICL_F64;
  return ICL_F32;
}

icl_dtype icl__sum_dtype(icl_dtype dtype) {
  if (dtype == ICL_F32 || dtype == ICL_F64)
    return dtype;
  return icl__is_float(dtype) ? ICL_F32 : ICL_I64;
}

static bool is_fraction(double value) { return !isfinite(value) || value != floor(value); }

static icl_dtype promote_two(icl_dtype a, icl_dtype b) {
  static const int8_t level[ICL_DTYPE_COUNT] = {[ICL_BOOL] = 0, [ICL_U8] = 1,  [ICL_I32] = 2, [ICL_I64] = 3,
                                                [ICL_BF16] = 4, [ICL_F16] = 4, [ICL_F32] = 5, [ICL_F64] = 6};
  if (a != b && level[a] == level[b])
    return ICL_F32;
  return level[a] > level[b] ? a : b;
}

icl_dtype icl__promote(const icl__node *node, int first_input) {
  icl_dtype dtype = ICL_BOOL;
  bool numbers = false, fractions = false, others = false;
  for (int i = first_input; i < node->inputs; i++) {
    const icl__node *in = node->in[i];
    if (in->number) {
      numbers = true;
      fractions = fractions || is_fraction(icl__number_value(in));
      continue;
    }
    dtype = promote_two(dtype, in->dtype);
    others = true;
  }
  if (!others)
    return ICL_F32;
  if (icl__is_float(dtype))
    return dtype;
  if (fractions)
    return ICL_F32;
  return numbers && dtype == ICL_BOOL ? ICL_I64 : dtype;
}

/* ---- checks ---- */

icl_status icl__expect_rank(const icl__node *node, int i, int rank, const char *name, const char *form) {
  if (node->in[i]->rank == rank)
    return ICL_OK;
  return icl__shape_error(node, "%s must be %s, not of rank %d", name, form, node->in[i]->rank);
}

icl_status icl__expect_float(const icl__node *node, int i, const char *name) {
  icl_dtype dtype = node->in[i]->dtype;
  if (icl__is_float(dtype))
    return ICL_OK;
  return icl__dtype_error(node, "%s must be of a floating-point dtype, not %s; cast it first", name,
                          icl_dtype_name(dtype));
}

icl_status icl__expect_dtype(const icl__node *node, int i, icl_dtype dtype, const char *name) {
  if (node->in[i]->dtype == dtype)
    return ICL_OK;
  return icl__dtype_error(node, "%s must be %s, not %s; cast it first", name, icl_dtype_name(dtype),
                          icl_dtype_name(node->in[i]->dtype));
}

icl_status icl__expect_wide(const icl__node *node, int i, const char *name) {
  icl_dtype dtype = node->in[i]->dtype;
  if (dtype == ICL_F32 || dtype == ICL_F64)
    return ICL_OK;
  return icl__dtype_error(node, "%s must be f32 or f64, not %s; cast it first", name, icl_dtype_name(dtype));
}

icl_status icl__expect_one(const icl__node *node, int i, const char *name) {
  if (icl__node_count(node->in[i]) == 1)
    return ICL_OK;
  return icl__shape_error(node, "%s must be one element", name);
}

icl_status icl__expect_channels(const icl__node *node, int i, int32_t channels, const char *name) {
  if (icl__shape_is(node->in[i], 1, &channels))
    return ICL_OK;
  return icl__shape_error(node, "%s must be (%d), one value a channel", name, (int)channels);
}

icl_status icl__expect_axis(icl__node *node, int slot, int rank) {
  int32_t axis = node->attr.i[slot];
  if (rank == 0)
    return icl__value_error(node, "there is no axis %d: x is a scalar", (int)axis);
  if (axis < -rank || axis >= rank)
    return icl__value_error(node, "there is no axis %d; axes go from %d to %d", (int)axis, -rank, rank - 1);
  if (axis < 0)
    node->attr.i[slot] = axis + rank;
  return ICL_OK;
}

static icl_status expect_pair(const icl__node *node, const int32_t pair[2], int32_t least, const char *name) {
  if (pair[0] >= least && pair[1] >= least)
    return ICL_OK;
  return icl__value_error(node, "%s must be at least %d, not (%d, %d)", name, (int)least, (int)pair[0], (int)pair[1]);
}

icl_status icl__expect_window(const icl__node *node, const int32_t size[2], const int32_t kernel[2],
                              const int32_t stride[2], const int32_t padding[2], int32_t windows[2]) {
  ICL__TRY(expect_pair(node, stride, 1, "stride"));
  ICL__TRY(expect_pair(node, padding, 0, "padding"));
  ICL__TRY(expect_pair(node, kernel, 1, "the kernel's size"));
  for (int axis = 0; axis < 2; axis++) {
    int64_t padded = size[axis] + 2 * (int64_t)padding[axis];
    if (padded > INT32_MAX)
      return icl__value_error(node, "padding %d makes the image too large", (int)padding[axis]);
    if (padded < kernel[axis])
      return icl__shape_error(node, "the kernel is %d x %d, larger than an image of %d x %d with its padding of %d, %d",
                              (int)kernel[0], (int)kernel[1], (int)size[0], (int)size[1], (int)padding[0],
                              (int)padding[1]);
    windows[axis] = (int32_t)((padded - kernel[axis]) / stride[axis] + 1);
  }
  return ICL_OK;
}

icl_status icl__expect_indices(icl__node *node, int32_t limit, const char *name) {
  node->index_limit = limit;
  return icl__expect_dtype(node, node->inputs - 1, ICL_I64, name);
}

icl_status icl__check_indices(const icl__node *node, const int64_t *index) {
  for (int64_t k = 0, count = icl__node_count(node->in[node->inputs - 1]); k < count; k++)
    if (index[k] < 0 || index[k] >= node->index_limit)
      return icl__value_error(node, "index %lld at position %lld must be from 0 to %d", (long long)index[k],
                              (long long)k, (int)node->index_limit - 1);
  return ICL_OK;
}
