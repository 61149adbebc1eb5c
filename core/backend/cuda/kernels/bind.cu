/* bind.cu - what changes from run to run is put where a graph reads it: numbers, and leaves that are too small for
 * a copy of their own. */
#include "pointers.cuh"

enum { THREADS = 256, WIDE = sizeof(uint4), BLOCK_BYTES = THREADS * WIDE, BLOCKS_MOST = 128 };

DEVICE void copy_piece(const icl__cuda_piece &p) {
  int64_t first = (int64_t)blockIdx.x * THREADS + threadIdx.x, step = (int64_t)gridDim.x * THREADS;
  for (int64_t i = first; i < p.bytes / WIDE; i += step)
    ((uint4 *)p.to)[i] = ((const uint4 *)p.from)[i];
  for (int64_t i = p.bytes / WIDE * WIDE + first; i < p.bytes; i += step)
    ((unsigned char *)p.to)[i] = ((const unsigned char *)p.from)[i];
}

/* A row of blocks for each piece. */
__global__ void THREADS_A_BLOCK(THREADS) bind_leaves(const __grid_constant__ icl__cuda_bind b) {
  if (blockIdx.x == 0 && blockIdx.y == 0 && (int)threadIdx.x < b.number_count)
    ((uint64_t *)b.numbers)[threadIdx.x] = ((const uint64_t *)b.number)[threadIdx.x]; /* no arithmetic in f64 */
  if ((int)blockIdx.y < b.piece_count)
    copy_piece(b.piece[blockIdx.y]);
}

cudaError_t icl__cuda_bind_leaves(const icl__cuda_bind *b, cudaStream_t stream) {
  int64_t most = 0;
  for (int i = 0; i < b->piece_count; i++)
    most = b->piece[i].bytes > most ? b->piece[i].bytes : most;
  unsigned blocks = icl__blocks(most, BLOCK_BYTES), rows = (unsigned)b->piece_count;
  dim3 grid(blocks < 1 ? 1 : blocks < BLOCKS_MOST ? blocks : (unsigned)BLOCKS_MOST, rows < 1 ? 1 : rows);
  return ICL_LAUNCH(bind_leaves, grid, dim3(THREADS), 0, stream, *b);
}
