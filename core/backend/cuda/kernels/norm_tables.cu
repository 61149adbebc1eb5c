/* norm_tables.cu - the ops of batch norm on tables: one thread a channel. */
#include "norm.cuh"

enum { THREADS = 128 };

DEVICE int this_channel() { return (int)(blockIdx.x * THREADS + threadIdx.x); }

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

__global__ void bn_coefficients(const double *__restrict__ sums, const float *__restrict__ weight,
                                const float *__restrict__ bias, float eps, int channels, float *__restrict__ out) {
  int i = this_channel();
  if (i >= channels)
    return;
  float count = wide_at(sums, channels, BN_SUMS_COUNT, i);
  set_coefficients(out, channels, i, weight[i], bias[i], wide_at(sums, channels, BN_SUMS_SUM, i) / count,
                   wide_at(sums, channels, BN_SUMS_SQUARES, i) / count, eps);
}

__global__ void bn_inference(const float *__restrict__ weight, const float *__restrict__ bias,
                             const float *__restrict__ mean, const float *__restrict__ variance, float eps,
                             int channels, float *__restrict__ out) {
  int i = this_channel();
  if (i < channels)
    set_coefficients(out, channels, i, weight[i], bias[i], mean[i], variance[i], eps);
}

/* `old` and `out` may be one. */
__global__ void bn_running(const float *measured, const float *old, float momentum, float factor, int channels,
                           float *out) {
  int i = this_channel();
  if (i < channels)
    out[i] = old[i] + momentum * (factor * measured[i] - old[i]);
}

__global__ void bn_coefficients_grad(const double *__restrict__ scale_sums, const float *__restrict__ coefficients,
                                     const double *__restrict__ sums, int channels, float *__restrict__ out) {
  int i = this_channel();
  if (i >= channels)
    return;
  float s = wide_at(scale_sums, channels, BN_SCALE_SUM, i), q = wide_at(scale_sums, channels, BN_SCALE_PRODUCTS, i);
  float a = coefficients[BN_A * channels + i], inverse_std = coefficients[BN_INVERSE_STD * channels + i];
  float k0 = 0, k1 = 0;
  if (sums) { /* the mean of the coefficients may be a rounded one */
    float count = wide_at(sums, channels, BN_SUMS_COUNT, i);
    float rest = wide_at(sums, channels, BN_SUMS_SUM, i) / count - coefficients[BN_MEAN * channels + i];
    q -= rest * s;
    k1 = a * inverse_std * inverse_std * q / count;
    k0 = k1 * rest - a * s / count;
  }
  out[BN_K1 * channels + i] = k1;
  out[BN_K0 * channels + i] = k0;
  out[BN_WEIGHT_GRADIENT * channels + i] = q * inverse_std;
  out[BN_BIAS_GRADIENT * channels + i] = s;
}

static dim3 grid_of(int32_t channels) { return dim3(icl__blocks(channels, THREADS)); }

cudaError_t icl__cuda_bn_coefficients(const double *sums, const float *weight, const float *bias, float eps,
                                      int32_t channels, float *coefficients, cudaStream_t stream) {
  return ICL_LAUNCH(bn_coefficients, grid_of(channels), dim3(THREADS), 0, stream, sums, weight, bias, eps, channels,
                    coefficients);
}

cudaError_t icl__cuda_bn_inference(const float *weight, const float *bias, const float *mean, const float *variance,
                                   float eps, int32_t channels, float *coefficients, cudaStream_t stream) {
  return ICL_LAUNCH(bn_inference, grid_of(channels), dim3(THREADS), 0, stream, weight, bias, mean, variance, eps,
                    channels, coefficients);
}

cudaError_t icl__cuda_bn_running(const float *coefficients, int row, const float *old, float momentum, float factor,
                                 int32_t channels, float *result, cudaStream_t stream) {
  return ICL_LAUNCH(bn_running, grid_of(channels), dim3(THREADS), 0, stream, coefficients + (int64_t)row * channels,
                    old, momentum, factor, channels, result);
}

cudaError_t icl__cuda_bn_coefficients_grad(const double *scale_sums, const float *coefficients, const double *sums,
                                           int32_t channels, float *k, cudaStream_t stream) {
  return ICL_LAUNCH(bn_coefficients_grad, grid_of(channels), dim3(THREADS), 0, stream, scale_sums, coefficients, sums,
                    channels, k);
}
