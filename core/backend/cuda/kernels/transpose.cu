/* transpose.cu - matrices of floats to their transposes in another dtype, many in one launch: weights (kh kw i, o) of
 * the optimizer to the (o, kh kw i) of convolutions and gradients back.
 *
 * A block takes one tile: it reads along the rows of one array and writes along those of the other, and shared memory
 * lies between them. */
#include "pointers.cuh"
#include "values.cuh"

/* Rows of a tile in shared memory begin one bank further each, so that its columns are no conflict. */
enum { THREADS = 256, SIDE = ICL__CUDA_TRANSPOSE_SIDE, PITCH = SIDE + 1 };

/* What a tile covers of a dense array: up to SIDE x SIDE elements from number `first` on, of which `rows` x `columns`
 * are there. */
struct part {
  int64_t first;
  int width, rows, columns;
};

DEVICE part part_of(int height, int width, int row, int column) {
  return {(int64_t)row * width + column, width, height - row, width - column};
}

/* The V adjacent elements that a thread takes in one step; a few steps are under way at once. */
template <int V> struct spot {
  enum { STEPS = SIDE * SIDE / THREADS / V, AT_ONCE = V == 1 ? 4 : STEPS };
  int row, column;

  DEVICE_MEMBER spot(int step) {
    int i = step * THREADS + (int)threadIdx.x;
    row = i / (SIDE / V);
    column = i % (SIDE / V) * V;
  }
  DEVICE_MEMBER bool inside(const part &p) const { return row < p.rows && column < p.columns; }
  DEVICE_MEMBER int64_t place(const part &p) const { return p.first + (int64_t)row * p.width + column; }
};

template <int V> DEVICE void read_some(const void *data, int dtype, const part &p, int step, float *tile) {
  raw<V> words[spot<V>::AT_ONCE];
  UNROLL
  for (int k = 0; k < spot<V>::AT_ONCE; k++)
    if (spot<V>(step + k).inside(p))
      words[k].read(data, dtype, spot<V>(step + k).place(p));
  UNROLL
  for (int k = 0; k < spot<V>::AT_ONCE; k++) {
    spot<V> s(step + k);
    float x[V];
    if (!s.inside(p))
      continue;
    words[k].unpack(dtype, x);
    UNROLL
    for (int j = 0; j < V; j++)
      tile[s.row * PITCH + s.column + j] = x[j];
  }
}

template <int V> DEVICE void write_some(void *data, int dtype, const part &p, int step, const float *tile) {
  UNROLL
  for (int k = 0; k < spot<V>::AT_ONCE; k++) {
    spot<V> s(step + k);
    float x[V];
    if (!s.inside(p))
      continue;
    UNROLL
    for (int j = 0; j < V; j++)
      x[j] = tile[(s.column + j) * PITCH + s.row];
    store(data, dtype, s.place(p), x);
  }
}

template <int V> DEVICE void read_tile(const void *data, int dtype, const part &p, float *tile) {
  NO_UNROLL
  for (int step = 0; step < spot<V>::STEPS; step += spot<V>::AT_ONCE)
    read_some<V>(data, dtype, p, step, tile);
}

template <int V> DEVICE void write_tile(void *data, int dtype, const part &p, const float *tile) {
  NO_UNROLL
  for (int step = 0; step < spot<V>::STEPS; step += spot<V>::AT_ONCE)
    write_some<V>(data, dtype, p, step, tile);
}

__global__ void THREADS_A_BLOCK(THREADS)
    transposes(const icl__cuda_transpose *__restrict__ matrices, const icl__cuda_transpose_tile *__restrict__ tiles) {
  ICL_SHARED(float, tile, SIDE *PITCH);
  icl__cuda_transpose_tile t = tiles[blockIdx.x];
  icl__cuda_transpose m = matrices[t.matrix];
  int across = (m.columns + SIDE - 1) / SIDE, row = t.tile / across * SIDE, column = t.tile % across * SIDE;
  part from = part_of(m.rows, m.columns, row, column), to = part_of(m.columns, m.rows, column, row);
  if (m.columns % EIGHT)
    read_tile<1>(m.from, m.from_dtype, from, tile);
  else
    read_tile<EIGHT>(m.from, m.from_dtype, from, tile);
  __syncthreads();
  if (m.rows % EIGHT)
    write_tile<1>(m.to, m.to_dtype, to, tile);
  else
    write_tile<EIGHT>(m.to, m.to_dtype, to, tile);
}

cudaError_t icl__cuda_transposes(const icl__cuda_transpose *matrices, const icl__cuda_transpose_tile *tiles, int count,
                                 cudaStream_t stream) {
  return ICL_LAUNCH(transposes, dim3((unsigned)count), dim3(THREADS), 0, stream, matrices, tiles);
}
