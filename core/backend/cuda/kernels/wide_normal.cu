/* wide_normal.cu - normals, computed in f64 as on the CPU, so that rounding to f32 gives the same number but where the
 * two libraries' functions lie on two sides of a boundary. */
#include "draw.cuh"

__global__ void THREADS_A_BLOCK(DRAW_THREADS) normal(const icl__cuda_draw d, float *__restrict__ y) {
  drawn r;
  if (!draw(d, r))
    return;
  UNROLL
  for (int pair = 0; pair < DRAWN; pair += 2) {
    double radius = sqrt(-2 * log((r.word[pair] + 0.5) * 0x1p-32)), sine, cosine;
    sincospi(2 * ((r.word[pair + 1] + 0.5) * 0x1p-32), &sine, &cosine);
    if (pair < r.count)
      y[r.first + pair] = (float)(radius * cosine);
    if (pair + 1 < r.count)
      y[r.first + pair + 1] = (float)(radius * sine);
  }
}

cudaError_t icl__cuda_normal(const icl__cuda_draw *d, float *y, cudaStream_t stream) {
  return ICL_LAUNCH(normal, icl__draw_grid(d), dim3(DRAW_THREADS), 0, stream, *d, y);
}
