/* move.cu - elements that only move: permuted, padded, put together, cut out. The caller widens elements to what moves
 * together, up to 16 bytes. */
#include "pointers.cuh"

enum { THREADS = 256 };

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
