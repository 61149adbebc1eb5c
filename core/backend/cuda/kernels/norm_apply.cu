/* norm_apply.cu - the elementwise ops of batch norm: each reads its images once and writes once. */
#include "norm.cuh"

enum op { SCALE_SHIFT, SCALE_SHIFT_RELU, SCALE, SUMS_GRAD, INPUT_GRAD, INPUT_GRAD_MASK, SCALE_MASK };
enum { THREADS = 128 };

/* What each op needs. */
DEVICE constexpr bool reads_g(op f) { return f == SCALE || f >= INPUT_GRAD; }
DEVICE constexpr bool reads_x(op f) { return f != SCALE; }
DEVICE constexpr bool reads_k(op f) { return f == SUMS_GRAD || f == INPUT_GRAD || f == INPUT_GRAD_MASK; }
DEVICE constexpr bool is_masked(op f) { return f == INPUT_GRAD_MASK || f == SCALE_MASK; }

/* One group of V values of each image. */
template <op f, int V> struct group {
  raw<V> g, x, rest;

  DEVICE_MEMBER void read(const icl__cuda_bn &o, int64_t first) {
    if (reads_g(f))
      g.read(o.g.data, o.g.dtype, first);
    if (reads_x(f))
      x.read(o.x.data, o.x.dtype, first);
    if (o.rest.data)
      rest.read(o.rest.data, o.rest.dtype, first);
  }

  DEVICE_MEMBER void write(const icl__cuda_bn &o, const columns<V> &c, const float (&k0)[V], const float (&k1)[V],
                           int64_t first) const {
    float gs[V], xs[V], rests[V], y[V];
    if (reads_g(f))
      g.unpack(o.g.dtype, gs);
    if (reads_x(f))
      x.unpack(o.x.dtype, xs);
    if (o.rest.data)
      rest.unpack(o.rest.dtype, rests);
    UNROLL
    for (int j = 0; j < V; j++) {
      y[j] = reads_k(f) ? k0[j] - k1[j] * (xs[j] - c.mean[j]) : 0;
      if (reads_g(f))
        y[j] += !is_masked(f) || c.normalized(j, xs[j]) > 0 ? c.a[j] * gs[j] : 0;
      if (f == SCALE_SHIFT || f == SCALE_SHIFT_RELU)
        y[j] = c.normalized(j, xs[j]);
      if (o.rest.data)
        y[j] += rests[j];
      if (f == SCALE_SHIFT_RELU)
        y[j] = y[j] < 0 ? 0 : y[j];
    }
    store(o.y.data, o.y.dtype, first, y);
  }
};

/* A thread takes one group in each part of the table, in the same columns: the coefficients are read once for all of
 * them, and their loads are under way together. */
template <op f, int V, int PARTS>
__global__ void THREADS_A_BLOCK(THREADS)
    bn_apply(const icl__cuda_bn o, int64_t groups, int64_t groups_of_part, int channels) {
  int64_t first = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (first >= groups_of_part)
    return;
  /* 32 bits: the division of 64 is a call, before which everything under way is waited for. */
  int column = (int)((unsigned)first % (unsigned)(channels / V)) * V;
  group<f, V> parts[PARTS];
  UNROLL
  for (int p = 0; p < PARTS; p++)
    if (first + p * groups_of_part < groups)
      parts[p].read(o, (first + p * groups_of_part) * V);
  columns<V> c;
  float k0[V], k1[V];
  if (f != SUMS_GRAD)
    c = columns<V>(o.coefficients, channels, column);
  else {
    UNROLL
    for (int j = 0; j < V; j++)
      c.mean[j] = mean_less(o.sums, channels, column + j, 0);
  }
  if (reads_k(f)) {
    load_row(o.k, channels, BN_K0, column, k0);
    load_row(o.k, channels, BN_K1, column, k1);
  }
  UNROLL
  for (int p = 0; p < PARTS; p++)
    if (first + p * groups_of_part < groups)
      parts[p].write(o, c, k0, k1, (first + p * groups_of_part) * V);
}

template <op f, int V, int PARTS>
static cudaError_t launch(const icl__cuda_bn *o, icl__cuda_table size, cudaStream_t stream) {
  int64_t groups_of_row = size.channels / V, part = (size.rows + PARTS - 1) / PARTS * groups_of_row;
  return ICL_LAUNCH((bn_apply<f, V, PARTS>), dim3(icl__blocks(part, THREADS)), dim3(THREADS), 0, stream, *o,
                    size.rows * groups_of_row, part, (int)size.channels);
}

template <op f> static cudaError_t apply(const icl__cuda_bn *o, icl__cuda_table size, cudaStream_t stream) {
  return size.channels % EIGHT ? launch<f, 1, 1>(o, size, stream) : launch<f, EIGHT, 2>(o, size, stream);
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
