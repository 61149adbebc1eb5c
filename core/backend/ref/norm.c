/* norm.c - reference kernels of batch norm (Ioffe and Szegedy 2015) over all axes but the last.
 *
 * y = a x + b for each channel, with a = weight / std and b = bias - a mean. With S and Q the sums of g and of
 * g (x - mean) over the `count` elements of a channel, the gradient of the input is
 *   a (g - S / count - (x - mean) Q / (count std^2)) = a g - k1 x + k0. */
#include "backend/ref/ref.h"

#include <math.h>
#include <string.h>

/* Rows of coefficients, and of the gradients of the coefficients. */
enum { A, B, MEAN, INVERSE_STD, VARIANCE };
enum { K1, K0, WEIGHT_GRADIENT, BIAS_GRADIENT };

static int32_t channels(const icl__view *v) { return v->shape[v->rank - 1]; }
static double *row(const icl__view *table, int r) { return values(table) + (int64_t)r * channels(table); }

/* Is the output of the ReLU that follows a x + b positive? */
static bool passes(const icl__view *coefficients, int32_t channel, double x) {
  return row(coefficients, A)[channel] * x + row(coefficients, B)[channel] > 0;
}

void icl__ref_bn_sums(const icl__call *call) {
  const icl__view *x = &call->in[0], *out = &call->out;
  int32_t c = channels(x);
  fill(out, 0);
  for (int64_t i = 0; i < icl__view_count(x); i++) {
    double difference = values(x)[i] - values(&call->in[1])[i % c];
    row(out, 0)[i % c] += difference;
    row(out, 1)[i % c] += difference * difference;
  }
}

/* With d = old - new: x - new = (x - old) + d. */
void icl__ref_bn_sums_shift(const icl__call *call) {
  const icl__view *sums = &call->in[0];
  double count = call->attr->i[BN_COUNT];
  for (int32_t i = 0; i < channels(sums); i++) {
    double d = values(&call->in[1])[i] - values(&call->in[2])[i], first = row(sums, 0)[i];
    row(&call->out, 0)[i] = first + count * d;
    row(&call->out, 1)[i] = row(sums, 1)[i] + 2 * d * first + count * d * d;
  }
}

static void set_coefficients(const icl__view *out, int32_t channel, double weight, double bias, double mean,
                             double variance, double eps) {
  double inverse_std = 1 / sqrt(variance + eps), a = weight * inverse_std;
  row(out, A)[channel] = a;
  row(out, B)[channel] = bias - a * mean;
  row(out, MEAN)[channel] = mean;
  row(out, INVERSE_STD)[channel] = inverse_std;
  row(out, VARIANCE)[channel] = variance;
}

void icl__ref_bn_coefficients(const icl__call *call) {
  const icl__view *sums = &call->in[0], *weight = &call->in[1], *bias = &call->in[2], *pivot = &call->in[3];
  double count = call->attr->i[BN_COUNT];
  for (int32_t i = 0; i < channels(sums); i++) {
    double shift = row(sums, 0)[i] / count, variance = row(sums, 1)[i] / count - shift * shift;
    set_coefficients(&call->out, i, values(weight)[i], values(bias)[i], values(pivot)[i] + shift,
                     variance < 0 ? 0 : variance, call->attr->f[BN_F_EPS]);
  }
}

void icl__ref_bn_inference(const icl__call *call) {
  const icl__view *weight = &call->in[0], *bias = &call->in[1], *mean = &call->in[2], *variance = &call->in[3];
  for (int32_t i = 0; i < channels(weight); i++)
    set_coefficients(&call->out, i, values(weight)[i], values(bias)[i], values(mean)[i], values(variance)[i],
                     call->attr->f[BN_F_EPS]);
}

void icl__ref_bn_running(const icl__call *call) {
  const double *measured = row(&call->in[0], call->attr->i[BN_ROW]), *old = values(&call->in[1]);
  double momentum = call->attr->f[BN_F_MOMENTUM], factor = call->attr->f[BN_F_FACTOR];
  for (int32_t i = 0; i < channels(&call->out); i++)
    values(&call->out)[i] = old[i] + momentum * (factor * measured[i] - old[i]);
}

void icl__ref_scale_shift(const icl__call *call) {
  const icl__view *x = &call->in[0], *coefficients = &call->in[1];
  int32_t c = channels(x);
  for (int64_t i = 0; i < icl__view_count(x); i++) {
    double y = row(coefficients, A)[i % c] * values(x)[i] + row(coefficients, B)[i % c];
    values(&call->out)[i] = call->attr->i[SCALE_SHIFT_RELU] && y < 0 ? 0 : y;
  }
}

void icl__ref_bn_scale(const icl__call *call) {
  const icl__view *g = &call->in[0];
  int32_t c = channels(g);
  for (int64_t i = 0; i < icl__view_count(g); i++)
    values(&call->out)[i] = row(&call->in[1], A)[i % c] * values(g)[i];
}

void icl__ref_bn_scale_sums(const icl__call *call) {
  const icl__view *g = &call->in[0], *coefficients = &call->in[2], *out = &call->out;
  int32_t c = channels(g);
  fill(out, 0);
  for (int64_t i = 0; i < icl__view_count(g); i++) {
    double x = values(&call->in[1])[i];
    if (call->attr->i[BN_MASK] && !passes(coefficients, (int32_t)(i % c), x))
      continue;
    row(out, 0)[i % c] += values(g)[i];
    row(out, 1)[i % c] += values(g)[i] * (x - row(coefficients, MEAN)[i % c]);
  }
}

void icl__ref_bn_coefficients_grad(const icl__call *call) {
  const icl__view *sums = &call->in[0], *coefficients = &call->in[1], *out = &call->out;
  double count = call->attr->i[BN_COUNT];
  for (int32_t i = 0; i < channels(sums); i++) {
    double s = row(sums, 0)[i], q = row(sums, 1)[i], a = row(coefficients, A)[i];
    double inverse_std = row(coefficients, INVERSE_STD)[i];
    double k1 = count > 0 ? a * inverse_std * inverse_std * q / count : 0;
    row(out, K1)[i] = k1;
    row(out, K0)[i] = count > 0 ? row(coefficients, MEAN)[i] * k1 - a * s / count : 0;
    row(out, WEIGHT_GRADIENT)[i] = q * inverse_std;
    row(out, BIAS_GRADIENT)[i] = s;
  }
}

void icl__ref_bn_sums_grad(const icl__call *call) {
  const icl__view *x = &call->in[0], *k = &call->in[1];
  int32_t c = channels(x);
  for (int64_t i = 0; i < icl__view_count(x); i++) {
    double y = row(k, K0)[i % c] - row(k, K1)[i % c] * values(x)[i];
    values(&call->out)[i] = call->inputs > 2 ? y + values(&call->in[2])[i] : y;
  }
}

void icl__ref_bn_row(const icl__call *call) {
  memcpy(call->out.data, row(&call->in[0], call->attr->i[BN_ROW]), (size_t)channels(&call->out) * sizeof(double));
}

void icl__ref_bn_input_grad(const icl__call *call) {
  const icl__view *g = &call->in[0], *coefficients = &call->in[2], *k = &call->in[3];
  int32_t c = channels(g);
  for (int64_t i = 0; i < icl__view_count(g); i++) {
    double x = values(&call->in[1])[i], y = row(k, K0)[i % c] - row(k, K1)[i % c] * x;
    if (!call->attr->i[BN_MASK] || passes(coefficients, (int32_t)(i % c), x))
      y += row(coefficients, A)[i % c] * values(g)[i];
    values(&call->out)[i] = call->inputs > 4 ? y + values(&call->in[4])[i] : y;
  }
}

void icl__ref_bn_scale_mask(const icl__call *call) {
  const icl__view *g = &call->in[0], *coefficients = &call->in[2];
  int32_t c = channels(g);
  for (int64_t i = 0; i < icl__view_count(g); i++) {
    bool pass = passes(coefficients, (int32_t)(i % c), values(&call->in[1])[i]);
    double y = pass ? row(coefficients, A)[i % c] * values(g)[i] : 0;
    values(&call->out)[i] = call->inputs > 3 ? y + values(&call->in[3])[i] : y;
  }
}
