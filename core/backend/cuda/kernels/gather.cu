/* gather.cu - rows at an index, and labels. An index outside the axis is moved to its end. */
#include "pointers.cuh"
#include "values.cuh"

enum { THREADS = 256 };

template <class Element>
__global__ void THREADS_A_BLOCK(THREADS) gather(const Element *__restrict__ x, const int64_t *__restrict__ index,
                                                int64_t count, int64_t limit, int64_t size, Element *__restrict__ y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i < count)
    y[i] = x[kept_within(index[i / size], limit - 1) * size + i % size];
}

__global__ void THREADS_A_BLOCK(THREADS) gather_grad(icl__cuda_in g, const int64_t *__restrict__ index, int64_t rows,
                                                     int64_t size, int64_t columns, icl__cuda_out y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i >= size * columns)
    return;
  float sum = 0;
  for (int64_t row = 0; row < rows; row++)
    if (kept_within(index[row], size - 1) == i / columns)
      sum += load_one(g.data, g.dtype, row * columns + i % columns);
  store_one(y.data, y.dtype, i, sum);
}

__global__ void THREADS_A_BLOCK(THREADS)
    one_hot(const int64_t *__restrict__ labels, int64_t count, int classes, float *__restrict__ y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i < count)
    y[i] = i % classes == kept_within(labels[i / classes], classes - 1);
}

static dim3 grid_of(int64_t count) { return dim3(icl__blocks(count, THREADS)); }

template <class Element>
static cudaError_t launch(const void *x, const int64_t *index, int64_t rows, int64_t limit, int64_t bytes, void *y,
                          cudaStream_t stream) {
  int64_t size = bytes / (int64_t)sizeof(Element);
  return ICL_LAUNCH(gather<Element>, grid_of(rows * size), dim3(THREADS), 0, stream, (const Element *)x, index,
                    rows * size, limit, size, (Element *)y);
}

cudaError_t icl__cuda_gather(const void *x, const int64_t *index, int64_t rows, int64_t limit, int64_t bytes, void *y,
                             cudaStream_t stream) {
  if (bytes % 16 == 0)
    return launch<uint4>(x, index, rows, limit, bytes, y, stream);
  if (bytes % 4 == 0)
    return launch<uint32_t>(x, index, rows, limit, bytes, y, stream);
  return launch<uint8_t>(x, index, rows, limit, bytes, y, stream);
}

cudaError_t icl__cuda_gather_grad(icl__cuda_in g, const int64_t *index, int64_t rows, int64_t size, int64_t columns,
                                  icl__cuda_out y, cudaStream_t stream) {
  return ICL_LAUNCH(gather_grad, grid_of(size * columns), dim3(THREADS), 0, stream, g, index, rows, size, columns, y);
}

cudaError_t icl__cuda_one_hot(const int64_t *labels, int64_t n, int32_t classes, float *y, cudaStream_t stream) {
  return ICL_LAUNCH(one_hot, grid_of(n * classes), dim3(THREADS), 0, stream, labels, n * classes, classes, y);
}
