/* draw.cuh - random numbers by key: a thread makes one block of Philox, four elements of an image. */
#ifndef ICL_BACKEND_CUDA_KERNELS_DRAW_CUH
#define ICL_BACKEND_CUDA_KERNELS_DRAW_CUH

#include "pointers.cuh"

#define ICL__PHILOX static __host__ __device__ __forceinline__
#include "base/philox.h"

enum { DRAW_THREADS = 128, DRAWN = 4 };

/* Elements [first, first + count) of a result, which are those of the words of one block. */
struct drawn {
  int64_t first;
  int count;
  uint32_t word[DRAWN];
};

/* False for a thread past the end. */
DEVICE bool draw(const icl__cuda_draw &d, drawn &result) {
  int64_t blocks = (d.size + DRAWN - 1) / DRAWN, i = (int64_t)blockIdx.x * DRAW_THREADS + threadIdx.x;
  int64_t image = i / blocks, block = i % blocks, left = d.size - block * DRAWN;
  if (image >= d.images)
    return false;
  uint32_t key[4];
  UNROLL
  for (int k = 0; k < 4; k++)
    key[k] = (uint32_t)d.key[k];
  icl__draw_block(key, (uint32_t)(d.ids ? d.ids[image] : d.first + image), (uint32_t)block, result.word);
  result.first = image * d.size + block * DRAWN;
  result.count = left < DRAWN ? (int)left : DRAWN;
  return true;
}

static inline dim3 icl__draw_grid(const icl__cuda_draw *d) {
  return dim3(icl__blocks(d->images * ((d->size + DRAWN - 1) / DRAWN), DRAW_THREADS));
}

#endif
