/* softmax.cuh - softmax, its logarithm, and the cross entropy with a target distribution: a warp for each row. VALUES
 * is what it is computed in, NAME what the functions are called. */
#include "pointers.cuh"
#include "values.cuh"

enum { ROWS = 4, THREADS = ROWS * WARP };

template <class T> DEVICE T largest_of_warp(T x) {
  for (int offset = WARP / 2; offset > 0; offset /= 2)
    x = larger(x, __shfl_xor_sync(ALL_LANES, x, offset));
  return x;
}

template <class T> DEVICE T sum_of_warp(T x) {
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
template <class Values>
DEVICE void measure(icl__cuda_in x, const row &r, int k, typename Values::real &largest,
                    typename Values::real &logarithm) {
  largest = -INFINITY;
  for (int i = r.lane; i < k; i += WARP)
    largest = larger(largest, Values::read(x.data, x.dtype, r.first + i));
  largest = largest_of_warp(largest);
  typename Values::real sum = 0;
  for (int i = r.lane; i < k; i += WARP)
    sum += exp(Values::read(x.data, x.dtype, r.first + i) - largest);
  logarithm = log(sum_of_warp(sum));
}

template <class Values>
__global__ void THREADS_A_BLOCK(THREADS) softmax(icl__cuda_in x, int64_t rows, int k, int logarithm, icl__cuda_out y) {
  row r = this_row(k);
  if (r.number >= rows)
    return;
  typename Values::real largest, all;
  measure<Values>(x, r, k, largest, all);
  for (int i = r.lane; i < k; i += WARP) {
    typename Values::real z = Values::read(x.data, x.dtype, r.first + i) - largest - all;
    Values::write(y.data, y.dtype, r.first + i, logarithm ? z : exp(z));
  }
}

/* A class of weight 0 adds nothing, be its logit -inf. */
template <class Values>
__global__ void THREADS_A_BLOCK(THREADS)
    cross_entropy(icl__cuda_in x, icl__cuda_in target, int64_t rows, int k, typename Values::real *loss) {
  row r = this_row(k);
  if (r.number >= rows)
    return;
  typename Values::real largest, all, sum = 0;
  measure<Values>(x, r, k, largest, all);
  for (int i = r.lane; i < k; i += WARP) {
    typename Values::real t = Values::read(target.data, target.dtype, r.first + i);
    sum += t == 0 ? 0 : t * (all + (largest - Values::read(x.data, x.dtype, r.first + i)));
  }
  sum = sum_of_warp(sum);
  if (r.lane == 0)
    loss[r.number] = sum;
}

static dim3 grid_of(int64_t rows) { return dim3(icl__blocks(rows, ROWS)); }

cudaError_t NAME(softmax)(icl__cuda_in x, int64_t rows, int32_t k, bool logarithm, icl__cuda_out y,
                          cudaStream_t stream) {
  return ICL_LAUNCH(softmax<VALUES>, grid_of(rows), dim3(THREADS), 0, stream, x, rows, k, (int)logarithm, y);
}

cudaError_t NAME(cross_entropy)(icl__cuda_in x, icl__cuda_in target, int64_t rows, int32_t k, void *loss,
                                cudaStream_t stream) {
  return ICL_LAUNCH(cross_entropy<VALUES>, grid_of(rows), dim3(THREADS), 0, stream, x, target, rows, k,
                    (VALUES::real *)loss);
}
