/* norm.c - reference kernels of batch norm (Ioffe and Szegedy 2015) over all axes but the last.
 *
 * y = a (x - mean) + b for each channel, with a = weight / std. With S and Q the sums of g and of g (x - mean) over the
 * n elements of a channel, the gradient of the input is
 *   a (g - S / n - (x - mean) Q / (n std^2)) = a g + k0 - k1 (x - mean). */
#include "backend/ref/ref.h"

#include <math.h>
#include <string.h>

#include "ops/batch_norm.h"

static int32_t channels(const icl__view *v) { return v->shape[v->rank - 1]; }
static double *row(const icl__view *table, int r) { return values(table) + (int64_t)r * channels(table); }

/* a (x - mean) + b */
static double normalized(const icl__view *coefficients, int32_t channel, double x) {
  return row(coefficients, BN_A)[channel] * (x - row(coefficients, BN_MEAN)[channel]) +
         row(coefficients, BN_B)[channel];
}

static double mean_of(const icl__view *sums, int32_t channel) {
  return row(sums, BN_SUMS_SUM)[channel] / row(sums, BN_SUMS_COUNT)[channel];
}

void icl__ref_bn_sums(const icl__call *call) {
  const icl__view *x = &call->in[0], *out = &call->out;
  int32_t c = channels(x);
  fill(out, 0);
  for (int64_t i = 0; i < icl__view_count(x); i++) {
    row(out, BN_SUMS_COUNT)[i % c]++;
    row(out, BN_SUMS_SUM)[i % c] += values(x)[i];
  }
  for (int64_t i = 0; i < icl__view_count(x); i++) {
    double deviation = values(x)[i] - mean_of(out, (int32_t)(i % c));
    row(out, BN_SUMS_SQUARES)[i % c] += deviation * deviation;
  }
}

static void set_coefficients(const icl__view *out, int32_t channel, double weight, double bias, double mean,
                             double variance, double eps) {
  double inverse_std = 1 / sqrt(variance + eps);
  row(out, BN_A)[channel] = weight * inverse_std;
  row(out, BN_B)[channel] = bias;
  row(out, BN_MEAN)[channel] = mean;
  row(out, BN_INVERSE_STD)[channel] = inverse_std;
  row(out, BN_VARIANCE)[channel] = variance;
}

void icl__ref_bn_coefficients(const icl__call *call) {
  const icl__view *sums = &call->in[0], *weight = &call->in[1], *bias = &call->in[2];
  for (int32_t i = 0; i < channels(sums); i++)
    set_coefficients(&call->out, i, values(weight)[i], values(bias)[i], mean_of(sums, i),
                     row(sums, BN_SUMS_SQUARES)[i] / row(sums, BN_SUMS_COUNT)[i], call->attr->f[BN_F_EPS]);
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
  const icl__view *x = &call->in[0];
  int32_t c = channels(x);
  for (int64_t i = 0; i < icl__view_count(x); i++) {
    double y = normalized(&call->in[1], (int32_t)(i % c), values(x)[i]);
    if (call->inputs > 2)
      y += values(&call->in[2])[i];
    values(&call->out)[i] = call->attr->i[SCALE_SHIFT_RELU] && y < 0 ? 0 : y;
  }
}

void icl__ref_bn_scale(const icl__call *call) {
  const icl__view *g = &call->in[0];
  int32_t c = channels(g);
  for (int64_t i = 0; i < icl__view_count(g); i++)
    values(&call->out)[i] = row(&call->in[1], BN_A)[i % c] * values(g)[i];
}

void icl__ref_bn_scale_sums(const icl__call *call) {
  const icl__view *g = &call->in[0], *coefficients = &call->in[2], *out = &call->out;
  int32_t c = channels(g);
  fill(out, 0);
  for (int64_t i = 0; i < icl__view_count(g); i++) {
    double x = values(&call->in[1])[i];
    if (call->attr->i[BN_MASK] && !(normalized(coefficients, (int32_t)(i % c), x) > 0))
      continue;
    row(out, BN_SCALE_SUM)[i % c] += values(g)[i];
    row(out, BN_SCALE_PRODUCTS)[i % c] += values(g)[i] * (x - row(coefficients, BN_MEAN)[i % c]);
  }
}

/* The mean of the coefficients, which the products are around, may be a rounded one. */
void icl__ref_bn_coefficients_grad(const icl__call *call) {
  const icl__view *scale_sums = &call->in[0], *coefficients = &call->in[1], *sums = &call->in[2], *out = &call->out;
  for (int32_t i = 0; i < channels(scale_sums); i++) {
    double s = row(scale_sums, BN_SCALE_SUM)[i], q = row(scale_sums, BN_SCALE_PRODUCTS)[i], k0 = 0, k1 = 0;
    double a = row(coefficients, BN_A)[i], inverse_std = row(coefficients, BN_INVERSE_STD)[i];
    if (call->inputs > 2) {
      double n = row(sums, BN_SUMS_COUNT)[i], rest = mean_of(sums, i) - row(coefficients, BN_MEAN)[i];
      q -= rest * s;
      k1 = a * inverse_std * inverse_std * q / n;
      k0 = k1 * rest - a * s / n;
    }
    row(out, BN_K1)[i] = k1;
    row(out, BN_K0)[i] = k0;
    row(out, BN_WEIGHT_GRADIENT)[i] = q * inverse_std;
    row(out, BN_BIAS_GRADIENT)[i] = s;
  }
}

void icl__ref_bn_sums_grad(const icl__call *call) {
  const icl__view *x = &call->in[0], *k = &call->in[1];
  int32_t c = channels(x);
  for (int64_t i = 0; i < icl__view_count(x); i++) {
    double deviation = values(x)[i] - mean_of(&call->in[2], (int32_t)(i % c));
    double y = row(k, BN_K0)[i % c] - row(k, BN_K1)[i % c] * deviation;
    values(&call->out)[i] = call->inputs > 3 ? y + values(&call->in[3])[i] : y;
  }
}

void icl__ref_bn_row(const icl__call *call) {
  memcpy(call->out.data, row(&call->in[0], call->attr->i[BN_ROW]), (size_t)channels(&call->out) * sizeof(double));
}

void icl__ref_bn_input_grad(const icl__call *call) {
  const icl__view *g = &call->in[0], *coefficients = &call->in[2], *k = &call->in[3];
  int32_t c = channels(g);
  for (int64_t i = 0; i < icl__view_count(g); i++) {
    double x = values(&call->in[1])[i], deviation = x - row(coefficients, BN_MEAN)[i % c];
    double y = row(k, BN_K0)[i % c] - row(k, BN_K1)[i % c] * deviation;
    if (!call->attr->i[BN_MASK] || normalized(coefficients, (int32_t)(i % c), x) > 0)
      y += row(coefficients, BN_A)[i % c] * values(g)[i];
    values(&call->out)[i] = call->inputs > 4 ? y + values(&call->in[4])[i] : y;
  }
}

void icl__ref_bn_scale_mask(const icl__call *call) {
  const icl__view *g = &call->in[0], *coefficients = &call->in[2];
  int32_t c = channels(g);
  for (int64_t i = 0; i < icl__view_count(g); i++) {
    bool passes = normalized(coefficients, (int32_t)(i % c), values(&call->in[1])[i]) > 0;
    double y = passes ? row(coefficients, BN_A)[i % c] * values(g)[i] : 0;
    values(&call->out)[i] = call->inputs > 3 ? y + values(&call->in[3])[i] : y;
  }
}
