/* tile.cuh - reductions over rows: how a block covers a table, and how its threads and then all blocks add up.
 *
 * A block of 256 threads covers `lanes` columns, a power of two up to 32, and 256 / lanes rows at a time. Partial
 * results are `N` floats a thread, joined by Join::join(a, b). Warps join by shuffles, then through shared memory, then
 * the last block of a column of blocks joins what all of them left in memory. Each join has one order, whatever block
 * or warp comes first. */
#ifndef ICL_BACKEND_CUDA_KERNELS_TILE_CUH
#define ICL_BACKEND_CUDA_KERNELS_TILE_CUH

#include "cuda.h"

enum { TILE = 256, TILE_WARPS = TILE / WARP };

/* Row of this thread among the rows of a tile, and its column. */
DEVICE int tile_row(int lanes) { return (int)threadIdx.x / lanes; }
DEVICE int tile_lane(int lanes) { return (int)threadIdx.x % lanes; }

/* The plainest of joins. */
struct join_sums {
  static constexpr float nothing = 0;
  template <class T, int N> static DEVICE_MEMBER void join(T (&a)[N], const T (&b)[N]) {
    UNROLL
    for (int j = 0; j < N; j++)
      a[j] += b[j];
  }
};

/* Joins the rows of a tile; the result is that of the threads of row 0. */
template <class Join, class T, int N> DEVICE void join_tile(T (&a)[N], int lanes) {
  ICL_SHARED(T, shared, N * TILE);
  int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  T b[N];
  for (int offset = WARP / 2; offset >= lanes; offset /= 2) {
    UNROLL
    for (int i = 0; i < N; i++)
      b[i] = __shfl_down_sync(ALL_LANES, a[i], offset);
    Join::join(a, b);
  }
  __syncthreads(); /* a tile may be joined twice */
  for (int half = TILE_WARPS / 2; half > 0; half /= 2) {
    if (warp >= half && warp < 2 * half) {
      UNROLL
      for (int i = 0; i < N; i++)
        shared[(i * TILE_WARPS + warp) * WARP + lane] = a[i];
    }
    __syncthreads();
    if (warp < half) {
      UNROLL
      for (int i = 0; i < N; i++)
        b[i] = shared[(i * TILE_WARPS + warp + half) * WARP + lane];
      Join::join(a, b);
    }
  }
}

/* True for all threads of the last of `blocks` blocks to come here with this ticket, which is 0 before and after. Then
 * everything that these blocks wrote before is there to be read. */
DEVICE bool is_last_block(unsigned *ticket, unsigned blocks) {
  ICL_SHARED(int, last, 1);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last[0] = atomicInc(ticket, blocks - 1) == blocks - 1;
    __threadfence();
  }
  __syncthreads();
  return last[0];
}

/* Joins the tiles of all blocks that differ in blockIdx.x. True in the threads that hold the result: row 0 of the last
 * block. `partial` has N floats for each lane of each block. */
template <class Join, int N> DEVICE bool join_blocks(float (&a)[N], int lanes, float *partial, unsigned *tickets) {
  float *column = partial + (int64_t)blockIdx.y * gridDim.x * N * lanes;
  int row = tile_row(lanes), lane = tile_lane(lanes);
  if (gridDim.x == 1)
    return row == 0;
  if (row == 0) {
    UNROLL
    for (int i = 0; i < N; i++)
      column[((int64_t)blockIdx.x * N + i) * lanes + lane] = a[i];
  }
  if (!is_last_block(&tickets[blockIdx.y], gridDim.x))
    return false;
  UNROLL
  for (int i = 0; i < N; i++)
    a[i] = Join::nothing;
  unsigned step = TILE / lanes;
  for (unsigned block = row; block < gridDim.x; block += 2 * step) { /* two are under way together */
    float b[N], c[N];
    UNROLL
    for (int i = 0; i < N; i++) {
      b[i] = column[((int64_t)block * N + i) * lanes + lane];
      c[i] = block + step < gridDim.x ? column[((int64_t)(block + step) * N + i) * lanes + lane] : Join::nothing;
    }
    Join::join(a, b);
    Join::join(a, c);
  }
  join_tile<Join>(a, lanes);
  return row == 0;
}

/* ---- the host's part ---- */

/* Blocks of a launch, about; rows of a thread before there are more; the fewest lanes of 16 bytes each, since memory
 * comes in pieces of 128. */
enum { TILE_BLOCKS = 256, TILE_ROWS_LEAST = 4, WIDE_LANES_LEAST = 8 };

typedef struct {
  int lanes;
  dim3 grid; /* x along the rows, y along the columns */
} tiling;

/* For `rows` of `channels`, of which a lane takes `width`, with `partial_floats` room for partial results of `floats`
 * each and so many tickets. As many lanes as cover the columns with the fewest of them idle. */
static inline tiling icl__tiling(int64_t rows, int64_t channels, int width, int floats, int64_t partial_floats) {
  int64_t columns = channels / width;
  tiling t = {1, dim3(1, 1)};
  while (t.lanes < columns && t.lanes < WARP)
    t.lanes *= 2;
  for (int lanes = t.lanes / 2; width > 1 && lanes >= WIDE_LANES_LEAST; lanes /= 2)
    if (icl__blocks(columns, lanes) * lanes < icl__blocks(columns, t.lanes) * t.lanes)
      t.lanes = lanes;
  t.grid.y = icl__blocks(columns, t.lanes);
  int64_t blocks = rows / (TILE / t.lanes * TILE_ROWS_LEAST), most = TILE_BLOCKS / t.grid.y;
  int64_t room = partial_floats / ((int64_t)floats * t.lanes * t.grid.y);
  blocks = blocks < most ? blocks : most;
  blocks = blocks < room ? blocks : room;
  t.grid.x = (unsigned)(blocks > 1 ? blocks : 1);
  return t;
}

#endif
