/* conv1x1.h - convolutions with kernels of one pixel: matrix products of pixels and channels.
 *
 * One thread, any number of images, channels, groups and any stride, no padding; NHWC, f32 or bf16 in memory, f32
 * inside. Prepared weights: [group][panels of 32 result channels, in registers' order][channel that is summed over];
 * weight gradients are HWIO as they come. */
#ifndef ICL_BACKEND_CPU_KERNELS_CONV1X1_H
#define ICL_BACKEND_CPU_KERNELS_CONV1X1_H

#include "icl.h"

typedef struct {
  icl_dtype dtype; /* of images and their gradients */
  int32_t images;
  int32_t x[2], y[2]; /* height and width of input and result */
  int32_t stride[2];
  int32_t in, out, groups; /* channels of a group */
} icl__conv1x1_shape;

typedef struct {
  /* weights HWIO -> prepared for forward(), or with `turned` for backward(); part of parts */
  void (*prepare)(const icl__conv1x1_shape *shape, bool turned, const float *hwio, float *weights, int part, int parts);
  /* x (n, x, groups * in) -> y (n, y, groups * out) */
  void (*forward)(const icl__conv1x1_shape *shape, const void *x, const float *weights, void *y, float *scratch);
  /* gradient of y -> gradient of x */
  void (*backward)(const icl__conv1x1_shape *shape, const void *gy, const float *weights, void *gx, float *scratch);
  /* x, gradient of y -> weight gradient; added to what is there with `accumulate` */
  void (*differentiate)(const icl__conv1x1_shape *shape, const void *x, const void *gy, float *gradient,
                        bool accumulate, float *scratch);
} icl__conv1x1;

extern const icl__conv1x1 icl__conv1x1_avx512bf16, icl__conv1x1_avx512, icl__conv1x1_avx2, icl__conv1x1_portable;

/* Pixels that are worked on together: they stay in a cache of 256 KB. */
enum { ICL__CONV1X1_BLOCK = 512 };

static inline int32_t icl__conv1x1_block(int32_t channels) {
  int32_t fit = (1 << 15) / channels;
  return fit < 48 ? 48 : fit > ICL__CONV1X1_BLOCK ? ICL__CONV1X1_BLOCK : fit;
}

/* The same on every processor, whatever the width of its registers. */
static inline size_t icl__conv1x1_padded(int32_t channels) { return ((size_t)channels + 31) / 32 * 32; }

/* Floats of prepared weights. */
static inline size_t icl__conv1x1_weights(const icl__conv1x1_shape *s, bool turned) {
  int32_t depth = turned ? s->out : s->in, columns = turned ? s->in : s->out;
  return (size_t)s->groups * (size_t)depth * icl__conv1x1_padded(columns);
}

/* Floats of scratch: of forward() and backward(), of differentiate(). */
static inline size_t icl__conv1x1_scratch(const icl__conv1x1_shape *s, bool turned) {
  int32_t depth = turned ? s->out : s->in;
  return (size_t)icl__conv1x1_block(depth) * (size_t)depth;
}
static inline size_t icl__conv1x1_gradient_scratch(const icl__conv1x1_shape *s) {
  size_t block = (size_t)icl__conv1x1_block(s->in + s->out);
  return block * ((size_t)s->in + 8 + icl__conv1x1_padded(s->out)) + 32; /* slices of up to 8 channels */
}

#endif
