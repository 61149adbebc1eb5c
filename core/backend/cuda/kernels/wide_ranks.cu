/* wide_ranks.cu - what the ranks of a group sent becomes one: sums in the order of ranks, and tables of bn_sums. */
#include "pointers.cuh"

#include "ops/batch_norm.h"

enum { THREADS = 256 };

/* Where element i of what this rank adds lies among all. */
DEVICE int64_t place_of(const icl__cuda_shares &s, int64_t i) {
  return i < s.shard ? s.rank * s.shard + i : s.ranks * s.shard + (i - s.shard);
}

template <class Element>
__global__ void THREADS_A_BLOCK(THREADS) add_shares(const __grid_constant__ icl__cuda_shares s) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x, count = s.shard + s.rest;
  if (i >= count)
    return;
  Element *own = (Element *)s.data + place_of(s, i), sum = 0;
  for (int r = 0; r < s.ranks; r++) {
    Element more = r == s.rank ? *own : ((const Element *)s.received)[r * count + i];
    sum = r ? sum + more : more;
  }
  *own = sum;
}

template <class Element> static cudaError_t launch(const icl__cuda_shares *s, cudaStream_t stream) {
  return ICL_LAUNCH(add_shares<Element>, dim3(icl__blocks(s->shard + s->rest, THREADS)), dim3(THREADS), 0, stream, *s);
}

cudaError_t icl__cuda_add_shares(const icl__cuda_shares *s, icl_dtype dtype, cudaStream_t stream) {
  switch (dtype) {
  case ICL_F32:
    return launch<float>(s, stream);
  case ICL_F64:
    return launch<double>(s, stream);
  default: /* i64, which may wrap around */
    return launch<uint64_t>(s, stream);
  }
}

/* One thread a channel: the rule of backend/bn_sums.h. */
__global__ void THREADS_A_BLOCK(THREADS)
    join_tables(const double *__restrict__ tables, int64_t stride, int ranks, int channels, double *__restrict__ out) {
  int i = (int)(blockIdx.x * THREADS + threadIdx.x);
  if (i >= channels)
    return;
  double count = 0, sum = 0, squares = 0;
  for (int r = 0; r < ranks; r++) {
    const double *table = tables + r * stride + i;
    double m = table[BN_SUMS_COUNT * channels], more = table[BN_SUMS_SUM * channels];
    if (count > 0 && m > 0) {
      double step = more / m - sum / count;
      squares += step * step * (count / (count + m)) * m;
    }
    squares += table[BN_SUMS_SQUARES * channels];
    sum += more;
    count += m;
  }
  out[BN_SUMS_COUNT * channels + i] = count;
  out[BN_SUMS_SUM * channels + i] = sum;
  out[BN_SUMS_SQUARES * channels + i] = squares;
}

cudaError_t icl__cuda_join_tables(const double *tables, int64_t stride, int32_t ranks, int32_t channels, double *out,
                                  cudaStream_t stream) {
  return ICL_LAUNCH(join_tables, dim3(icl__blocks(channels, THREADS)), dim3(THREADS), 0, stream, tables, stride, ranks,
                    channels, out);
}
