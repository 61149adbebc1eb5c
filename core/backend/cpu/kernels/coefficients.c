/* coefficients.c - batch norm between its passes over images: small tables with one column a channel, computed in f64.
 *
 * Formulas: backend/ref/norm.c. */
#include "backend/cpu/kernels/rows.h"

#include <math.h>

#include "ops/attributes.h"
#include "ops/ops.h"

enum { A, B, MEAN, INVERSE_STD, VARIANCE };
enum { K1, K0, WEIGHT_GRADIENT, BIAS_GRADIENT };

static int64_t channels(const icl__call *call) { return icl__view_columns(&call->out); }
static const float *vector(const icl__call *call, int i) { return call->in[i].data; }

typedef struct {
  float *a, *b, *mean, *inverse_std, *variance;
} coefficients;

static coefficients coefficients_at(const icl__view *v) {
  return (coefficients){row_at(v, A), row_at(v, B), row_at(v, MEAN), row_at(v, INVERSE_STD), row_at(v, VARIANCE)};
}

static inline void set(const coefficients *to, int64_t i, double weight, double bias, double mean, double variance,
                       double eps) {
  double inverse_std = 1 / sqrt(variance + eps), a = weight * inverse_std;
  to->a[i] = (float)a;
  to->b[i] = (float)(bias - a * mean);
  to->mean[i] = (float)mean;
  to->inverse_std[i] = (float)inverse_std;
  to->variance[i] = (float)variance;
}

static void bn_sums_shift(const icl__call *call) {
  const double *sum = row_at(&call->in[0], 0), *squares = row_at(&call->in[0], 1);
  const float *from = vector(call, 1), *to = vector(call, 2);
  double count = call->attr->i[BN_COUNT], *new_sum = row_at(&call->out, 0), *new_squares = row_at(&call->out, 1);
#pragma omp simd
  for (int64_t i = 0; i < channels(call); i++) {
    double d = (double)from[i] - (double)to[i];
    new_sum[i] = sum[i] + count * d;
    new_squares[i] = squares[i] + 2 * d * sum[i] + count * d * d;
  }
}

static void bn_coefficients(const icl__call *call) {
  const double *sum = row_at(&call->in[0], 0), *squares = row_at(&call->in[0], 1);
  const float *weight = vector(call, 1), *bias = vector(call, 2), *pivot = vector(call, 3);
  double one = 1.0 / call->attr->i[BN_COUNT], eps = call->attr->f[BN_F_EPS];
  coefficients to = coefficients_at(&call->out);
#pragma omp simd
  for (int64_t i = 0; i < channels(call); i++) {
    double shift = sum[i] * one, variance = squares[i] * one - shift * shift;
    set(&to, i, (double)weight[i], (double)bias[i], (double)pivot[i] + shift, variance < 0 ? 0 : variance, eps);
  }
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
  const double *s = row_at(&call->in[0], 0), *q = row_at(&call->in[0], 1);
  const coefficients from = coefficients_at(&call->in[1]);
  double count = call->attr->i[BN_COUNT], one = count > 0 ? 1 / count : 0;
  float *k1 = row_at(&call->out, K1), *k0 = row_at(&call->out, K0);
  float *weight = row_at(&call->out, WEIGHT_GRADIENT), *bias = row_at(&call->out, BIAS_GRADIENT);
#pragma omp simd
  for (int64_t i = 0; i < channels(call); i++) {
    double a = (double)from.a[i], inverse_std = (double)from.inverse_std[i];
    double slope = a * inverse_std * inverse_std * q[i] * one;
    k1[i] = (float)slope;
    k0[i] = (float)((double)from.mean[i] * slope - a * s[i] * one);
    weight[i] = (float)(q[i] * inverse_std);
    bias[i] = (float)s[i];
  }
}

static void bn_row(const icl__call *call) {
  memcpy(call->out.data, row_at(&call->in[0], call->attr->i[BN_ROW]),
         (size_t)channels(call) * icl_dtype_bytes(call->out.dtype));
}

/* Sums are f64; the rest is f32, or f64 in a model that computes in f64. */
static bool is_f32(const icl__call *prototype, bool sums_in, bool sums_out) {
  bool fits = prototype->out.dtype == (sums_out ? ICL_F64 : ICL_F32);
  for (int i = 0; i < prototype->inputs; i++)
    fits = fits && prototype->in[i].dtype == (sums_in && i == 0 ? ICL_F64 : ICL_F32);
  return fits;
}

bool ISA_NAME(icl__choose_coefficients)(const icl__call *prototype, icl__choice *choice) {
  switch (prototype->op) {
  case ICL__OP_bn_sums_shift:
    choice->run = bn_sums_shift;
    return is_f32(prototype, true, true);
  case ICL__OP_bn_coefficients:
    choice->run = bn_coefficients;
    return is_f32(prototype, true, false);
  case ICL__OP_bn_inference:
    choice->run = bn_inference;
    return is_f32(prototype, false, false);
  case ICL__OP_bn_running:
    choice->run = bn_running;
    return is_f32(prototype, false, false);
  case ICL__OP_bn_coefficients_grad:
    choice->run = bn_coefficients_grad;
    return is_f32(prototype, true, false);
  case ICL__OP_bn_row:
    choice->run = bn_row;
    return true;
  default:
    return false;
  }
}
