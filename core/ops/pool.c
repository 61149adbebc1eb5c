/* pool.c - max, average and global average pooling of NHWC images. */
#include "ops/families.h"

static icl_status expect_image(const icl__node *node, int i, const char *name) {
  ICL__TRY(icl__expect_float(node, i, name));
  return icl__expect_rank(node, i, 4, name, "(n, h, w, c)");
}

/* How many windows an image of `size` has. A window always holds a pixel that is not padding. */
static icl_status count_windows(const icl__node *node, const int32_t size[2], int32_t windows[2]) {
  const int32_t *kernel = &node->attr.i[POOL_KERNEL_H], *padding = &node->attr.i[POOL_PADDING_H];
  if (!size[0] || !size[1])
    return icl__shape_error(node, "images of %d x %d pixels have none to pool", (int)size[0], (int)size[1]);
  ICL__TRY(icl__expect_window(node, size, kernel, &node->attr.i[POOL_STRIDE_H], padding, windows));
  for (int axis = 0; axis < 2; axis++)
    if (2 * (int64_t)padding[axis] > kernel[axis])
      return icl__value_error(node, "padding (%d, %d) must be at most half of the kernel's size (%d, %d)",
                              (int)padding[0], (int)padding[1], (int)kernel[0], (int)kernel[1]);
  return ICL_OK;
}

/* Positions within a window are kept as u8. */
static icl_status check_positions(const icl__node *node) {
  const int32_t *kernel = &node->attr.i[POOL_KERNEL_H];
  if ((int64_t)kernel[0] * kernel[1] <= 256)
    return ICL_OK;
  return icl__value_error(node, "a window of %d x %d has more than 256 pixels; take max over axes instead",
                          (int)kernel[0], (int)kernel[1]);
}

/* (n, h, w, c) -> (n, h', w', c) */
static icl_status infer_pooled(icl__node *node, icl_dtype dtype) {
  const icl__node *x = node->in[0];
  int32_t windows[2];
  ICL__TRY(expect_image(node, 0, "x"));
  ICL__TRY(count_windows(node, &x->shape[1], windows));
  if (node->op != ICL__OP_avg_pool2d)
    ICL__TRY(check_positions(node));
  int32_t shape[] = {x->shape[0], windows[0], windows[1], x->shape[3]};
  return icl__set_shape(node, 4, shape, dtype);
}

icl_status icl__infer_pool2d(icl__node *node) { return infer_pooled(node, (icl_dtype)node->in[0]->dtype); }

icl_status icl__infer_pool2d_positions(icl__node *node) { return infer_pooled(node, ICL_U8); }

/* Positions (n, h', w', c) of the result, or of g. */
static icl_status expect_positions(const icl__node *node, const int32_t shape[4]) {
  ICL__TRY(icl__expect_dtype(node, 1, ICL_U8, "positions"));
  if (icl__shape_is(node->in[1], 4, shape))
    return ICL_OK;
  return icl__shape_error(node, "positions must be (%d, %d, %d, %d), one for each window", (int)shape[0], (int)shape[1],
                          (int)shape[2], (int)shape[3]);
}

icl_status icl__infer_pool2d_pick(icl__node *node) {
  ICL__TRY(infer_pooled(node, (icl_dtype)node->in[0]->dtype));
  return expect_positions(node, node->shape);
}

/* g (n, h', w', c) -> (n, h, w, c) */
icl_status icl__infer_pool2d_grad(icl__node *node) {
  const icl__node *g = node->in[0];
  const int32_t *size = &node->attr.i[POOL_SIZE_H];
  int32_t windows[2];
  ICL__TRY(expect_image(node, 0, "g"));
  ICL__TRY(count_windows(node, size, windows));
  if (windows[0] != g->shape[1] || windows[1] != g->shape[2])
    return icl__shape_error(node, "g is %d x %d pixels, but an image of %d x %d has %d x %d windows", (int)g->shape[1],
                            (int)g->shape[2], (int)size[0], (int)size[1], (int)windows[0], (int)windows[1]);
  if (node->op == ICL__OP_max_pool2d_grad)
    ICL__TRY(expect_positions(node, g->shape));
  int32_t shape[] = {g->shape[0], size[0], size[1], g->shape[3]};
  return icl__set_shape(node, 4, shape, (icl_dtype)g->dtype);
}

icl_status icl__infer_global_avg_pool(icl__node *node) {
  const icl__node *x = node->in[0];
  ICL__TRY(expect_image(node, 0, "x"));
  if (x->shape[1] == 0 || x->shape[2] == 0)
    return icl__shape_error(node, "images of %d x %d pixels have no mean", (int)x->shape[1], (int)x->shape[2]);
  int32_t shape[] = {x->shape[0], x->shape[3]};
  return icl__set_shape(node, 2, shape, icl__wide_dtype(node));
}

icl_status icl__infer_global_avg_pool_grad(icl__node *node) {
  const icl__node *g = node->in[0];
  const int32_t *size = &node->attr.i[GLOBAL_POOL_SIZE_H];
  ICL__TRY(icl__expect_float(node, 0, "g"));
  ICL__TRY(icl__expect_rank(node, 0, 2, "g", "(n, c)"));
  int32_t shape[] = {g->shape[0], size[0], size[1], g->shape[1]};
  return icl__set_shape(node, 4, shape, (icl_dtype)node->attr.i[GLOBAL_POOL_DTYPE]);
}

/* ---- gradients ---- */

/* The attributes of a pool and the size of its image. */
static icl_attributes with_size(const icl__node *pool, const icl__node *image) {
  icl_attributes attr = pool->attr;
  attr.i[POOL_SIZE_H] = image->shape[1];
  attr.i[POOL_SIZE_W] = image->shape[2];
  return attr;
}

icl_status icl__grad_max_pool2d(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *x = y->in[0];
  icl_attributes attr = with_size(y, x);
  icl__node *positions = icl__g(pass, ICL__OP_max_pool2d_positions, 1, &x, &attr);
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_max_pool2d_grad, 2, (icl__node *[]){gy, positions}, &attr));
}

icl_status icl__grad_max_pool2d_grad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *in[] = {gy, y->in[1]};
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_max_pool2d_pick, 2, in, &y->attr));
}

icl_status icl__grad_max_pool2d_pick(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl_attributes attr = with_size(y, y->in[0]);
  icl__node *in[] = {gy, y->in[1]};
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_max_pool2d_grad, 2, in, &attr));
}

icl_status icl__grad_avg_pool2d(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl_attributes attr = with_size(y, y->in[0]);
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_avg_pool2d_grad, 1, &gy, &attr));
}

icl_status icl__grad_avg_pool2d_grad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_avg_pool2d, 1, &gy, &y->attr));
}

icl_status icl__grad_global_avg_pool(icl__gradient *pass, icl__node *y, icl__node *gy) {
  const icl__node *x = y->in[0];
  icl_attributes attr = {0};
  attr.i[GLOBAL_POOL_SIZE_H] = x->shape[1];
  attr.i[GLOBAL_POOL_SIZE_W] = x->shape[2];
  attr.i[GLOBAL_POOL_DTYPE] = x->dtype;
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_global_avg_pool_grad, 1, &gy, &attr));
}

icl_status icl__grad_global_avg_pool_grad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  return icl__give(pass, y, 0, icl__g1(pass, ICL__OP_global_avg_pool, gy));
}
