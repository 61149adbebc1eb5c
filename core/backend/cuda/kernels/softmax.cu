/* softmax.cu - softmax and cross entropy in f32, and the gradient of the latter in one pass. */
#define VALUES     f32_values
#define NAME(name) icl__cuda_##name
#include "softmax.cuh"

__global__ void THREADS_A_BLOCK(THREADS) cross_entropy_grad(const float *__restrict__ g, icl__cuda_in x,
                                                            icl__cuda_in target, int64_t rows, int k, icl__cuda_out y) {
  row r = this_row(k);
  if (r.number >= rows)
    return;
  float largest, all, weight = 0, scale = g[r.number];
  measure<f32_values>(x, r, k, largest, all);
  for (int i = r.lane; i < k; i += WARP)
    weight += load_one(target.data, target.dtype, r.first + i);
  weight = sum_of_warp(weight);
  for (int i = r.lane; i < k; i += WARP) {
    float z = load_one(x.data, x.dtype, r.first + i) - largest - all,
          t = load_one(target.data, target.dtype, r.first + i);
    store_one(y.data, y.dtype, r.first + i, scale * (weight * expf(z) - t));
  }
}

cudaError_t icl__cuda_cross_entropy_grad(const float *g, icl__cuda_in x, icl__cuda_in target, int64_t rows, int32_t k,
                                         icl__cuda_out y, cudaStream_t stream) {
  return ICL_LAUNCH(cross_entropy_grad, grid_of(rows), dim3(THREADS), 0, stream, g, x, target, rows, k, y);
}
