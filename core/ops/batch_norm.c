/* batch_norm.c - the primitives of batch norm over all axes but the last.
 *
 * Per channel: sums over n values give mean and biased variance, a = weight / sqrt(variance + eps), and
 * y = a (x - mean) + b. The mean that is taken away is the one in the table of coefficients, which may be rounded to
 * f32; b = bias - a (what rounding left of the mean). So nothing cancels, however large the mean is.
 *
 * The gradients need two sums again, S of g and Q of g (x - mean): bias: S    weight: Q / std
 * x: a g + k0 - k1 (x - mean),  k1 = a Q / (n std^2),  k0 = - a S / n. These cannot be written as gradients of each op
 * by itself without more passes over the images. So what travels back from scale_shift to bn_coefficients is not the
 * gradient of (a, b, ...) but the packed sums (S, Q), f64 (2, c), and on to bn_sums goes k. Both are handed over as
 * they are. */
#include "ops/batch_norm.h"
#include "ops/families.h"

/* ---- shapes ---- */

/* x (..., c) with images or rows on axis 0 */
static icl_status expect_channels_last(const icl__node *node, int i, const char *name) {
  ICL__TRY(icl__expect_float(node, i, name));
  if (node->in[i]->rank >= 2)
    return ICL_OK;
  return icl__shape_error(node, "%s must be (..., channels), with at least two axes", name);
}

static int32_t channels_of(const icl__node *x) { return x->shape[x->rank - 1]; }

/* (rows, channels) of per-channel values */
static icl_status expect_rows(const icl__node *node, int i, int32_t rows, int32_t channels, const char *name) {
  ICL__TRY(icl__expect_wide(node, i, name));
  if (icl__shape_is(node->in[i], 2, (const int32_t[]){rows, channels}))
    return ICL_OK;
  return icl__shape_error(node, "%s must be (%d, %d), one column a channel", name, (int)rows, (int)channels);
}

static icl_status expect_vector(const icl__node *node, int i, int32_t channels, const char *name) {
  ICL__TRY(icl__expect_wide(node, i, name));
  return icl__expect_channels(node, i, channels, name);
}

static icl_status expect_same_shape(const icl__node *node, int i, int j, const char *names) {
  if (icl__same_shape(node->in[i], node->in[j]))
    return ICL_OK;
  return icl__shape_error(node, "%s must be of one shape", names);
}

static icl_status set_rows(icl__node *node, int32_t rows, int32_t channels, icl_dtype dtype) {
  return icl__set_shape(node, 2, (const int32_t[]){rows, channels}, dtype);
}

/* f64 if the input `i` is f64, else f32: sums are f64 always and do not count. */
static icl_dtype like_input(const icl__node *node, int i) { return node->in[i]->dtype == ICL_F64 ? ICL_F64 : ICL_F32; }

icl_status icl__infer_bn_sums(icl__node *node) {
  ICL__TRY(expect_channels_last(node, 0, "x"));
  return set_rows(node, BN_SUMS_ROWS, channels_of(node->in[0]), ICL_F64);
}

icl_status icl__infer_bn_coefficients(icl__node *node) {
  ICL__TRY(icl__expect_rank(node, 1, 1, "weight", "(channels)"));
  int32_t channels = node->in[1]->shape[0];
  ICL__TRY(expect_rows(node, 0, BN_SUMS_ROWS, channels, "sums"));
  ICL__TRY(expect_vector(node, 1, channels, "weight"));
  ICL__TRY(expect_vector(node, 2, channels, "bias"));
  return set_rows(node, BN_COEFFICIENTS_ROWS, channels, like_input(node, 1));
}

icl_status icl__infer_bn_inference(icl__node *node) {
  ICL__TRY(icl__expect_rank(node, 0, 1, "weight", "(channels)"));
  int32_t channels = node->in[0]->shape[0];
  ICL__TRY(expect_vector(node, 0, channels, "weight"));
  ICL__TRY(expect_vector(node, 1, channels, "bias"));
  ICL__TRY(expect_vector(node, 2, channels, "running_mean"));
  ICL__TRY(expect_vector(node, 3, channels, "running_var"));
  return set_rows(node, BN_COEFFICIENTS_ROWS, channels, like_input(node, 0));
}

static icl_status check_row(const icl__node *node, int32_t rows) {
  int32_t row = node->attr.i[BN_ROW];
  if (row >= 0 && row < rows)
    return ICL_OK;
  return icl__value_error(node, "row must be from 0 to %d, not %d", (int)rows - 1, (int)row);
}

icl_status icl__infer_bn_running(icl__node *node) {
  ICL__TRY(icl__expect_rank(node, 1, 1, "old", "(channels)"));
  int32_t channels = node->in[1]->shape[0];
  ICL__TRY(expect_rows(node, 0, BN_COEFFICIENTS_ROWS, channels, "coefficients"));
  ICL__TRY(expect_vector(node, 1, channels, "old"));
  ICL__TRY(check_row(node, BN_COEFFICIENTS_ROWS));
  return icl__set_shape(node, 1, &channels, (icl_dtype)node->in[1]->dtype);
}

/* y like x, which is the input in front of per-channel rows */
static icl_status like_x(icl__node *node, int x_input, int rows_input, int32_t rows, const char *rows_name) {
  const icl__node *x = node->in[x_input];
  ICL__TRY(expect_channels_last(node, x_input, "x"));
  ICL__TRY(expect_rows(node, rows_input, rows, channels_of(x), rows_name));
  return icl__set_shape(node, x->rank, x->shape, (icl_dtype)x->dtype);
}

icl_status icl__infer_scale_shift(icl__node *node) { return like_x(node, 0, 1, BN_COEFFICIENTS_ROWS, "coefficients"); }

icl_status icl__infer_bn_sums_grad(icl__node *node) {
  ICL__TRY(like_x(node, 0, 1, BN_GRADIENT_ROWS, "k"));
  ICL__TRY(expect_rows(node, 2, BN_SUMS_ROWS, channels_of(node->in[0]), "sums"));
  return node->inputs == 4 ? expect_same_shape(node, 3, 0, "x and rest") : ICL_OK;
}

icl_status icl__infer_bn_scale_sums(icl__node *node) {
  ICL__TRY(expect_channels_last(node, 0, "g"));
  ICL__TRY(expect_channels_last(node, 1, "x"));
  ICL__TRY(expect_same_shape(node, 0, 1, "g and x"));
  int32_t channels = channels_of(node->in[1]);
  ICL__TRY(expect_rows(node, 2, BN_COEFFICIENTS_ROWS, channels, "coefficients"));
  return set_rows(node, BN_SCALE_ROWS, channels, ICL_F64);
}

icl_status icl__infer_bn_coefficients_grad(icl__node *node) {
  ICL__TRY(icl__expect_rank(node, 0, 2, "scale sums", "(2, channels)"));
  int32_t channels = node->in[0]->shape[1];
  ICL__TRY(expect_rows(node, 0, BN_SCALE_ROWS, channels, "scale sums"));
  ICL__TRY(expect_rows(node, 1, BN_COEFFICIENTS_ROWS, channels, "coefficients"));
  if (node->inputs == 3)
    ICL__TRY(expect_rows(node, 2, BN_SUMS_ROWS, channels, "sums"));
  return set_rows(node, BN_GRADIENT_ROWS, channels, like_input(node, 1));
}

icl_status icl__infer_bn_row(icl__node *node) {
  ICL__TRY(icl__expect_rank(node, 0, 2, "x", "(rows, channels)"));
  ICL__TRY(check_row(node, node->in[0]->shape[0]));
  return icl__set_shape(node, 1, &node->in[0]->shape[1], (icl_dtype)node->in[0]->dtype);
}

icl_status icl__infer_bn_input_grad(icl__node *node) {
  ICL__TRY(like_x(node, 1, 2, BN_COEFFICIENTS_ROWS, "coefficients"));
  ICL__TRY(expect_rows(node, 3, BN_GRADIENT_ROWS, channels_of(node->in[1]), "k"));
  ICL__TRY(expect_same_shape(node, 0, 1, "g and x"));
  return node->inputs == 5 ? expect_same_shape(node, 4, 1, "x and rest") : ICL_OK;
}

icl_status icl__infer_bn_scale_mask(icl__node *node) {
  ICL__TRY(like_x(node, 1, 2, BN_COEFFICIENTS_ROWS, "coefficients"));
  ICL__TRY(expect_same_shape(node, 0, 1, "g and x"));
  return node->inputs == 4 ? expect_same_shape(node, 3, 1, "x and rest") : ICL_OK;
}

/* ---- batch rules ---- */

void icl__batch_bn_sums(const icl__facts *facts, icl__batch_rule *rule) {
  icl__rule_reduce(rule, facts->op == ICL__OP_bn_sums ? 1 : 3, true);
}

/* x and, where the planner gave it one, rest */
void icl__batch_scale_shift(const icl__facts *facts, icl__batch_rule *rule) {
  icl__rule_map(rule, facts->inputs == 3 ? 1u | 4u : 1u, true);
}

/* x and, where there is one, rest */
void icl__batch_bn_sums_grad(const icl__facts *facts, icl__batch_rule *rule) {
  icl__rule_map(rule, facts->inputs == 4 ? 1u | 8u : 1u, true);
}

/* g, x and, where there is one, rest */
void icl__batch_bn_input_grad(const icl__facts *facts, icl__batch_rule *rule) {
  icl__rule_map(rule, facts->inputs == 5 ? 1u | 2u | 16u : 1u | 2u, true);
}

void icl__batch_bn_scale_mask(const icl__facts *facts, icl__batch_rule *rule) {
  icl__rule_map(rule, facts->inputs == 4 ? 1u | 2u | 8u : 1u | 2u, true);
}

/* ---- gradients ---- */

static icl__node *row(icl__gradient *pass, icl__node *rows, int which) {
  icl_attributes attr = {.i[BN_ROW] = which};
  return icl__g(pass, ICL__OP_bn_row, 1, &rows, &attr);
}

icl_status icl__grad_scale_shift(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *x = y->in[0], *coefficients = y->in[1];
  icl__node *g = y->attr.i[SCALE_SHIFT_RELU] ? icl__g2(pass, ICL__OP_relu_grad, gy, y) : gy;
  if (icl__wants(y, 1))
    ICL__TRY(icl__give_packed(pass, y, 1, icl__g3(pass, ICL__OP_bn_scale_sums, g, x, coefficients)));
  if (icl__wants(y, 0))
    ICL__TRY(icl__give(pass, y, 0, icl__g2(pass, ICL__OP_bn_scale, g, coefficients)));
  return ICL_OK;
}

/* `joined`: k comes from the sums of all processes, so each has the whole gradient. One of them passes it on; the
 * others pass -0, which changes no number it is added to. */
static icl_status give_row(icl__gradient *pass, icl__node *y, int input, icl__node *k, int which, bool joined) {
  if (!icl__wants(y, input))
    return ICL_OK;
  icl__node *gradient = row(pass, k, which);
  if (joined)
    gradient = icl__g3(pass, ICL__OP_where, icl__g_number(pass, pass->first), gradient, icl__g_number(pass, -0.0));
  return icl__give(pass, y, input, gradient);
}

static icl_status give_weight_and_bias(icl__gradient *pass, icl__node *y, int weight, icl__node *k, bool joined) {
  ICL__TRY(give_row(pass, y, weight, k, BN_WEIGHT_GRADIENT, joined));
  return give_row(pass, y, weight + 1, k, BN_BIAS_GRADIENT, joined);
}

/* scale_sums: what scale_shift gave */
icl_status icl__grad_bn_coefficients(icl__gradient *pass, icl__node *y, icl__node *scale_sums) {
  bool joined = y->in[0]->op == ICL__OP_all_reduce;
  if (joined)
    scale_sums = icl__g1(pass, ICL__OP_all_reduce, scale_sums);
  icl__node *k = icl__g3(pass, ICL__OP_bn_coefficients_grad, scale_sums, y, y->in[0]);
  ICL__TRY(give_weight_and_bias(pass, y, 1, k, joined));
  return icl__wants(y, 0) ? icl__give_packed(pass, y, 0, k) : ICL_OK;
}

icl_status icl__grad_bn_inference(icl__gradient *pass, icl__node *y, icl__node *scale_sums) {
  return give_weight_and_bias(pass, y, 0, icl__g2(pass, ICL__OP_bn_coefficients_grad, scale_sums, y), false);
}

icl_status icl__grad_bn_sums(icl__gradient *pass, icl__node *y, icl__node *k) {
  if (!icl__wants(y, 0))
    return ICL_OK;
  return icl__give(pass, y, 0, icl__g3(pass, ICL__OP_bn_sums_grad, y->in[0], k, y));
}
