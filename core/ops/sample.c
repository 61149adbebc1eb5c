/* sample.c - what is done to the images of a u8 data set on their way into a network: crop, flip, adjust,
 * warp, normalise. */
#include "ops/families.h"
#include "ops/picture.h"

/* x (n, h, w, c) and, in input 1, something for each image */
static icl_status expect_images(const icl__node *node, const char *name, const char *form, int rank) {
  ICL__TRY(icl__expect_rank(node, 0, 4, "x", "(n, h, w, c)"));
  ICL__TRY(icl__expect_rank(node, 1, rank, name, form));
  if (node->in[0]->shape[0] == node->in[1]->shape[0])
    return ICL_OK;
  return icl__shape_error(node, "there are %d images, but %s is for %d", (int)node->in[0]->shape[0], name,
                          (int)node->in[1]->shape[0]);
}

static icl_status expect_fill(const icl__node *node, int32_t fill) {
  if (fill >= 0 && fill <= 255)
    return ICL_OK;
  return icl__value_error(node, "fill must be a byte, from 0 to 255, not %d", (int)fill);
}

icl_status icl__infer_crop(icl__node *node) {
  const icl__node *x = node->in[0], *offset = node->in[1];
  const int32_t *size = &node->attr.i[CROP_SIZE_H], *padding = &node->attr.i[CROP_PADDING_H];
  ICL__TRY(icl__expect_dtype(node, 0, ICL_U8, "x"));
  ICL__TRY(icl__expect_dtype(node, 1, ICL_I64, "offset"));
  ICL__TRY(expect_images(node, "offset", "(n, 2): top and left", 2));
  if (offset->shape[1] != 2)
    return icl__shape_error(node, "offset must be (n, 2): top and left");
  ICL__TRY(expect_fill(node, node->attr.i[CROP_FILL]));
  for (int axis = 0; axis < 2; axis++) {
    int64_t padded = x->shape[1 + axis] + 2 * (int64_t)padding[axis];
    if (padding[axis] < 0 || padded > INT32_MAX)
      return icl__value_error(node, "padding must be at least 0 and below 2^30, not (%d, %d)", (int)padding[0],
                              (int)padding[1]);
    if (size[axis] < 1 || size[axis] > padded)
      return icl__value_error(node, "size (%d, %d) must be at least 1 and within the padded image", (int)size[0],
                              (int)size[1]);
  }
  int32_t shape[] = {x->shape[0], size[0], size[1], x->shape[3]};
  return icl__set_shape(node, 4, shape, ICL_U8);
}

icl_status icl__infer_flip(icl__node *node) {
  const icl__node *x = node->in[0];
  ICL__TRY(icl__expect_dtype(node, 1, ICL_BOOL, "which"));
  ICL__TRY(expect_images(node, "which", "(n)", 1));
  return icl__set_shape(node, 4, x->shape, (icl_dtype)x->dtype);
}

icl_status icl__infer_adjust(icl__node *node) {
  const icl__node *x = node->in[0], *kind = node->in[2];
  ICL__TRY(icl__expect_dtype(node, 0, ICL_U8, "x"));
  ICL__TRY(icl__expect_dtype(node, 1, ICL_F64, "amount"));
  ICL__TRY(expect_images(node, "amount", "(n)", 1));
  ICL__TRY(icl__expect_indices(node, ICL__ADJUSTMENT_COUNT, "kind"));
  if (!icl__same_shape(kind, node->in[1]))
    return icl__shape_error(node, "kind must be (n), one for each image");
  if (x->shape[3] != 1 && x->shape[3] != ICL__RGB)
    return icl__shape_error(node, "x must have 1 or 3 channels, not %d", (int)x->shape[3]);
  return icl__set_shape(node, 4, x->shape, ICL_U8);
}

icl_status icl__infer_warp(icl__node *node) {
  const icl__node *x = node->in[0];
  ICL__TRY(icl__expect_dtype(node, 0, ICL_U8, "x"));
  ICL__TRY(icl__expect_dtype(node, 1, ICL_F32, "coefficients"));
  ICL__TRY(expect_images(node, "coefficients", "(n, 8)", 2));
  if (node->in[1]->shape[1] != 8)
    return icl__shape_error(node, "coefficients must be (n, 8)");
  ICL__TRY(expect_fill(node, node->attr.i[WARP_FILL]));
  return icl__set_shape(node, 4, x->shape, ICL_U8);
}

icl_status icl__infer_normalize(icl__node *node) {
  const icl__node *x = node->in[0];
  icl_dtype dtype = (icl_dtype)node->attr.i[NORMALIZE_DTYPE];
  ICL__TRY(icl__expect_dtype(node, 0, ICL_U8, "x"));
  if (x->rank < 2)
    return icl__shape_error(node, "x must be (..., channels), with at least two axes");
  if (!icl__is_float(dtype))
    return icl__value_error(node, "dtype must be a floating-point dtype, not %s", icl_dtype_name(dtype));
  ICL__TRY(icl__expect_dtype(node, 1, ICL_F64, "mean"));
  ICL__TRY(icl__expect_channels(node, 1, x->shape[x->rank - 1], "mean"));
  ICL__TRY(icl__expect_dtype(node, 2, ICL_F64, "std"));
  ICL__TRY(icl__expect_channels(node, 2, x->shape[x->rank - 1], "std"));
  return icl__set_shape(node, x->rank, x->shape, dtype);
}

void icl__batch_normalize(const icl__facts *facts, icl__batch_rule *rule) {
  (void)facts;
  icl__rule_map(rule, 1, true);
}

icl_status icl__grad_flip(icl__gradient *pass, icl__node *y, icl__node *gy) {
  return icl__give(pass, y, 0, icl__g2(pass, ICL__OP_flip, gy, y->in[1]));
}
