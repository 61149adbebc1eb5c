/* norm.cuh - what the kernels of batch norm share. */
#ifndef ICL_BACKEND_CUDA_KERNELS_NORM_CUH
#define ICL_BACKEND_CUDA_KERNELS_NORM_CUH

#include "kernels.h"
#include "ops/batch_norm.h"
#include "pointers.cuh"
#include "values.cuh"

/* V columns of the coefficients. */
template <int V> struct columns {
  float a[V], b[V], mean[V];

  columns() = default;
  DEVICE_MEMBER columns(const float *coefficients, int channels, int column) {
    load(coefficients, ICL_F32, BN_A * channels + column, a);
    load(coefficients, ICL_F32, BN_B * channels + column, b);
    load(coefficients, ICL_F32, BN_MEAN * channels + column, mean);
  }
  /* Rounded in one way, so that a mask made from it again is the mask that the forward pass had. */
  DEVICE_MEMBER float normalized(int j, float x) const { return fmaf(a[j], x - mean[j], b[j]); }
};

/* ---- one channel of a table ---- */

DEVICE float wide_at(const double *table, int channels, int row, int i) {
  return load_one(table, ICL_F64, (int64_t)row * channels + i);
}

DEVICE void set_coefficients(float *out, int channels, int i, float weight, float bias, float mean, float variance,
                             float eps) {
  float inverse_std = 1 / sqrtf(variance + eps);
  out[BN_A * channels + i] = weight * inverse_std;
  out[BN_B * channels + i] = bias;
  out[BN_MEAN * channels + i] = mean;
  out[BN_INVERSE_STD * channels + i] = inverse_std;
  out[BN_VARIANCE * channels + i] = variance;
}

DEVICE float moved(float old, float measured, float momentum, float factor) {
  return fmaf(momentum, fmaf(factor, measured, -old), old);
}

/* From the sums `s` of g and `q` of g (x - mean); `sums` NULL: statistics were constants. */
DEVICE void set_gradients(float *out, int channels, int i, float s, float q, const float *coefficients,
                          const double *sums) {
  float a = coefficients[BN_A * channels + i], inverse_std = coefficients[BN_INVERSE_STD * channels + i];
  float k0 = 0, k1 = 0;
  if (sums) { /* the mean of the coefficients may be a rounded one */
    float count = wide_at(sums, channels, BN_SUMS_COUNT, i);
    float rest = wide_at(sums, channels, BN_SUMS_SUM, i) / count - coefficients[BN_MEAN * channels + i];
    q = fmaf(-rest, s, q);
    k1 = a * inverse_std * inverse_std * q / count;
    k0 = fmaf(k1, rest, -(a * s / count));
  }
  out[BN_K1 * channels + i] = k1;
  out[BN_K0 * channels + i] = k0;
  out[BN_WEIGHT_GRADIENT * channels + i] = q * inverse_std;
  out[BN_BIAS_GRADIENT * channels + i] = s;
}

#endif
