/* wide_normalize.cu - bytes to normalized floats: division by 255 in f32, the rest in f64, as on the CPU. There are
 * only 256 results a channel, so each block computes them once, and the pixels look them up. */
#include "pointers.cuh"
#include "values.cuh"
#include "wide_values.cuh"

enum { THREADS = 256, BYTES = 256, PIXELS = 8 * THREADS, MOST_BYTES = 32 << 10 }; /* of a table */

DEVICE double normalized(unsigned byte, double mean, double std) {
  return ((double)((float)byte / 255.0f) - mean) / std;
}

template <class Values>
__global__ void THREADS_A_BLOCK(THREADS)
    normalize(const uint8_t *__restrict__ x, const double *__restrict__ mean, const double *__restrict__ std,
              int64_t count, int c, icl__cuda_out y) {
  ICL_DYNAMIC_SHARED(typename Values::real, table);
  for (int i = threadIdx.x; i < BYTES * c; i += THREADS)
    table[i] = (typename Values::real)normalized((unsigned)(i / c), mean[i % c], std[i % c]);
  __syncthreads();
  int64_t first = (int64_t)blockIdx.x * PIXELS * c, end = first + (int64_t)PIXELS * c;
  for (int64_t i = first + threadIdx.x; i < end && i < count; i += THREADS)
    Values::write(y.data, y.dtype, i, table[x[i] * c + (int)(i % c)]);
}

/* Too many channels for a table. */
template <class Values>
__global__ void THREADS_A_BLOCK(THREADS)
    normalize_each(const uint8_t *__restrict__ x, const double *__restrict__ mean, const double *__restrict__ std,
                   int64_t count, int c, icl__cuda_out y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i < count)
    Values::write(y.data, y.dtype, i, (typename Values::real)normalized(x[i], mean[i % c], std[i % c]));
}

template <class Values>
static cudaError_t launch(const uint8_t *x, const double *mean, const double *std, int64_t pixels, int32_t c,
                          icl__cuda_out y, cudaStream_t stream) {
  int64_t count = pixels * c, bytes = (int64_t)BYTES * c * (int64_t)sizeof(typename Values::real);
  if (bytes > MOST_BYTES)
    return ICL_LAUNCH(normalize_each<Values>, dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, x, mean, std,
                      count, c, y);
  return ICL_LAUNCH(normalize<Values>, dim3(icl__blocks(pixels, PIXELS)), dim3(THREADS), (unsigned)bytes, stream, x,
                    mean, std, count, c, y);
}

cudaError_t icl__cuda_normalize(const uint8_t *x, const double *mean, const double *std, int64_t pixels, int32_t c,
                                icl__cuda_out y, cudaStream_t stream) {
  return y.dtype == ICL_F64 ? launch<f64_values>(x, mean, std, pixels, c, y, stream)
                            : launch<f32_values>(x, mean, std, pixels, c, y, stream);
}
