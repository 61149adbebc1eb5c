/* find_nan.cu - is there a NaN? */
#include "pointers.cuh"
#include "values.cuh"

/* Groups of eight that a thread takes. */
enum { THREADS = 256, GROUPS = 4 };

DEVICE bool is_nan(float x) { return x != x; }

DEVICE bool has_nan(const float (&x)[EIGHT]) {
  bool found = false;
  UNROLL
  for (int j = 0; j < EIGHT; j++)
    found = found || is_nan(x[j]);
  return found;
}

__global__ void THREADS_A_BLOCK(THREADS) find_nan(icl__cuda_in x, int64_t count, int32_t *flag) {
  bool found = false;
  UNROLL
  for (int k = 0; k < GROUPS; k++) {
    int64_t first = (((int64_t)blockIdx.x * GROUPS + k) * THREADS + threadIdx.x) * EIGHT;
    float v[EIGHT] = {0};
    if (first + EIGHT <= count)
      load_eight(x.data, x.dtype, first, v);
    else
      for (int j = 0; j < EIGHT && first + j < count; j++)
        found = found || is_nan(load_one(x.data, x.dtype, first + j));
    found = found || has_nan(v);
  }
  if (__any_sync(ALL_LANES, found) && threadIdx.x % WARP == 0)
    atomicExch(flag, 1);
}

cudaError_t icl__cuda_find_nan(icl__cuda_in x, int64_t count, int32_t *flag, cudaStream_t stream) {
  return ICL_LAUNCH(find_nan, dim3(icl__blocks(count, GROUPS * THREADS * EIGHT)), dim3(THREADS), 0, stream, x, count,
                    flag);
}
