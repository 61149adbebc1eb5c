/* move.cu - elements that only move: permuted, padded, put together, cut out. The caller widens elements to what moves
 * together, up to 16 bytes. */
#include "pointers.cuh"

enum { THREADS = 256, SIDE = 64, TILE_ROWS = THREADS / SIDE, AT_ONCE = 8 };

DEVICE int64_t shift_of(const icl__cuda_move &m) {
  if (!m.shift)
    return 0;
  int64_t shift = kept_within(*m.shift, m.shift_limit);
  return m.backwards ? -shift : shift;
}

template <class Element>
__global__ void THREADS_A_BLOCK(THREADS)
    move_elements(const __grid_constant__ icl__cuda_move m, int64_t count, Element fill) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i >= count)
    return;
  int64_t shift = shift_of(m), from = 0, to = 0;
  bool inside = true;
  for (int d = m.rank - 1; d >= 0; d--) {
    int64_t at = i % m.size[d], source = at - m.low[d] - (d == m.axis ? shift : 0);
    i /= m.size[d];
    inside = inside && source >= 0 && source < m.extent[d];
    from += source * m.from_stride[d];
    to += at * m.to_stride[d];
  }
  ((Element *)m.to)[to] = inside ? ((const Element *)m.from)[from] : fill;
}

/* ---- by tiles, so that reads and writes are both along rows ---- */

/* SIDE rows in shared memory, each of which begins one bank further, so that its columns are no conflict. */
template <class Element> struct turned {
  enum { PITCH = SIDE + (sizeof(Element) < 4 ? 4 / (int)sizeof(Element) : 1) };
};

/* Copies `rows` x `columns` elements; a thread has one column. */
template <class Element>
DEVICE void copy_tile(const Element *from, int64_t row_stride, int64_t column_stride, Element *to,
                      int64_t to_row_stride, int rows, int columns) {
  int column = (int)threadIdx.x % SIDE, first = (int)threadIdx.x / SIDE;
  if (column >= columns)
    return;
  from += first * row_stride + column * column_stride;
  to += first * to_row_stride + column;
  NO_UNROLL
  for (int row = first; row < rows; row += AT_ONCE * TILE_ROWS) {
    Element x[AT_ONCE];
    UNROLL
    for (int k = 0; k < AT_ONCE; k++, from += TILE_ROWS * row_stride)
      if (row + k * TILE_ROWS < rows)
        x[k] = *from;
    UNROLL
    for (int k = 0; k < AT_ONCE; k++, to += TILE_ROWS * to_row_stride)
      if (row + k * TILE_ROWS < rows)
        *to = x[k];
  }
}

template <class Element>
__global__ void THREADS_A_BLOCK(THREADS) move_turned(const __grid_constant__ icl__cuda_move m) {
  enum { PITCH = turned<Element>::PITCH };
  ICL_SHARED(Element, tile, SIDE * PITCH);
  int across = m.rank - 1, down = m.rank - 2;
  unsigned rest = blockIdx.x, tiles = ((unsigned)m.size[across] + SIDE - 1) / SIDE;
  int column = (int)(rest % tiles) * SIDE;
  rest /= tiles;
  tiles = ((unsigned)m.size[down] + SIDE - 1) / SIDE;
  int row = (int)(rest % tiles) * SIDE;
  rest /= tiles;
  int64_t from = row * m.from_stride[down] + column, to = column * m.to_stride[across] + row;
  for (int d = m.rank - 3; d >= 0; d--) {
    int64_t at = rest % (unsigned)m.size[d];
    rest /= (unsigned)m.size[d];
    from += at * m.from_stride[d];
    to += at * m.to_stride[d];
  }
  int rows = (int)kept_within(m.size[down] - row, SIDE), columns = (int)kept_within(m.size[across] - column, SIDE);
  copy_tile((const Element *)m.from + from, m.from_stride[down], 1, tile, PITCH, rows, columns);
  __syncthreads();
  copy_tile((const Element *)tile, 1, PITCH, (Element *)m.to + to, m.to_stride[across], columns, rows);
}

template <class Element> static cudaError_t launch_turned(const icl__cuda_move *m, cudaStream_t stream) {
  int64_t blocks = 1;
  for (int d = 0; d < m->rank; d++)
    blocks *= d < m->rank - 2 ? m->size[d] : (int64_t)icl__blocks(m->size[d], SIDE);
  return ICL_LAUNCH(move_turned<Element>, dim3((unsigned)blocks), dim3(THREADS), 0, stream, *m);
}

cudaError_t icl__cuda_move_turned(const icl__cuda_move *m, int bytes, cudaStream_t stream) {
  switch (bytes) {
  case 1:
    return launch_turned<uint8_t>(m, stream);
  case 2:
    return launch_turned<uint16_t>(m, stream);
  case 4:
    return launch_turned<uint32_t>(m, stream);
  default:
    return launch_turned<uint64_t>(m, stream);
  }
}

/* ---- one by one ---- */

template <class Element> static cudaError_t launch(const icl__cuda_move *m, Element fill, cudaStream_t stream) {
  int64_t count = 1;
  for (int d = 0; d < m->rank; d++)
    count *= m->size[d];
  return ICL_LAUNCH(move_elements<Element>, dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, *m, count,
                    fill);
}

cudaError_t icl__cuda_move_elements(const icl__cuda_move *m, int bytes, cudaStream_t stream) {
  switch (bytes) {
  case 1:
    return launch(m, (uint8_t)m->fill, stream);
  case 2:
    return launch(m, (uint16_t)m->fill, stream);
  case 4:
    return launch(m, (uint32_t)m->fill, stream);
  case 8:
    return launch(m, m->fill, stream);
  default:
    return launch(m, make_uint4(0, 0, 0, 0), stream);
  }
}
