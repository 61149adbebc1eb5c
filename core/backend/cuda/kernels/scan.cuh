/* scan.cuh - running sums along an axis.
 *
 * A block of 256 threads has `lanes` series beside each other, a power of two, and takes 256 / lanes elements of each
 * at a time: those are summed up in shared memory, and what came before is added. */
#include "pointers.cuh"
#include "tile.cuh"
#include "values.cuh"

template <class Values>
__global__ void THREADS_A_BLOCK(TILE)
    cumsum(icl__cuda_in x, icl__cuda_series s, int lanes, int reverse, icl__cuda_out y) {
  typedef typename Values::real real;
  ICL_SHARED(real, shared, TILE);
  int64_t groups = (s.inner + lanes - 1) / lanes, column = blockIdx.x % groups * lanes + tile_lane(lanes);
  int64_t begin = blockIdx.x / groups * s.size * s.inner + column;
  int rows = TILE / lanes, row = tile_row(lanes);
  real before = 0;
  for (int64_t first = 0; first < s.size; first += rows) {
    int64_t k = first + row, at = begin + (reverse ? s.size - 1 - k : k) * s.inner;
    bool inside = column < s.inner && k < s.size;
    real sum = inside ? Values::read(x.data, x.dtype, at) : 0;
    shared[threadIdx.x] = sum;
    __syncthreads();
    for (int step = 1; step < rows; step *= 2) {
      real other = row >= step ? shared[threadIdx.x - step * lanes] : 0;
      __syncthreads();
      sum = other + sum;
      shared[threadIdx.x] = sum;
      __syncthreads();
    }
    if (inside)
      Values::write(y.data, y.dtype, at, before + sum);
    before += shared[(rows - 1) * lanes + tile_lane(lanes)];
    __syncthreads();
  }
}

template <class Values>
static cudaError_t launch(icl__cuda_in x, const icl__cuda_series *s, bool reverse, icl__cuda_out y,
                          cudaStream_t stream) {
  int lanes = 1;
  while (lanes < s->inner && lanes < WARP)
    lanes *= 2;
  int64_t groups = (s->inner + lanes - 1) / lanes;
  return ICL_LAUNCH(cumsum<Values>, dim3((unsigned)(s->outer * groups)), dim3(TILE), 0, stream, x, *s, lanes,
                    (int)reverse, y);
}
