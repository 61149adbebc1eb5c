/* norm_apply.cu - the elementwise ops of batch norm: each reads its images once and writes once. */
#include "norm.cuh"

enum op { SCALE_SHIFT, SCALE_SHIFT_RELU, SCALE, SUMS_GRAD, INPUT_GRAD, INPUT_GRAD_MASK, SCALE_MASK };
enum { THREADS = 256 };

/* What each op needs. */
DEVICE constexpr bool reads_g(op f) { return f == SCALE || f >= INPUT_GRAD; }
DEVICE constexpr bool reads_x(op f) { return f != SCALE; }
DEVICE constexpr bool reads_k(op f) { return f == SUMS_GRAD || f == INPUT_GRAD || f == INPUT_GRAD_MASK; }
DEVICE constexpr bool is_masked(op f) { return f == INPUT_GRAD_MASK || f == SCALE_MASK; }

/* The means that k0 - k1 (x - mean) is around. */
template <int V> DEVICE void means_of(const double *sums, int channels, int column, float (&mean)[V]) {
  float count[V], sum[V];
  load(sums, ICL_F64, BN_SUMS_COUNT * channels + column, count);
  load(sums, ICL_F64, BN_SUMS_SUM * channels + column, sum);
  UNROLL
  for (int j = 0; j < V; j++)
    mean[j] = sum[j] / count[j];
}

template <op f, int V>
__global__ void THREADS_A_BLOCK(THREADS) bn_apply(const icl__cuda_bn o, int64_t groups, int channels) {
  int64_t group = (int64_t)blockIdx.x * THREADS + threadIdx.x, first = group * V;
  if (group >= groups)
    return;
  int column = (int)(first % channels);
  columns<V> c;
  float g[V], x[V], k0[V], k1[V], rest[V], y[V];
  if (f != SUMS_GRAD)
    c = columns<V>(o.coefficients, channels, column);
  else
    means_of(o.sums, channels, column, c.mean);
  if (reads_g(f))
    load(o.g.data, o.g.dtype, first, g);
  if (reads_x(f))
    load(o.x.data, o.x.dtype, first, x);
  if (o.rest.data)
    load(o.rest.data, o.rest.dtype, first, rest);
  if (reads_k(f)) {
    load(o.k, ICL_F32, BN_K0 * channels + column, k0);
    load(o.k, ICL_F32, BN_K1 * channels + column, k1);
  }
  UNROLL
  for (int j = 0; j < V; j++) {
    y[j] = reads_k(f) ? k0[j] - k1[j] * (x[j] - c.mean[j]) : 0;
    if (reads_g(f))
      y[j] += !is_masked(f) || c.normalized(j, x[j]) > 0 ? c.a[j] * g[j] : 0;
    if (f == SCALE_SHIFT || f == SCALE_SHIFT_RELU)
      y[j] = c.normalized(j, x[j]);
    if (o.rest.data)
      y[j] += rest[j];
    if (f == SCALE_SHIFT_RELU)
      y[j] = y[j] < 0 ? 0 : y[j];
  }
  store(o.y.data, o.y.dtype, first, y);
}

template <op f> static cudaError_t apply(const icl__cuda_bn *o, icl__cuda_table size, cudaStream_t stream) {
  int64_t count = size.rows * size.channels;
  if (size.channels % EIGHT)
    return ICL_LAUNCH((bn_apply<f, 1>), dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, *o, count,
                      (int)size.channels);
  return ICL_LAUNCH((bn_apply<f, EIGHT>), dim3(icl__blocks(count / EIGHT, THREADS)), dim3(THREADS), 0, stream, *o,
                    count / EIGHT, (int)size.channels);
}

cudaError_t icl__cuda_scale_shift(const icl__cuda_bn *o, bool relu, icl__cuda_table size, cudaStream_t stream) {
  return relu ? apply<SCALE_SHIFT_RELU>(o, size, stream) : apply<SCALE_SHIFT>(o, size, stream);
}

cudaError_t icl__cuda_bn_scale(const icl__cuda_bn *o, icl__cuda_table size, cudaStream_t stream) {
  return apply<SCALE>(o, size, stream);
}

cudaError_t icl__cuda_bn_sums_grad(const icl__cuda_bn *o, icl__cuda_table size, cudaStream_t stream) {
  return apply<SUMS_GRAD>(o, size, stream);
}

cudaError_t icl__cuda_bn_input_grad(const icl__cuda_bn *o, bool mask, icl__cuda_table size, cudaStream_t stream) {
  return mask ? apply<INPUT_GRAD_MASK>(o, size, stream) : apply<INPUT_GRAD>(o, size, stream);
}

cudaError_t icl__cuda_bn_scale_mask(const icl__cuda_bn *o, icl__cuda_table size, cudaStream_t stream) {
  return apply<SCALE_MASK>(o, size, stream);
}
