/* norm_tables.cu - the ops of batch norm on tables: one thread a channel. */
#include "norm.cuh"

enum { THREADS = 128 };

DEVICE int this_channel() { return (int)(blockIdx.x * THREADS + threadIdx.x); }

__global__ void bn_coefficients(const double *__restrict__ sums, const float *__restrict__ weight,
                                const float *__restrict__ bias, float eps, int channels, float *__restrict__ out) {
  int i = this_channel();
  if (i >= channels)
    return;
  const uint64_t *bits = (const uint64_t *)sums;
  uint64_t count = bits[BN_SUMS_COUNT * channels + i], sum = bits[BN_SUMS_SUM * channels + i];
  float variance = narrow(bits[BN_SUMS_SQUARES * channels + i]) / narrow(count);
  set_coefficients(out, channels, i, weight[i], bias[i], center::of(sum, count), variance, eps);
}

__global__ void bn_inference(const float *__restrict__ weight, const float *__restrict__ bias,
                             const float *__restrict__ mean, const float *__restrict__ variance, float eps,
                             int channels, float *__restrict__ out) {
  int i = this_channel();
  if (i < channels)
    set_coefficients(out, channels, i, weight[i], bias[i], {mean[i], 0}, variance[i], eps);
}

/* `old` and `out` may be one. */
__global__ void bn_running(const float *measured, const float *old, float momentum, float factor, int channels,
                           float *out) {
  int i = this_channel();
  if (i < channels)
    out[i] = moved(old[i], measured[i], momentum, factor);
}

__global__ void bn_coefficients_grad(const double *__restrict__ scale_sums, const float *__restrict__ coefficients,
                                     const double *__restrict__ sums, int channels, float *__restrict__ out) {
  int i = this_channel();
  if (i >= channels)
    return;
  const uint64_t *bits = (const uint64_t *)scale_sums;
  float s = narrow(bits[BN_SCALE_SUM * channels + i]), q = narrow(bits[BN_SCALE_PRODUCTS * channels + i]);
  channel::read(coefficients, sums, channels, i).set_gradients(out, channels, i, s, q);
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
