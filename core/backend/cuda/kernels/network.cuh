/* network.cuh - a sorting network: which entries its steps compare, and a block that takes all of them. */
#ifndef ICL_BACKEND_CUDA_KERNELS_NETWORK_CUH
#define ICL_BACKEND_CUDA_KERNELS_NETWORK_CUH

#include "cuda.h"

/* Pair number `pair` of the step of a network that joins runs of width / 2: their entries `apart` from each other, in
 * the first step of a width mirrored, so that the first is always to be the lesser. */
struct compared {
  int64_t first, second;

  DEVICE_MEMBER compared(int64_t pair, int64_t width, int64_t apart) {
    int64_t begin = pair / apart * 2 * apart, at = pair % apart;
    first = begin + at;
    second = 2 * apart == width ? begin + width - 1 - at : first + apart;
  }
};

/* Sorts entries in shared memory, a power of two of them, which the block has just written. No two may be equal, but
 * for those that nobody looks at. */
template <class Entry> DEVICE void sort_entries(Entry *entries, int count) {
  __syncthreads();
  for (int width = 2; width <= count; width *= 2)
    for (int apart = width / 2; apart > 0; apart /= 2) {
      for (int pair = threadIdx.x; pair < count / 2; pair += blockDim.x) {
        compared c(pair, width, apart);
        Entry a = entries[c.first], b = entries[c.second];
        if (b < a) {
          entries[c.first] = b;
          entries[c.second] = a;
        }
      }
      __syncthreads();
    }
}

#endif
