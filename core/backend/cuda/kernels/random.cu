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

__global__ void THREADS_A_BLOCK(DRAW_THREADS)
    dropout(const icl__cuda_draw d, icl__cuda_in x, icl__cuda_in p, icl__cuda_out y) {
  drawn r;
  if (!draw(d, r))
    return;
  float probability = load_one(p.data, p.dtype, 0);
  UNROLL
  for (int j = 0; j < DRAWN; j++)
    if (j < r.count) {
      bool dropped = icl__uniform(r.word[j]) < probability;
      store_one(y.data, y.dtype, r.first + j, dropped ? 0 : load_one(x.data, x.dtype, r.first + j) / (1 - probability));
    }
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

cudaError_t icl__cuda_dropout(const icl__cuda_draw *d, icl__cuda_in x, icl__cuda_in p, icl__cuda_out y,
                              cudaStream_t stream) {
  return ICL_LAUNCH(dropout, icl__draw_grid(d), dim3(DRAW_THREADS), 0, stream, *d, x, p, y);
}
