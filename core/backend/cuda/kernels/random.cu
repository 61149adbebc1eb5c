/* random.cu - draws that f32 and integers make exactly as the CPU does. */
#include "draw.cuh"
#include "values.cuh"

__global__ void THREADS_A_BLOCK(DRAW_THREADS) uniform(const icl__cuda_draw d, float *__restrict__ y) {
  drawn r;
  if (!draw(d, r))
    return;
  UNROLL
  for (int j = 0; j < DRAWN; j++)
    if (j < r.count)
      y[r.first + j] = icl__uniform(r.word[j]);
}

__global__ void THREADS_A_BLOCK(DRAW_THREADS) bernoulli(const icl__cuda_draw d, icl__cuda_in p, uint8_t *y) {
  drawn r;
  if (!draw(d, r))
    return;
  float probability = load_one(p.data, p.dtype, 0);
  UNROLL
  for (int j = 0; j < DRAWN; j++)
    if (j < r.count)
      y[r.first + j] = icl__uniform(r.word[j]) < probability;
}

__global__ void THREADS_A_BLOCK(DRAW_THREADS) randint(const icl__cuda_draw d, int low, int high, int64_t *y) {
  drawn r;
  if (!draw(d, r))
    return;
  UNROLL
  for (int j = 0; j < DRAWN; j++)
    if (j < r.count)
      y[r.first + j] = icl__integer(r.word[j], low, high);
}

cudaError_t icl__cuda_uniform(const icl__cuda_draw *d, float *y, cudaStream_t stream) {
  return ICL_LAUNCH(uniform, icl__draw_grid(d), dim3(DRAW_THREADS), 0, stream, *d, y);
}

cudaError_t icl__cuda_bernoulli(const icl__cuda_draw *d, icl__cuda_in p, uint8_t *y, cudaStream_t stream) {
  return ICL_LAUNCH(bernoulli, icl__draw_grid(d), dim3(DRAW_THREADS), 0, stream, *d, p, y);
}

cudaError_t icl__cuda_randint(const icl__cuda_draw *d, int32_t low, int32_t high, int64_t *y, cudaStream_t stream) {
  return ICL_LAUNCH(randint, icl__draw_grid(d), dim3(DRAW_THREADS), 0, stream, *d, low, high, y);
}
