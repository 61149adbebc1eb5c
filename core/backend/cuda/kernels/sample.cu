/* sample.cu - windows and mirror images of samples. */
#include "pointers.cuh"

enum { THREADS = 256 };

/* An offset that leaves no whole window is moved to the nearest that does. */
__global__ void THREADS_A_BLOCK(THREADS) crop(const uint8_t *__restrict__ x, const int64_t *__restrict__ offset,
                                              const icl__cuda_crop_size s, int64_t count, uint8_t *__restrict__ y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x, pixel = i / s.c;
  if (i >= count)
    return;
  int64_t n = pixel / s.out_w / s.out_h;
  int64_t top = kept_within(offset[2 * n], s.h + 2 * s.padding[0] - s.out_h);
  int64_t left = kept_within(offset[2 * n + 1], s.w + 2 * s.padding[1] - s.out_w);
  int64_t row = top + pixel / s.out_w % s.out_h - s.padding[0], column = left + pixel % s.out_w - s.padding[1];
  bool inside = row >= 0 && row < s.h && column >= 0 && column < s.w;
  y[i] = inside ? x[((n * s.h + row) * s.w + column) * s.c + i % s.c] : (uint8_t)s.fill;
}

/* `unit` elements a pixel. */
template <class Element>
__global__ void THREADS_A_BLOCK(THREADS) flip(const Element *__restrict__ x, const uint8_t *__restrict__ which,
                                              int64_t count, int h, int w, int unit, Element *__restrict__ y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x, pixel = i / unit;
  if (i >= count)
    return;
  int column = (int)(pixel % w);
  int64_t mirrored = i + (int64_t)(w - 1 - 2 * column) * unit;
  y[i] = x[which[pixel / w / h] ? mirrored : i];
}

cudaError_t icl__cuda_crop(const uint8_t *x, const int64_t *offset, const icl__cuda_crop_size *s, uint8_t *y,
                           cudaStream_t stream) {
  int64_t count = (int64_t)s->n * s->out_h * s->out_w * s->c;
  return ICL_LAUNCH(crop, dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, x, offset, *s, count, y);
}

template <class Element>
static cudaError_t launch_flip(const void *x, const uint8_t *which, int32_t n, int32_t h, int32_t w, int32_t bytes,
                               void *y, cudaStream_t stream) {
  int unit = bytes / (int)sizeof(Element);
  int64_t count = (int64_t)n * h * w * unit;
  return ICL_LAUNCH(flip<Element>, dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, (const Element *)x,
                    which, count, h, w, unit, (Element *)y);
}

cudaError_t icl__cuda_flip(const void *x, const uint8_t *which, int32_t n, int32_t h, int32_t w, int32_t bytes, void *y,
                           cudaStream_t stream) {
  if (bytes % 16 == 0)
    return launch_flip<uint4>(x, which, n, h, w, bytes, y, stream);
  if (bytes % 4 == 0)
    return launch_flip<uint32_t>(x, which, n, h, w, bytes, y, stream);
  return launch_flip<uint8_t>(x, which, n, h, w, bytes, y, stream);
}
