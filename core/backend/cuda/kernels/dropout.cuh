/* dropout.cuh - elements that are dropped at random. VALUES is what it is computed in, NAME what the function is
 * called. */
#include "draw.cuh"
#include "values.cuh"

template <class Values>
__global__ void THREADS_A_BLOCK(DRAW_THREADS)
    dropout(const icl__cuda_draw d, icl__cuda_in x, icl__cuda_in p, icl__cuda_out y) {
  drawn r;
  if (!draw(d, r))
    return;
  typename Values::real probability = Values::read(p.data, p.dtype, 0), kept = 1 - probability;
  UNROLL
  for (int j = 0; j < DRAWN; j++)
    if (j < r.count) {
      bool dropped = icl__uniform(r.word[j]) < probability;
      Values::write(y.data, y.dtype, r.first + j, dropped ? 0 : Values::read(x.data, x.dtype, r.first + j) / kept);
    }
}

cudaError_t NAME(dropout)(const icl__cuda_draw *d, icl__cuda_in x, icl__cuda_in p, icl__cuda_out y,
                          cudaStream_t stream) {
  return ICL_LAUNCH(dropout<VALUES>, icl__draw_grid(d), dim3(DRAW_THREADS), 0, stream, *d, x, p, y);
}
