/* chains.c - chains of ops whose gradients only mean something together: what travels back between the primitives of
 * batch norm is not the gradient of each. */
#include "ops_test.h"

#include <string.h>

#include "graph/graph.h"
#include "ops/attributes.h"
#include "ops/ops.h"

static icl_status scale_shift(icl_engine *engine, icl_tensor *x, icl_tensor *coefficients, bool relu,
                              icl_tensor **result) {
  icl_attributes attr = {.i[SCALE_SHIFT_RELU] = relu};
  return icl__record(engine, ICL__OP_scale_shift, 2, (icl_tensor *[]){x, coefficients}, &attr, result);
}

/* x, weight, bias */
static icl_status normalize_batch(icl_engine *engine, icl_tensor *const *in, bool relu, icl_tensor **result) {
  icl_attributes attr = {.f[BN_F_EPS] = 1e-5};
  icl_tensor *sums, *coefficients;
  ICL__TRY(icl__record(engine, ICL__OP_bn_sums, 1, (icl_tensor *[]){in[0]}, NULL, &sums));
  icl_status status =
      icl__record(engine, ICL__OP_bn_coefficients, 3, (icl_tensor *[]){sums, in[1], in[2]}, &attr, &coefficients);
  icl_tensor_release(sums);
  ICL__TRY(status);
  status = scale_shift(engine, in[0], coefficients, relu, result);
  icl_tensor_release(coefficients);
  return status;
}

static icl_status batch_norm(icl_engine *engine, icl_tensor *const *in, icl_tensor **result) {
  return normalize_batch(engine, in, false, result);
}

static icl_status batch_norm_relu(icl_engine *engine, icl_tensor *const *in, icl_tensor **result) {
  return normalize_batch(engine, in, true, result);
}

/* x, y, weight, bias: the sum x + y and its statistics, which one kernel computes */
static icl_status sum_batch_norm(icl_engine *engine, icl_tensor *const *in, icl_tensor **result) {
  icl_tensor *sum;
  ICL__TRY(icl__record(engine, ICL__OP_add_n, 2, in, NULL, &sum));
  icl_status status = normalize_batch(engine, (icl_tensor *[]){sum, in[2], in[3]}, false, result);
  icl_tensor_release(sum);
  return status;
}

/* x, weight, bias, running_mean, running_var */
static icl_status batch_norm_inference(icl_engine *engine, icl_tensor *const *in, icl_tensor **result) {
  icl_attributes attr = {.f[BN_F_EPS] = 1e-5};
  icl_tensor *coefficients;
  ICL__TRY(icl__record(engine, ICL__OP_bn_inference, 4, in + 1, &attr, &coefficients));
  icl_status status = scale_shift(engine, in[0], coefficients, false, result);
  icl_tensor_release(coefficients);
  return status;
}

/* The first three are x, weight and bias. */
static icl_status require_gradients(icl_tensor *const *in) {
  for (int i = 0; i < 3; i++)
    ICL__TRY(icl_tensor_require_gradient(in[i]));
  return ICL_OK;
}

/* The gradients of sum(y g) with respect to x, weight and bias, added up; the last of the inputs is g. */
static icl_status add_gradients(icl_engine *engine, icl_tensor *const *in, icl_tensor *y, icl_tensor *g,
                                icl_tensor **result) {
  icl_tensor *product, *loss, *gradient[3], *some;
  ICL__TRY(icl__record(engine, ICL__OP_mul, 2, (icl_tensor *[]){y, g}, NULL, &product));
  icl_status status = icl__record(engine, ICL__OP_sum, 1, &product, NULL, &loss);
  icl_tensor_release(product);
  ICL__TRY(status);
  status = icl_gradient(loss, 3, in, gradient);
  icl_tensor_release(loss);
  ICL__TRY(status);
  status = icl__record(engine, ICL__OP_add, 2, gradient, NULL, &some);
  if (status == ICL_OK) {
    status = icl__record(engine, ICL__OP_add, 2, (icl_tensor *[]){some, gradient[2]}, NULL, result);
    icl_tensor_release(some);
  }
  for (int i = 0; i < 3; i++)
    icl_tensor_release(gradient[i]);
  return status;
}

/* x, weight, bias, g */
static icl_status batch_norm_gradient(icl_engine *engine, icl_tensor *const *in, icl_tensor **result) {
  icl_tensor *y;
  ICL__TRY(require_gradients(in));
  ICL__TRY(batch_norm(engine, in, &y));
  icl_status status = add_gradients(engine, in, y, in[3], result);
  icl_tensor_release(y);
  return status;
}

/* x, weight, bias, running_mean, running_var, g */
static icl_status batch_norm_inference_gradient(icl_engine *engine, icl_tensor *const *in, icl_tensor **result) {
  icl_tensor *y;
  ICL__TRY(require_gradients(in));
  ICL__TRY(batch_norm_inference(engine, in, &y));
  icl_status status = add_gradients(engine, in, y, in[5], result);
  icl_tensor_release(y);
  return status;
}

static const test_chain chains[] = {
    {"batch_norm", " bn_sums bn_coefficients scale_shift ", batch_norm},
    {"batch_norm_relu", " bn_sums bn_coefficients scale_shift ", batch_norm_relu},
    {"sum_batch_norm", " add_n ", sum_batch_norm},
    {"batch_norm_inference", " bn_inference ", batch_norm_inference},
    {"batch_norm_gradient", " bn_scale bn_scale_sums bn_coefficients_grad bn_sums_grad bn_row ", batch_norm_gradient},
    {"batch_norm_inference_gradient", " bn_scale bn_scale_sums bn_coefficients_grad bn_row ",
     batch_norm_inference_gradient},
};
enum { CHAINS = sizeof chains / sizeof *chains };

const test_chain *chain_find(const char *name) {
  for (int i = 0; i < CHAINS; i++)
    if (!strcmp(chains[i].name, name))
      return &chains[i];
  return NULL;
}

bool chain_covers(const test_chain *chain, const char *op) {
  const char *at = chain->covers;
  for (size_t length = strlen(op); (at = strstr(at, op)); at++)
    if (at[-1] == ' ' && at[length] == ' ')
      return true;
  return false;
}
