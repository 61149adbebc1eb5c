/* picture.cu - what is done to pictures: adjust, a block for each image; warp, a thread for each pixel. */
#include "pointers.cuh"

#define ICL__PICTURE DEVICE
#if defined __CUDACC__
#define ICL__PRODUCT(a, b) __fmul_rn(a, b) /* never fused with a sum */
#endif
#include "ops/picture.h"

enum { THREADS = ICL__BYTES }; /* one for each row of a table */

/* One image as a block sees it. */
struct picture {
  const uint8_t *x;
  uint8_t *y;
  int h, w, c;
  DEVICE_MEMBER int64_t pixels() const { return (int64_t)h * w; }
};

/* ---- what a byte becomes, in a table ---- */

/* below[k][b]: how many pixels of channel k have a byte below b. */
DEVICE void count_below(const picture &p, unsigned long long (*below)[ICL__BYTES + 1]) {
  for (int i = threadIdx.x; i < p.c * (ICL__BYTES + 1); i += THREADS)
    below[i / (ICL__BYTES + 1)][i % (ICL__BYTES + 1)] = 0;
  __syncthreads();
  for (int64_t i = threadIdx.x; i < p.pixels() * p.c; i += THREADS)
    atomicAdd(&below[i % p.c][p.x[i] + 1], 1ull);
  __syncthreads();
  if ((int)threadIdx.x < p.c)
    for (int b = 0; b < ICL__BYTES; b++)
      below[threadIdx.x][b + 1] += below[threadIdx.x][b];
  __syncthreads();
}

DEVICE float grey_mean(const picture &p) {
  ICL_SHARED(unsigned long long, sum, 1);
  unsigned long long own = 0;
  for (int64_t i = threadIdx.x; i < p.pixels(); i += THREADS)
    own += p.c == ICL__RGB ? icl__grey(p.x + i * ICL__RGB) : p.x[i];
  if (threadIdx.x == 0)
    sum[0] = 0;
  __syncthreads();
  atomicAdd(&sum[0], own);
  __syncthreads();
  return (float)(int64_t)sum[0] / (float)p.pixels();
}

DEVICE icl__channel measure(const unsigned long long *below, float mean) {
  icl__channel c = {mean, 0, 255, 0};
  while (c.least < 255 && below[c.least + 1] == 0)
    c.least++;
  while (c.most > 0 && below[c.most] == below[ICL__BYTES])
    c.most--;
  c.step = (int64_t)(below[c.most] / 255);
  return c;
}

DEVICE void adjust_bytes(const icl__adjustment &a, const picture &p) {
  ICL_SHARED(unsigned long long, counts, ICL__RGB *(ICL__BYTES + 1));
  ICL_SHARED(uint8_t, table, ICL__RGB * ICL__BYTES);
  auto below = (unsigned long long(*)[ICL__BYTES + 1]) & counts[0];
  float mean = a.kind == ICL__ADJUST_contrast ? grey_mean(p) : 0;
  count_below(p, below);
  for (int k = 0; k < p.c; k++) {
    icl__channel c = measure(below[k], mean);
    table[k * ICL__BYTES + threadIdx.x] = icl__adjust_byte(&a, &c, (int64_t)below[k][threadIdx.x], (int)threadIdx.x);
  }
  __syncthreads();
  for (int64_t i = threadIdx.x; i < p.pixels() * p.c; i += THREADS)
    p.y[i] = table[i % p.c * ICL__BYTES + p.x[i]];
}

/* ---- adjust ---- */

DEVICE int sum_of_nine(const uint8_t *x, int step, int64_t row) {
  int sum = 0;
  for (int i = -1; i <= 1; i++)
    sum += x[i * row - step] + x[i * row] + x[i * row + step];
  return sum;
}

DEVICE void sharpen(const icl__adjustment &a, const picture &p) {
  int64_t line = (int64_t)p.w * p.c;
  for (int64_t i = threadIdx.x; i < p.h * line; i += THREADS) {
    int64_t row = i / line, column = i % line / p.c;
    bool inner = row > 0 && row < p.h - 1 && column > 0 && column < p.w - 1;
    p.y[i] = inner ? icl__sharpen(&a, p.x[i], sum_of_nine(p.x + i, p.c, line))
                   : icl__blend(&a, (float)p.x[i], (float)p.x[i]);
  }
}

DEVICE void copy_picture(const picture &p) {
  for (int64_t i = threadIdx.x; i < p.pixels() * p.c; i += THREADS)
    p.y[i] = p.x[i];
}

__global__ void THREADS_A_BLOCK(THREADS)
    adjust(const uint8_t *__restrict__ x, const double *__restrict__ amount, const int64_t *__restrict__ kind, int h,
           int w, int c, uint8_t *__restrict__ y) {
  int64_t n = blockIdx.x, first = n * h * w * c;
  picture p = {x + first, y + first, h, w, c};
  icl__adjustment a = {(int)kept_within(kind[n], ICL__ADJUSTMENT_COUNT - 1), (float)amount[n], (float)(1 - amount[n])};
  bool whole = icl__adjusts_pixels(a.kind), sharper = a.kind == ICL__ADJUST_sharpness;
  if (a.kind == ICL__ADJUST_identity || (whole && c != ICL__RGB) || (sharper && (h < 3 || w < 3)))
    copy_picture(p);
  else if (whole)
    for (int64_t i = threadIdx.x; i < p.pixels(); i += THREADS)
      icl__adjust_pixel(&a, p.x + i * ICL__RGB, p.y + i * ICL__RGB);
  else if (sharper)
    sharpen(a, p);
  else
    adjust_bytes(a, p);
}

/* ---- warp ---- */

__global__ void THREADS_A_BLOCK(THREADS)
    warp(const uint8_t *__restrict__ x, const float *__restrict__ coefficients, int64_t pixels, int h, int w, int c,
         int bilinear, int fill, uint8_t *__restrict__ y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i >= pixels)
    return;
  int64_t n = i / w / h;
  icl__taps taps = icl__warp(coefficients + n * 8, bilinear != 0, (int)(i / w % h), (int)(i % w), h, w);
  for (int k = 0; k < c; k++)
    y[i * c + k] = icl__mix_taps(&taps, x + n * h * w * c + k, c, fill);
}

cudaError_t icl__cuda_adjust(const uint8_t *x, const double *amount, const int64_t *kind, const int32_t *shape,
                             uint8_t *y, cudaStream_t stream) {
  return ICL_LAUNCH(adjust, dim3((unsigned)shape[0]), dim3(THREADS), 0, stream, x, amount, kind, shape[1], shape[2],
                    shape[3], y);
}

cudaError_t icl__cuda_warp(const uint8_t *x, const float *coefficients, const int32_t *shape, bool bilinear, int fill,
                           uint8_t *y, cudaStream_t stream) {
  int64_t pixels = (int64_t)shape[0] * shape[1] * shape[2];
  return ICL_LAUNCH(warp, dim3(icl__blocks(pixels, THREADS)), dim3(THREADS), 0, stream, x, coefficients, pixels,
                    shape[1], shape[2], shape[3], (int)bilinear, fill, y);
}
