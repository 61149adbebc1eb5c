/* norm.cuh - what the kernels of batch norm share. */
#ifndef ICL_BACKEND_CUDA_KERNELS_NORM_CUH
#define ICL_BACKEND_CUDA_KERNELS_NORM_CUH

#include "kernels.h"
#include "ops/batch_norm.h"
#include "pointers.cuh"
#include "values.cuh"

/* ---- V channels of a table: all is read before anything is written, so that one wait is enough ---- */

template <int V> DEVICE void load_row(const float *table, int channels, int row, int column, float (&x)[V]) {
  load(table, ICL_F32, (int64_t)row * channels + column, x);
}

template <int V> DEVICE void load_row(const double *table, int channels, int row, int column, float (&x)[V]) {
  load(table, ICL_F64, (int64_t)row * channels + column, x);
}

/* The means that sums are of, less something. */
template <int V>
DEVICE void load_means(const double *sums, int channels, int column, const float (&less)[V], float (&mean)[V]) {
  const uint64_t *count = (const uint64_t *)sums + BN_SUMS_COUNT * channels + column;
  const uint64_t *sum = (const uint64_t *)sums + BN_SUMS_SUM * channels + column;
  UNROLL
  for (int j = 0; j < V; j++)
    mean[j] = quotient_less(sum[j], count[j], less[j]);
}

template <int V> DEVICE void store_row(float *table, int channels, int row, int column, const float (&x)[V]) {
  store(table, ICL_F32, (int64_t)row * channels + column, x);
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

template <int V>
DEVICE void set_coefficients(float *out, int channels, int column, const float (&weight)[V], const float (&bias)[V],
                             const float (&mean)[V], const float (&variance)[V], float eps) {
  float a[V], inverse_std[V];
  UNROLL
  for (int j = 0; j < V; j++) {
    inverse_std[j] = 1 / sqrtf(variance[j] + eps);
    a[j] = weight[j] * inverse_std[j];
  }
  store_row(out, channels, BN_A, column, a);
  store_row(out, channels, BN_B, column, bias);
  store_row(out, channels, BN_MEAN, column, mean);
  store_row(out, channels, BN_INVERSE_STD, column, inverse_std);
  store_row(out, channels, BN_VARIANCE, column, variance);
}

DEVICE float moved(float old, float measured, float momentum, float factor) {
  return fmaf(momentum, fmaf(factor, measured, -old), old);
}

/* From the sums `s` of g and `q` of g (x - mean); `sums` NULL: statistics were constants. */
template <int V>
DEVICE void set_gradients(float *out, int channels, int column, const float (&s)[V], const float (&q)[V],
                          const float *coefficients, const double *sums) {
  float a[V], inverse_std[V], mean[V], count[V], rest[V], k0[V], k1[V], weight[V];
  load_row(coefficients, channels, BN_A, column, a);
  load_row(coefficients, channels, BN_INVERSE_STD, column, inverse_std);
  if (sums) {
    load_row(coefficients, channels, BN_MEAN, column, mean);
    load_row(sums, channels, BN_SUMS_COUNT, column, count);
    load_means(sums, channels, column, mean, rest);
  }
  UNROLL
  for (int j = 0; j < V; j++) {
    float products = q[j];
    k0[j] = k1[j] = 0;
    if (sums) { /* the mean of the coefficients may be a rounded one */
      products = fmaf(-rest[j], s[j], products);
      k1[j] = a[j] * inverse_std[j] * (inverse_std[j] * products / count[j]); /* so that no product is subnormal */
      k0[j] = fmaf(k1[j], rest[j], -(a[j] * s[j] / count[j]));
    }
    weight[j] = products * inverse_std[j];
  }
  store_row(out, channels, BN_K1, column, k1);
  store_row(out, channels, BN_K0, column, k0);
  store_row(out, channels, BN_WEIGHT_GRADIENT, column, weight);
  store_row(out, channels, BN_BIAS_GRADIENT, column, s);
}

#endif
