/* conv.c - convolution and its two gradients.
 *
 * The three ops are the derivatives of one form, sum over g * conv2d(x, w), by g, by x and by w. So the gradient of one
 * op by an operand is the op of that operand, with the incoming gradient in the place of the result. */
#include "ops/families.h"

#include <string.h>

/* Shapes: x (n, h, w, i), w (kh, kw, i / groups, o), g (n, h', w', o). */
typedef struct {
  int32_t x[4], w[4], g[4];
} conv_form;

static void take(int32_t shape[4], const icl__node *node) { memcpy(shape, node->shape, 4 * sizeof *shape); }

static icl_status expect_image(const icl__node *node, int i, const char *name) {
  ICL__TRY(icl__expect_float(node, i, name));
  return icl__expect_rank(node, i, 4, name, "(n, h, w, c)");
}

static icl_status expect_weight(const icl__node *node) {
  icl_dtype image = (icl_dtype)node->in[0]->dtype, weight = (icl_dtype)node->in[1]->dtype;
  ICL__TRY(icl__expect_rank(node, 1, 4, "w", "(kh, kw, in / groups, out)"));
  if (weight == ICL_F32 || (weight == ICL_F64 && image == ICL_F64))
    return ICL_OK;
  return icl__dtype_error(node, "w must be f32%s, not %s; cast it first", image == ICL_F64 ? " or f64" : "",
                          icl_dtype_name(weight));
}

static icl_status check_groups(const icl__node *node, int32_t outputs) {
  int32_t groups = node->attr.i[CONV_GROUPS];
  if (groups < 1)
    return icl__value_error(node, "groups must be at least 1, not %d", (int)groups);
  if (outputs % groups)
    return icl__shape_error(node, "%d output channels cannot be cut into %d groups", (int)outputs, (int)groups);
  return ICL_OK;
}

/* The size of the output from those of image and kernel. */
static icl_status output_size(const icl__node *node, const conv_form *form, int32_t size[2]) {
  const int32_t *a = node->attr.i;
  return icl__expect_window(node, &form->x[1], form->w, &a[CONV_STRIDE_H], &a[CONV_PADDING_H], size);
}

/* g has the size that conv2d gives. */
static icl_status check_output(const icl__node *node, const conv_form *form) {
  int32_t size[2];
  ICL__TRY(output_size(node, form, size));
  if (size[0] == form->g[1] && size[1] == form->g[2])
    return ICL_OK;
  return icl__shape_error(node, "g is %d x %d pixels, but conv2d of %d x %d pixels gives %d x %d", (int)form->g[1],
                          (int)form->g[2], (int)form->x[1], (int)form->x[2], (int)size[0], (int)size[1]);
}

icl_status icl__infer_conv2d(icl__node *node) {
  conv_form form;
  ICL__TRY(expect_image(node, 0, "x"));
  ICL__TRY(expect_weight(node));
  take(form.x, node->in[0]);
  take(form.w, node->in[1]);
  ICL__TRY(check_groups(node, form.w[3]));
  int64_t channels = (int64_t)form.w[2] * node->attr.i[CONV_GROUPS];
  if (form.x[3] != channels)
    return icl__shape_error(node, "x has %d channels, but w takes %lld; w is (kh, kw, in / groups, out)",
                            (int)form.x[3], (long long)channels);
  form.g[0] = form.x[0];
  form.g[3] = form.w[3];
  ICL__TRY(output_size(node, &form, &form.g[1]));
  return icl__set_shape(node, 4, form.g, (icl_dtype)node->in[0]->dtype);
}

icl_status icl__infer_conv2d_input_grad(icl__node *node) {
  conv_form form;
  ICL__TRY(expect_image(node, 0, "g"));
  ICL__TRY(expect_weight(node));
  take(form.g, node->in[0]);
  take(form.w, node->in[1]);
  ICL__TRY(check_groups(node, form.w[3]));
  if (form.g[3] != form.w[3])
    return icl__shape_error(node, "g has %d channels, but w gives %d; w is (kh, kw, in / groups, out)", (int)form.g[3],
                            (int)form.w[3]);
  int64_t channels = (int64_t)form.w[2] * node->attr.i[CONV_GROUPS];
  if (channels > INT32_MAX)
    return icl__shape_error(node, "%d groups of %d channels are too many", (int)node->attr.i[CONV_GROUPS],
                            (int)form.w[2]);
  form.x[0] = form.g[0];
  form.x[1] = node->attr.i[CONV_SIZE_H];
  form.x[2] = node->attr.i[CONV_SIZE_W];
  form.x[3] = (int32_t)channels;
  ICL__TRY(check_output(node, &form));
  return icl__set_shape(node, 4, form.x, (icl_dtype)node->in[0]->dtype);
}

icl_status icl__infer_conv2d_weight_grad(icl__node *node) {
  conv_form form;
  int32_t groups = node->attr.i[CONV_GROUPS];
  ICL__TRY(expect_image(node, 0, "x"));
  ICL__TRY(expect_image(node, 1, "g"));
  ICL__TRY(icl__expect_dtype(node, 1, (icl_dtype)node->in[0]->dtype, "g, like x,"));
  take(form.x, node->in[0]);
  take(form.g, node->in[1]);
  ICL__TRY(check_groups(node, form.g[3]));
  if (form.x[3] % groups)
    return icl__shape_error(node, "%d input channels cannot be cut into %d groups", (int)form.x[3], (int)groups);
  if (form.x[0] != form.g[0])
    return icl__shape_error(node, "x has %d images, but g has %d", (int)form.x[0], (int)form.g[0]);
  form.w[0] = node->attr.i[CONV_KERNEL_H];
  form.w[1] = node->attr.i[CONV_KERNEL_W];
  form.w[2] = form.x[3] / groups;
  form.w[3] = form.g[3];
  ICL__TRY(check_output(node, &form));
  return icl__set_shape(node, 4, form.w, icl__wide_dtype(node));
}

/* ---- batch rules ---- */

void icl__batch_conv2d(const icl__facts *facts, icl__batch_rule *rule) {
  (void)facts;
  icl__rule_map(rule, 1, true);
}

void icl__batch_conv2d_weight_grad(const icl__facts *facts, icl__batch_rule *rule) {
  (void)facts;
  icl__rule_reduce(rule, 3, true);
}

/* ---- gradients ---- */

/* The ops of the form with the attributes of y; sizes come from `like`, the operand whose place the result takes. */
static icl__node *by_g(icl__gradient *pass, const icl__node *y, icl__node *x, icl__node *w) {
  return icl__g(pass, ICL__OP_conv2d, 2, (icl__node *[]){x, w}, &y->attr);
}

static icl__node *by_x(icl__gradient *pass, const icl__node *y, icl__node *g, icl__node *w, const icl__node *like) {
  icl_attributes attr = y->attr;
  attr.i[CONV_SIZE_H] = like->shape[1];
  attr.i[CONV_SIZE_W] = like->shape[2];
  return icl__g(pass, ICL__OP_conv2d_input_grad, 2, (icl__node *[]){g, w}, &attr);
}

static icl__node *by_w(icl__gradient *pass, const icl__node *y, icl__node *x, icl__node *g, const icl__node *like) {
  icl_attributes attr = y->attr;
  attr.i[CONV_KERNEL_H] = like->shape[0];
  attr.i[CONV_KERNEL_W] = like->shape[1];
  return icl__g(pass, ICL__OP_conv2d_weight_grad, 2, (icl__node *[]){x, g}, &attr);
}

/* The weight gradient comes first: it reads g while g is fresh, and the input gradient may take over the storage of g.
 */
icl_status icl__grad_conv2d(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *x = y->in[0], *w = y->in[1];
  if (icl__wants(y, 1))
    ICL__TRY(icl__give(pass, y, 1, by_w(pass, y, x, gy, w)));
  if (icl__wants(y, 0))
    ICL__TRY(icl__give(pass, y, 0, by_x(pass, y, gy, w, x)));
  return ICL_OK;
}

icl_status icl__grad_conv2d_input_grad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *g = y->in[0], *w = y->in[1];
  if (icl__wants(y, 1))
    ICL__TRY(icl__give(pass, y, 1, by_w(pass, y, gy, g, w)));
  if (icl__wants(y, 0))
    ICL__TRY(icl__give(pass, y, 0, by_g(pass, y, gy, w)));
  return ICL_OK;
}

icl_status icl__grad_conv2d_weight_grad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *x = y->in[0], *g = y->in[1];
  if (icl__wants(y, 0))
    ICL__TRY(icl__give(pass, y, 0, by_x(pass, y, g, gy, x)));
  if (icl__wants(y, 1))
    ICL__TRY(icl__give(pass, y, 1, by_g(pass, y, x, gy)));
  return ICL_OK;
}
