/* conv.c - convolution and its two gradients.
 *
 * The three ops are the derivatives of one form, sum over g * conv2d(x, w), by g, by x and by w. So the gradient of one
 * op by an operand is the op of that operand, with the incoming gradient in the place of the result. */
#include "ops/families.h"

/* x (n, h, w, i), w (kh, kw, i / groups, o), g (n, h', w', o) */
typedef struct {
  int32_t images, size[2], channels;
  int32_t kernel[2], group_channels, filters;
  int32_t output_images, output[2], output_channels;
} conv_form;

static void take_x(conv_form *form, const icl__node *x) {
  form->images = x->shape[0];
  form->size[0] = x->shape[1];
  form->size[1] = x->shape[2];
  form->channels = x->shape[3];
}

static void take_w(conv_form *form, const icl__node *w) {
  form->kernel[0] = w->shape[0];
  form->kernel[1] = w->shape[1];
  form->group_channels = w->shape[2];
  form->filters = w->shape[3];
}

static void take_g(conv_form *form, const icl__node *g) {
  form->output_images = g->shape[0];
  form->output[0] = g->shape[1];
  form->output[1] = g->shape[2];
  form->output_channels = g->shape[3];
}

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

static icl_status check_groups(const icl__node *node, const conv_form *form) {
  int32_t groups = node->attr.i[CONV_GROUPS];
  if (groups < 1)
    return icl__value_error(node, "groups must be at least 1, not %d", (int)groups);
  if (form->filters % groups)
    return icl__shape_error(node, "%d output channels cannot be cut into %d groups", (int)form->filters, (int)groups);
  return ICL_OK;
}

/* The sizes of the output from those of image and kernel. */
static icl_status window(const icl__node *node, const conv_form *form, int32_t output[2]) {
  const int32_t *a = node->attr.i;
  return icl__expect_window(node, form->size, form->kernel, &a[CONV_STRIDE_H], &a[CONV_PADDING_H], output);
}

/* g has the size that conv2d gives. */
static icl_status check_output(const icl__node *node, const conv_form *form) {
  int32_t output[2];
  ICL__TRY(window(node, form, output));
  if (output[0] == form->output[0] && output[1] == form->output[1])
    return ICL_OK;
  return icl__shape_error(node, "g is %d x %d pixels, but conv2d of %d x %d pixels gives %d x %d", (int)form->output[0],
                          (int)form->output[1], (int)form->size[0], (int)form->size[1], (int)output[0], (int)output[1]);
}

icl_status icl__infer_conv2d(icl__node *node) {
  conv_form form;
  int32_t output[2];
  ICL__TRY(expect_image(node, 0, "x"));
  ICL__TRY(expect_weight(node));
  take_x(&form, node->in[0]);
  take_w(&form, node->in[1]);
  ICL__TRY(check_groups(node, &form));
  int64_t channels = (int64_t)form.group_channels * node->attr.i[CONV_GROUPS];
  if (form.channels != channels)
    return icl__shape_error(node, "x has %d channels, but w takes %lld; w is (kh, kw, in / groups, out)",
                            (int)form.channels, (long long)channels);
  ICL__TRY(window(node, &form, output));
  int32_t shape[] = {form.images, output[0], output[1], form.filters};
  return icl__set_shape(node, 4, shape, (icl_dtype)node->in[0]->dtype);
}

icl_status icl__infer_conv2d_input_grad(icl__node *node) {
  conv_form form;
  ICL__TRY(expect_image(node, 0, "g"));
  ICL__TRY(expect_weight(node));
  take_g(&form, node->in[0]);
  take_w(&form, node->in[1]);
  form.size[0] = node->attr.i[CONV_SIZE_H];
  form.size[1] = node->attr.i[CONV_SIZE_W];
  ICL__TRY(check_groups(node, &form));
  if (form.output_channels != form.filters)
    return icl__shape_error(node, "g has %d channels, but w gives %d; w is (kh, kw, in / groups, out)",
                            (int)form.output_channels, (int)form.filters);
  ICL__TRY(check_output(node, &form));
  int64_t channels = (int64_t)form.group_channels * node->attr.i[CONV_GROUPS];
  if (channels > INT32_MAX)
    return icl__shape_error(node, "groups %d times %d channels is too many", (int)node->attr.i[CONV_GROUPS],
                            (int)form.group_channels);
  int32_t shape[] = {form.output_images, form.size[0], form.size[1], (int32_t)channels};
  return icl__set_shape(node, 4, shape, (icl_dtype)node->in[0]->dtype);
}

icl_status icl__infer_conv2d_weight_grad(icl__node *node) {
  conv_form form;
  ICL__TRY(expect_image(node, 0, "x"));
  ICL__TRY(expect_image(node, 1, "g"));
  ICL__TRY(icl__expect_dtype(node, 1, (icl_dtype)node->in[0]->dtype, "g, like x,"));
  take_x(&form, node->in[0]);
  take_g(&form, node->in[1]);
  form.filters = form.output_channels;
  form.kernel[0] = node->attr.i[CONV_KERNEL_H];
  form.kernel[1] = node->attr.i[CONV_KERNEL_W];
  ICL__TRY(check_groups(node, &form));
  int32_t groups = node->attr.i[CONV_GROUPS];
  if (form.channels % groups)
    return icl__shape_error(node, "%d input channels cannot be cut into %d groups", (int)form.channels, (int)groups);
  if (form.images != form.output_images)
    return icl__shape_error(node, "x has %d images, but g has %d", (int)form.images, (int)form.output_images);
  ICL__TRY(check_output(node, &form));
  int32_t shape[] = {form.kernel[0], form.kernel[1], form.channels / groups, form.filters};
  return icl__set_shape(node, 4, shape, icl__wide_dtype(node));
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
