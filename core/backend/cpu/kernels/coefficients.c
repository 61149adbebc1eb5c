/* coefficients.c - batch norm between its passes over images: small tables with one column a channel, computed in f64.
 *
 * Formulas: backend/ref/norm.c. */
#include "backend/bn_sums.h"
#include "backend/cpu/kernels/rows.h"

#include <math.h>

#include "ops/attributes.h"
#include "ops/batch_norm.h"
#include "ops/ops.h"

static int64_t channels(const icl__call *call) { return icl__view_columns(&call->out); }
static const float *vector(const icl__call *call, int i) { return call->in[i].data; }

typedef struct {
  float *a, *b, *mean, *inverse_std, *variance;
} coefficients;

static coefficients coefficients_at(const icl__view *v) {
  return (coefficients){row_at(v, BN_A), row_at(v, BN_B), row_at(v, BN_MEAN), row_at(v, BN_INVERSE_STD),
                        row_at(v, BN_VARIANCE)};
}

/* b makes up for what rounding takes from the mean, which is much where the mean is large and the variance small. */
static inline void set(const coefficients *to, int64_t i, double weight, double bias, double mean, double variance,
                       double eps) {
  double inverse_std = 1 / sqrt(variance + eps), a = weight * inverse_std;
  to->a[i] = (float)a;
  to->b[i] = (float)(bias - a * (mean - (double)(float)mean));
  to->mean[i] = (float)mean;
  to->inverse_std[i] = (float)inverse_std;
  to->variance[i] = (float)variance;
}

static void bn_coefficients(const icl__call *call) {
  const icl__bn_sums sums = icl__bn_sums_at(&call->in[0]);
  const float *weight = vector(call, 1), *bias = vector(call, 2);
  double eps = call->attr->f[BN_F_EPS];
  coefficients to = coefficients_at(&call->out);
#pragma omp simd
  for (int64_t i = 0; i < channels(call); i++)
    set(&to, i, (double)weight[i], (double)bias[i], sums.sum[i] / sums.count[i], sums.squares[i] / sums.count[i], eps);
}

static void bn_inference(const icl__call *call) {
  const float *weight = vector(call, 0), *bias = vector(call, 1), *mean = vector(call, 2), *variance = vector(call, 3);
  double eps = call->attr->f[BN_F_EPS];
  coefficients to = coefficients_at(&call->out);
#pragma omp simd
  for (int64_t i = 0; i < channels(call); i++)
    set(&to, i, (double)weight[i], (double)bias[i], (double)mean[i], (double)variance[i], eps);
}

static void bn_running(const icl__call *call) {
  const float *measured = row_at(&call->in[0], call->attr->i[BN_ROW]), *old = vector(call, 1);
  double momentum = call->attr->f[BN_F_MOMENTUM], factor = call->attr->f[BN_F_FACTOR];
  float *new = call->out.data;
  for (int64_t i = 0; i < channels(call); i++)
    new[i] = (float)((double)old[i] + momentum * (factor * (double)measured[i] - (double)old[i]));
}

static void bn_coefficients_grad(const icl__call *call) {
  const double *s = row_at(&call->in[0], BN_SCALE_SUM), *q = row_at(&call->in[0], BN_SCALE_PRODUCTS);
  const coefficients from = coefficients_at(&call->in[1]);
  float *weight = row_at(&call->out, BN_WEIGHT_GRADIENT), *bias = row_at(&call->out, BN_BIAS_GRADIENT);
  float *k1 = row_at(&call->out, BN_K1), *k0 = row_at(&call->out, BN_K0);
  if (call->inputs < 3) {
#pragma omp simd
    for (int64_t i = 0; i < channels(call); i++) {
      k1[i] = k0[i] = 0;
      weight[i] = (float)(q[i] * (double)from.inverse_std[i]);
      bias[i] = (float)s[i];
    }
    return;
  }
  const icl__bn_sums sums = icl__bn_sums_at(&call->in[2]);
#pragma omp simd
  for (int64_t i = 0; i < channels(call); i++) {
    double a = (double)from.a[i], inverse_std = (double)from.inverse_std[i], one = 1 / sums.count[i];
    double rest = sums.sum[i] / sums.count[i] - (double)from.mean[i], products = q[i] - rest * s[i];
    double slope = a * inverse_std * inverse_std * products * one;
    k1[i] = (float)slope;
    k0[i] = (float)(rest * slope - a * s[i] * one);
    weight[i] = (float)(products * inverse_std);
    bias[i] = (float)s[i];
  }
}

static void bn_row(const icl__call *call) {
  memcpy(call->out.data, row_at(&call->in[0], call->attr->i[BN_ROW]),
         (size_t)channels(call) * icl_dtype_bytes(call->out.dtype));
}

/* Are the inputs of `sums` f64, as sums are, and the rest f32? It is f64 in a model that computes in f64. */
static bool is_f32(const icl__call *prototype, uint32_t sums) {
  bool fits = prototype->out.dtype == ICL_F32;
  for (int i = 0; i < prototype->inputs; i++)
    fits = fits && prototype->in[i].dtype == (sums >> i & 1 ? ICL_F64 : ICL_F32);
  return fits;
}

bool ISA_NAME(icl__choose_coefficients)(const icl__call *prototype, icl__choice *choice) {
  switch (prototype->op) {
  case ICL__OP_bn_coefficients:
    choice->run = bn_coefficients;
    return is_f32(prototype, 1);
  case ICL__OP_bn_inference:
    choice->run = bn_inference;
    return is_f32(prototype, 0);
  case ICL__OP_bn_running:
    choice->run = bn_running;
    return is_f32(prototype, 0);
  case ICL__OP_bn_coefficients_grad:
    choice->run = bn_coefficients_grad;
    return is_f32(prototype, 1 | 4);
  case ICL__OP_bn_row:
    choice->run = bn_row;
    return true;
  default:
    return false;
  }
}
