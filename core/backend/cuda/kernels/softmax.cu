/* softmax.cu - softmax, its logarithm, and the cross entropy with a target distribution, forward and backward: a warp
 * for each row. */
#include "pointers.cuh"
#include "values.cuh"

enum { ROWS = 4, THREADS = ROWS * WARP };

DEVICE float largest_of_warp(float x) {
  for (int offset = WARP / 2; offset > 0; offset /= 2)
    x = larger(x, __shfl_xor_sync(ALL_LANES, x, offset));
  return x;
}

DEVICE float sum_of_warp(float x) {
  for (int offset = WARP / 2; offset > 0; offset /= 2)
    x += __shfl_xor_sync(ALL_LANES, x, offset);
  return x;
}

/* One row as a lane sees it: its elements are lane, lane + 32 and so on of `k`. */
struct row {
  int64_t number, first;
  int lane;
};

/* Warps whose row is past the end leave as a whole. */
DEVICE row this_row(int k) {
  int64_t number = (int64_t)blockIdx.x * ROWS + threadIdx.x / WARP;
  return {number, number * k, (int)(threadIdx.x % WARP)};
}

/* The largest, and log sum exp(x - largest). */
DEVICE void measure(icl__cuda_in x, const row &r, int k, float &largest, float &logarithm) {
  largest = -INFINITY;
  for (int i = r.lane; i < k; i += WARP)
    largest = larger(largest, load_one(x.data, x.dtype, r.first + i));
  largest = largest_of_warp(largest);
  float sum = 0;
  for (int i = r.lane; i < k; i += WARP)
    sum += expf(load_one(x.data, x.dtype, r.first + i) - largest);
  logarithm = logf(sum_of_warp(sum));
}

__global__ void THREADS_A_BLOCK(THREADS) softmax(icl__cuda_in x, int64_t rows, int k, int logarithm, icl__cuda_out y) {
  row r = this_row(k);
  if (r.number >= rows)
    return;
  float largest, all;
  measure(x, r, k, largest, all);
  for (int i = r.lane; i < k; i += WARP) {
    float z = load_one(x.data, x.dtype, r.first + i) - largest - all;
    store_one(y.data, y.dtype, r.first + i, logarithm ? z : expf(z));
  }
}

/* A class of weight 0 adds nothing, be its logit -inf. */
__global__ void THREADS_A_BLOCK(THREADS)
    cross_entropy(icl__cuda_in x, icl__cuda_in target, int64_t rows, int k, float *loss) {
  row r = this_row(k);
  if (r.number >= rows)
    return;
  float largest, all, sum = 0;
  measure(x, r, k, largest, all);
  for (int i = r.lane; i < k; i += WARP) {
    float t = load_one(target.data, target.dtype, r.first + i);
    sum += t == 0 ? 0 : t * (all + (largest - load_one(x.data, x.dtype, r.first + i)));
  }
  sum = sum_of_warp(sum);
  if (r.lane == 0)
    loss[r.number] = sum;
}

__global__ void THREADS_A_BLOCK(THREADS) cross_entropy_grad(const float *__restrict__ g, icl__cuda_in x,
                                                            icl__cuda_in target, int64_t rows, int k, icl__cuda_out y) {
  row r = this_row(k);
  if (r.number >= rows)
    return;
  float largest, all, weight = 0, scale = g[r.number];
  measure(x, r, k, largest, all);
  for (int i = r.lane; i < k; i += WARP)
    weight += load_one(target.data, target.dtype, r.first + i);
  weight = sum_of_warp(weight);
  for (int i = r.lane; i < k; i += WARP) {
    float z = load_one(x.data, x.dtype, r.first + i) - largest - all,
          t = load_one(target.data, target.dtype, r.first + i);
    store_one(y.data, y.dtype, r.first + i, scale * (weight * expf(z) - t));
  }
}

static dim3 grid_of(int64_t rows) { return dim3(icl__blocks(rows, ROWS)); }

cudaError_t icl__cuda_softmax(icl__cuda_in x, int64_t rows, int32_t k, bool logarithm, icl__cuda_out y,
                              cudaStream_t stream) {
  return ICL_LAUNCH(softmax, grid_of(rows), dim3(THREADS), 0, stream, x, rows, k, (int)logarithm, y);
}

cudaError_t icl__cuda_cross_entropy(icl__cuda_in x, icl__cuda_in target, int64_t rows, int32_t k, float *loss,
                                    cudaStream_t stream) {
  return ICL_LAUNCH(cross_entropy, grid_of(rows), dim3(THREADS), 0, stream, x, target, rows, k, loss);
}

cudaError_t icl__cuda_cross_entropy_grad(const float *g, icl__cuda_in x, icl__cuda_in target, int64_t rows, int32_t k,
                                         icl__cuda_out y, cudaStream_t stream) {
  return ICL_LAUNCH(cross_entropy_grad, grid_of(rows), dim3(THREADS), 0, stream, g, x, target, rows, k, y);
}
