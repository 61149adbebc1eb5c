/* tile.cuh - reductions over the rows of a table: how a block covers it, and how its threads and then all blocks join.
 *
 * A block of 256 threads covers `lanes` times V columns and 256 / lanes rows at a time; lanes are a power of two. A
 * thread has N floats for each of its V columns. Joined, each column belongs to one thread: the block turns the table
 * of what its threads have in shared memory, so that all of them join, each a few rows of one column. The last block of
 * a column of blocks does the same with what all of them left in memory. Each join has one order, whatever block or
 * warp comes first. */
#ifndef ICL_BACKEND_CUDA_KERNELS_TILE_CUH
#define ICL_BACKEND_CUDA_KERNELS_TILE_CUH

#include "cuda.h"

enum { TILE = 256, LANES_MOST = 32 };

/* Row of this thread among the rows of a tile, and its lane. */
DEVICE int tile_row(int lanes) { return (int)threadIdx.x / lanes; }
DEVICE int tile_lane(int lanes) { return (int)threadIdx.x % lanes; }

/* Joined columns of a block are numbered value by value: column `i` is value i / lanes of lane i % lanes. */
template <int V> DEVICE int column_of(int i, int lanes) {
  return ((int)blockIdx.y * lanes + i % lanes) * V + i / lanes;
}

/* A join makes one of M partial results of N floats, in their order; all zeros are nothing. */
struct join_sums {
  enum { N = 1 };
  template <int M, class T> static DEVICE_MEMBER void join(T (&a)[N], const T (&part)[M][N]) {
    a[0] = 0;
    UNROLL
    for (int i = 0; i < M; i++)
      a[0] += part[i][0];
  }
};

/* Parts first, first + step and so on below `count`, at(i, k) being float k of part i. So many reads are under way at
 * once as a thread joins at once. */
template <class Join, int AT_ONCE, class T, class At>
DEVICE void join_parts(T (&a)[Join::N], int first, int step, int count, At at) {
  T part[1 + AT_ONCE][Join::N];
  UNROLL
  for (int k = 0; k < Join::N; k++)
    a[k] = 0;
  for (int i = first; i < count; i += AT_ONCE * step) {
    UNROLL
    for (int k = 0; k < Join::N; k++) {
      part[0][k] = a[k];
      UNROLL
      for (int m = 0; m < AT_ONCE; m++)
        part[1 + m][k] = i + m * step < count ? at(i + m * step, k) : 0;
    }
    Join::template join<1 + AT_ONCE>(a, part);
  }
}

/* Joins what groups of `columns` threads have, one column each; the result is that of the first group. */
template <class Join, class T> DEVICE void join_groups(T (&a)[Join::N], int columns) {
  ICL_SHARED(T, shared, Join::N * TILE);
  __syncthreads(); /* it may be called twice */
  UNROLL
  for (int k = 0; k < Join::N; k++)
    shared[k * TILE + threadIdx.x] = a[k];
  __syncthreads();
  if ((int)threadIdx.x < columns)
    join_parts<Join, 8>(a, 0, 1, TILE / columns,
                        [&](int group, int k) { return shared[k * TILE + group * columns + (int)threadIdx.x]; });
}

/* Joins the rows of a tile, of which each thread has `values` of V columns. The result is that of the first
 * lanes * V threads, a column each. */
template <class Join, class T, int V> DEVICE void join_tile(T (&a)[Join::N], const T (&values)[Join::N][V], int lanes) {
  ICL_SHARED(T, shared, Join::N * V * (TILE + LANES_MOST));
  int columns = lanes * V, pitch = TILE + lanes; /* the V values of a lane lie in different banks */
  UNROLL
  for (int k = 0; k < Join::N; k++) {
    UNROLL
    for (int j = 0; j < V; j++)
      shared[(k * V + j) * pitch + (int)threadIdx.x] = values[k][j];
  }
  __syncthreads();
  int column = (int)threadIdx.x % columns, group = (int)threadIdx.x / columns;
  join_parts<Join, V>(a, group * V, 1, group * V + V, [&](int row, int k) {
    return shared[(k * V + column / lanes) * pitch + row * lanes + column % lanes];
  });
  join_groups<Join>(a, columns);
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

/* Joins the tiles of all blocks that differ in blockIdx.x. True in the threads that hold the result: one a column, of
 * the last block. `partial` has N floats for each column of each block. */
template <class Join, int V>
DEVICE bool join_blocks(float (&a)[Join::N], int lanes, float *partial, unsigned *tickets) {
  int columns = lanes * V, column = (int)threadIdx.x % columns, group = (int)threadIdx.x / columns;
  float *of_column = partial + (int64_t)blockIdx.y * gridDim.x * Join::N * columns + column;
  if (gridDim.x == 1)
    return group == 0;
  if (group == 0) {
    UNROLL
    for (int k = 0; k < Join::N; k++)
      of_column[(blockIdx.x * Join::N + k) * columns] = a[k];
  }
  if (!is_last_block(&tickets[blockIdx.y], gridDim.x))
    return false;
  join_parts<Join, 16>(a, group, TILE / columns, (int)gridDim.x,
                       [&](int block, int k) { return of_column[(block * Join::N + k) * columns]; });
  join_groups<Join>(a, columns);
  return group == 0;
}

/* ---- the host's part ---- */

/* Blocks of a launch, about; rows of a thread before there are more; columns that a block covers at most, so that a few
 * threads of the last block join one column. */
enum { TILE_BLOCKS = 256, TILE_ROWS_LEAST = 4, TILE_COLUMNS_MOST = 32 };

typedef struct {
  int lanes;
  dim3 grid; /* x along the rows, y along the columns */
} tiling;

/* For `rows` of `channels`, of which a lane takes `width`, with `partial_floats` room for partial results of `floats`
 * for each column and so many tickets. */
static inline tiling icl__tiling(int64_t rows, int64_t channels, int width, int floats, int64_t partial_floats) {
  tiling t = {1, dim3(1, 1)};
  while (t.lanes * width < channels && t.lanes * width < TILE_COLUMNS_MOST)
    t.lanes *= 2;
  t.grid.y = icl__blocks(channels, (int64_t)t.lanes * width);
  int64_t blocks = rows / (TILE / t.lanes * TILE_ROWS_LEAST), most = TILE_BLOCKS / t.grid.y;
  int64_t room = partial_floats / ((int64_t)floats * t.lanes * width * t.grid.y);
  blocks = blocks < most ? blocks : most;
  blocks = blocks < room ? blocks : room;
  t.grid.x = (unsigned)(blocks > 1 ? blocks : 1);
  return t;
}

#endif
