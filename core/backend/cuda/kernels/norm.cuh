/* norm.cuh - what the kernels of batch norm share. */
#ifndef ICL_BACKEND_CUDA_KERNELS_NORM_CUH
#define ICL_BACKEND_CUDA_KERNELS_NORM_CUH

#include "kernels.h"
#include "ops/batch_norm.h"
#include "pointers.cuh"
#include "values.cuh"

/* ---- V channels of a table ---- */

template <int V> DEVICE void load_row(const float *table, int channels, int row, int column, float (&x)[V]) {
  load(table, ICL_F32, (int64_t)row * channels + column, x);
}

/* The mean of column i that sums are of, less something. */
DEVICE float mean_less(const double *sums, int channels, int i, float less) {
  const uint64_t *bits = (const uint64_t *)sums;
  return quotient_less(bits[BN_SUMS_SUM * channels + i], bits[BN_SUMS_COUNT * channels + i], less);
}

/* V columns of the coefficients. */
template <int V> struct columns {
  float a[V], b[V], mean[V];

  columns() = default;
  DEVICE_MEMBER columns(const float *coefficients, int channels, int column) {
    load_row(coefficients, channels, BN_A, column, a);
    load_row(coefficients, channels, BN_B, column, b);
    load_row(coefficients, channels, BN_MEAN, column, mean);
  }
  /* Rounded in one way, so that a mask made from it again is the mask that the forward pass had. */
  DEVICE_MEMBER float normalized(int j, float x) const { return fmaf(a[j], x - mean[j], b[j]); }
};

/* ---- one channel of a table, `i` ---- */

/* A mean, and what rounding left of it. */
struct center {
  float mean, rest;

  /* Of the bits of f64. */
  static DEVICE_MEMBER center of(uint64_t sum, uint64_t count) {
    float mean = quotient_less(sum, count, 0);
    return {mean, quotient_less(sum, count, mean)};
  }
};

/* y = a (x - mean) + b */
DEVICE void set_coefficients(float *out, int channels, int i, float weight, float bias, center c, float variance,
                             float eps) {
  float inverse_std = 1 / sqrtf(variance + eps), a = weight * inverse_std;
  out[BN_A * channels + i] = a;
  out[BN_B * channels + i] = fmaf(-a, c.rest, bias);
  out[BN_MEAN * channels + i] = c.mean;
  out[BN_INVERSE_STD * channels + i] = inverse_std;
  out[BN_VARIANCE * channels + i] = variance;
}

DEVICE float moved(float old, float measured, float momentum, float factor) {
  return fmaf(momentum, fmaf(factor, measured, -old), old);
}

/* What the gradient of one channel is made of, as it lies in memory. */
struct channel {
  float a, inverse_std, mean;
  uint64_t count, sum; /* bits of f64; 0: statistics were constants */

  static DEVICE_MEMBER channel read(const float *coefficients, const double *sums, int channels, int i) {
    const uint64_t *bits = (const uint64_t *)sums;
    return {coefficients[BN_A * channels + i], coefficients[BN_INVERSE_STD * channels + i],
            coefficients[BN_MEAN * channels + i], bits ? bits[BN_SUMS_COUNT * channels + i] : 0,
            bits ? bits[BN_SUMS_SUM * channels + i] : 0};
  }

  /* From the sums `s` of g and `q` of g (x - mean). */
  DEVICE_MEMBER void set_gradients(float *out, int channels, int i, float s, float q) const {
    float products = q, k0 = 0, k1 = 0;
    if (count) {
      float rows = narrow(count), rest = quotient_less(sum, count, mean); /* the mean is rounded */
      products = fmaf(-rest, s, q);
      k1 = a * inverse_std * (inverse_std * products / rows); /* so that no product is subnormal */
      k0 = fmaf(k1, rest, -(a * s / rows));
    }
    out[BN_K1 * channels + i] = k1;
    out[BN_K0 * channels + i] = k0;
    out[BN_WEIGHT_GRADIENT * channels + i] = products * inverse_std;
    out[BN_BIAS_GRADIENT * channels + i] = s;
  }
};

#endif
