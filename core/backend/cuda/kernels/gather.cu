/* gather.cu - rows and elements at an index, and labels. An index outside the axis is moved to its end;
 * what is no label makes NaN. */
#include "pointers.cuh"

enum { THREADS = 256 };

template <class Element>
__global__ void THREADS_A_BLOCK(THREADS) gather(const Element *__restrict__ x, const int64_t *__restrict__ index,
                                                int64_t count, int64_t limit, int64_t size, Element *__restrict__ y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i < count)
    y[i] = x[kept_within(index[i / size], limit - 1) * size + i % size];
}

/* Arrays (outer, size, inner) that differ in size alone: elements of `x` at the positions of the result. */
template <class Element>
__global__ void THREADS_A_BLOCK(THREADS)
    gather_along(const Element *__restrict__ x, const int64_t *__restrict__ index, icl__cuda_series s, int64_t length,
                 int64_t count, Element *__restrict__ y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i < count)
    y[i] = x[(i / s.inner / length * s.size + kept_within(index[i], s.size - 1)) * s.inner + i % s.inner];
}

__global__ void THREADS_A_BLOCK(THREADS)
    one_hot(const int64_t *__restrict__ labels, int64_t count, int classes, float *__restrict__ y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i >= count)
    return;
  int64_t label = labels[i / classes];
  y[i] = label < 0 || label >= classes ? __uint_as_float(0x7fc00000) : i % classes == label;
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

template <class Element>
static cudaError_t launch_along(const void *x, const int64_t *index, const icl__cuda_series *s, int64_t length, void *y,
                                cudaStream_t stream) {
  int64_t count = s->outer * length * s->inner;
  return ICL_LAUNCH(gather_along<Element>, grid_of(count), dim3(THREADS), 0, stream, (const Element *)x, index, *s,
                    length, count, (Element *)y);
}

cudaError_t icl__cuda_gather_along(const void *x, const int64_t *index, const icl__cuda_series *s, int64_t length,
                                   int bytes, void *y, cudaStream_t stream) {
  switch (bytes) {
  case 1:
    return launch_along<uint8_t>(x, index, s, length, y, stream);
  case 2:
    return launch_along<uint16_t>(x, index, s, length, y, stream);
  case 4:
    return launch_along<uint32_t>(x, index, s, length, y, stream);
  default:
    return launch_along<uint64_t>(x, index, s, length, y, stream);
  }
}

cudaError_t icl__cuda_one_hot(const int64_t *labels, int64_t n, int32_t classes, float *y, cudaStream_t stream) {
  return ICL_LAUNCH(one_hot, grid_of(n * classes), dim3(THREADS), 0, stream, labels, n * classes, classes, y);
}
