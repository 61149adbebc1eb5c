/* gather_grad.cuh - what was taken from an index is added there: each element of the result looks for its terms, in
 * their order. VALUES is what it is computed in, NAME what the functions are called. */
#include "pointers.cuh"
#include "values.cuh"

enum { THREADS = 256 };

template <class Values>
__global__ void THREADS_A_BLOCK(THREADS) gather_grad(icl__cuda_in g, const int64_t *__restrict__ index, int64_t rows,
                                                     int64_t size, int64_t columns, icl__cuda_out y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i >= size * columns)
    return;
  typename Values::real sum = 0;
  for (int64_t row = 0; row < rows; row++)
    if (kept_within(index[row], size - 1) == i / columns)
      sum += Values::read(g.data, g.dtype, row * columns + i % columns);
  Values::write(y.data, y.dtype, i, sum);
}

/* y (outer, size, inner), g and index (outer, length, inner) */
template <class Values>
__global__ void THREADS_A_BLOCK(THREADS)
    gather_along_grad(icl__cuda_in g, const int64_t *__restrict__ index, icl__cuda_series s, int64_t length,
                      int64_t count, icl__cuda_out y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i >= count)
    return;
  int64_t position = i / s.inner % s.size, at = i / s.inner / s.size * length * s.inner + i % s.inner;
  typename Values::real sum = 0;
  for (int64_t k = 0; k < length; k++, at += s.inner)
    if (kept_within(index[at], s.size - 1) == position)
      sum += Values::read(g.data, g.dtype, at);
  Values::write(y.data, y.dtype, i, sum);
}

cudaError_t NAME(gather_grad)(icl__cuda_in g, const int64_t *index, int64_t rows, int64_t size, int64_t columns,
                              icl__cuda_out y, cudaStream_t stream) {
  return ICL_LAUNCH(gather_grad<VALUES>, dim3(icl__blocks(size * columns, THREADS)), dim3(THREADS), 0, stream, g, index,
                    rows, size, columns, y);
}

cudaError_t NAME(gather_along_grad)(icl__cuda_in g, const int64_t *index, const icl__cuda_series *s, int64_t length,
                                    icl__cuda_out y, cudaStream_t stream) {
  int64_t count = s->outer * s->size * s->inner;
  return ICL_LAUNCH(gather_along_grad<VALUES>, dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, g, index,
                    *s, length, count, y);
}
