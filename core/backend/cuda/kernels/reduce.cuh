/* reduce.cuh - sums, largest elements and their positions along any axes, of elements of some kind.
 *
 * A block of 256 threads has `outputs` results, a power of two, and 256 / outputs threads for each, which take elements
 * in turns; blocks that share results are joined by the last of them. */
#ifndef ICL_BACKEND_CUDA_KERNELS_REDUCE_CUH
#define ICL_BACKEND_CUDA_KERNELS_REDUCE_CUH

#include "pointers.cuh"
#include "tile.cuh"
#include "values.cuh"

/* Elements that a thread reads at once, and blocks of a launch at most: more than of tiles, since elements are
 * read one by one. */
enum { AT_ONCE = TILE_ROWS_LEAST, BLOCKS_MOST = 4 * TILE_BLOCKS };

/* ---- what is kept while elements are taken ---- */

template <class Kind> struct adder {
  typedef Kind elements;
  typedef typename Kind::value kept;
  static DEVICE_MEMBER kept nothing() { return 0; }
  static DEVICE_MEMBER kept take(typename Kind::value x, int64_t) { return x; }
  static DEVICE_MEMBER void join(kept &a, const kept &b) { a += b; }
  static DEVICE_MEMBER void put(void *data, int dtype, int64_t i, const kept &a) { Kind::store(data, dtype, i, a); }
};

template <class Kind> struct largest {
  typedef Kind elements;
  typedef typename Kind::value kept;
  static DEVICE_MEMBER kept nothing() { return Kind::least(); }
  static DEVICE_MEMBER kept take(typename Kind::value x, int64_t) { return x; }
  static DEVICE_MEMBER void join(kept &a, const kept &b) { a = larger(a, b); }
  static DEVICE_MEMBER void put(void *data, int dtype, int64_t i, const kept &a) { Kind::store(data, dtype, i, a); }
};

/* The first of equals, whatever order they come in. */
template <class Kind> struct first_largest {
  typedef Kind elements;
  struct kept {
    typename Kind::value x;
    int64_t place;
  };
  static DEVICE_MEMBER kept nothing() { return {Kind::least(), INT64_MAX}; }
  static DEVICE_MEMBER kept take(typename Kind::value x, int64_t place) { return {x, place}; }
  static DEVICE_MEMBER void join(kept &a, const kept &b) {
    if (is_larger(b.x, a.x) || (!is_larger(a.x, b.x) && b.place < a.place))
      a = b;
  }
  static DEVICE_MEMBER void put(void *data, int, int64_t i, const kept &a) { ((int64_t *)data)[i] = a.place; }
};

/* ---- the kernel ---- */

/* Of one axis without a division, which is most reductions. */
DEVICE int64_t offset_of(const icl__cuda_axes &axes, int64_t i) {
  int64_t offset = 0;
  NO_UNROLL
  for (int d = axes.rank - 1; d > 0; d--) {
    offset += i % axes.size[d] * axes.stride[d];
    i /= axes.size[d];
  }
  return offset + (axes.rank ? i * axes.stride[0] : 0);
}

/* Joins what the threads of each result have; theirs of row 0 hold it then. */
template <class R> DEVICE void join_rows(typename R::kept &a, int outputs) {
  ICL_SHARED(typename R::kept, shared, TILE);
  __syncthreads(); /* it may be called twice */
  shared[threadIdx.x] = a;
  __syncthreads();
  for (int rows = TILE / outputs / 2; rows > 0; rows /= 2) {
    if (tile_row(outputs) < rows) {
      R::join(a, shared[threadIdx.x + rows * outputs]);
      shared[threadIdx.x] = a;
    }
    __syncthreads();
  }
}

/* Elements first, first + step and so on of `length`, of which a few are under way at once. */
template <class R>
DEVICE void take_all(typename R::kept &a, const icl__cuda_in &x, int64_t begin, const icl__cuda_axes &reduced,
                     int64_t length, int64_t first, int64_t step) {
  typedef typename R::elements elements;
  for (int64_t i = first; i < length; i += AT_ONCE * step) {
    typename elements::word words[AT_ONCE];
    int64_t place[AT_ONCE]; /* first, since a division waits for all that is under way */
    UNROLL
    for (int k = 0; k < AT_ONCE; k++)
      place[k] = begin + offset_of(reduced, i + k * step);
    UNROLL
    for (int k = 0; k < AT_ONCE; k++)
      if (i + k * step < length)
        elements::read(words[k], x.data, x.dtype, place[k]);
    UNROLL
    for (int k = 0; k < AT_ONCE; k++)
      if (i + k * step < length)
        R::join(a, R::take(elements::unpack(words[k], x.dtype), i + k * step));
  }
}

template <class R>
__global__ void THREADS_A_BLOCK(TILE)
    reduce(icl__cuda_in x, const __grid_constant__ icl__cuda_axes kept, const __grid_constant__ icl__cuda_axes reduced,
           int64_t results, int64_t length, int outputs, icl__cuda_out y, typename R::kept *partial,
           unsigned *tickets) {
  int64_t result = (int64_t)blockIdx.x * outputs + tile_lane(outputs), begin = offset_of(kept, result);
  int rows = TILE / outputs;
  typename R::kept a = R::nothing();
  if (result < results)
    take_all<R>(a, x, begin, reduced, length, (int64_t)blockIdx.y * rows + tile_row(outputs),
                (int64_t)gridDim.y * rows);
  join_rows<R>(a, outputs);
  if (gridDim.y > 1) {
    partial += (int64_t)blockIdx.x * gridDim.y * outputs + tile_lane(outputs);
    if (tile_row(outputs) == 0)
      partial[(int64_t)blockIdx.y * outputs] = a;
    if (!is_last_block(&tickets[blockIdx.x], gridDim.y))
      return;
    a = R::nothing();
    for (unsigned block = tile_row(outputs); block < gridDim.y; block += rows)
      R::join(a, partial[(int64_t)block * outputs]);
    join_rows<R>(a, outputs);
  }
  if (tile_row(outputs) == 0 && result < results)
    R::put(y.data, y.dtype, result, a);
}

/* ---- launches ---- */

static int64_t count_of(const icl__cuda_axes *axes) {
  int64_t count = 1;
  for (int d = 0; d < axes->rank; d++)
    count *= axes->size[d];
  return count;
}

/* Adjacent threads have adjacent elements: results where the last kept axis is dense, else elements of one result. */
static int outputs_of(const icl__cuda_axes *kept, int64_t results, int64_t length) {
  bool dense = kept->rank && kept->stride[kept->rank - 1] == 1;
  int outputs = 1;
  while (outputs < results && outputs < (dense ? (int)WARP : (int)TILE) && (dense || outputs * length < TILE))
    outputs *= 2;
  return outputs;
}

template <class R>
static cudaError_t launch(icl__cuda_in x, const icl__cuda_axes *kept, const icl__cuda_axes *reduced, icl__cuda_out y,
                          icl__cuda_scratch scratch, cudaStream_t stream) {
  int64_t results = count_of(kept), length = count_of(reduced);
  int outputs = outputs_of(kept, results, length);
  dim3 grid(icl__blocks(results, outputs));
  int64_t split = length / (TILE / outputs * TILE_ROWS_LEAST), most = BLOCKS_MOST / grid.x;
  split = split < most ? split : most; /* so few that partial results and tickets have room */
  grid.y = (unsigned)(split > 1 ? split : 1);
  return ICL_LAUNCH(reduce<R>, grid, dim3(TILE), 0, stream, x, *kept, *reduced, results, length, outputs, y,
                    (typename R::kept *)scratch.partial, scratch.tickets);
}

template <class Kind>
static cudaError_t choose(icl__cuda_reduction what, icl__cuda_in x, const icl__cuda_axes *kept,
                          const icl__cuda_axes *reduced, icl__cuda_out y, icl__cuda_scratch scratch,
                          cudaStream_t stream) {
  switch (what) {
  case ICL__CUDA_SUM:
    return launch<adder<Kind>>(x, kept, reduced, y, scratch, stream);
  case ICL__CUDA_MAX:
    return launch<largest<Kind>>(x, kept, reduced, y, scratch, stream);
  default:
    return launch<first_largest<Kind>>(x, kept, reduced, y, scratch, stream);
  }
}

#endif
