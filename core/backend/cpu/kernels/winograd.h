/* winograd.h - 3x3 convolutions of stride 1 and padding 1 by minimal filtering, F(4x4, 3x3) (Lavin and Gray 2016).
 *
 * A tile of 4x4 results needs a tile of 6x6 pixels. Both, and the weights, are transformed to 36 positions, at each of
 * which the sum over channels is a matrix product: 4 times fewer products than by the definition. One thread, any
 * number of images, NHWC, f32 or bf16 in memory, f32 inside. Channels of a group come in multiples of 16.
 *
 * Transformed weights and weight gradients: [group][36][panels of output channels][input channel][lanes of the panel].
 */
#ifndef ICL_BACKEND_CPU_KERNELS_WINOGRAD_H
#define ICL_BACKEND_CPU_KERNELS_WINOGRAD_H

#include "icl.h"

typedef struct {
  icl_dtype dtype;         /* of images and their gradients */
  int32_t images, h, w;    /* the result is as large */
  int32_t in, out, groups; /* channels of a group */
} icl__winograd_shape;

/* An input gradient is the convolution of the result's gradient with weights that are turned by 180 degrees and whose
 * channels have changed sides: `shape` describes that convolution, `turned` says so to prepare(). */
typedef struct {
  /* weights HWIO -> transformed; part of parts */
  void (*prepare)(const icl__winograd_shape *shape, bool turned, const float *hwio, float *weights, int part,
                  int parts);
  /* x (n, h, w, groups * in) -> y (n, h, w, groups * out) */
  void (*convolve)(const icl__winograd_shape *shape, const void *x, const float *weights, void *y, float *scratch);
  /* x, gradient of y -> transformed weight gradient; added to what is there with `accumulate` */
  void (*differentiate)(const icl__winograd_shape *shape, const void *x, const void *gy, float *gradient,
                        bool accumulate, float *scratch);
  /* sum of `count` transformed gradients, `stride` floats apart -> HWIO; part of parts */
  void (*finish)(const icl__winograd_shape *shape, const float *gradients, int count, size_t stride, float *hwio,
                 int part, int parts);
} icl__winograd;

extern const icl__winograd icl__winograd_avx512bf16, icl__winograd_avx512, icl__winograd_avx2, icl__winograd_portable;

/* Does the form fit? `in` and `out` are channels of a group. */
static inline bool icl__winograd_fits(int32_t in, int32_t out) { return in % 16 == 0 && out % 16 == 0 && in && out; }

/* Floats of transformed weights. */
static inline size_t icl__winograd_weights(const icl__winograd_shape *s) {
  return 36 * (size_t)s->groups * (size_t)s->in * (size_t)s->out;
}

/* Tiles that are transformed together: their 36 positions of input and result take about half of a 2 MB cache, and they
 * are no fewer than make the reading of large weights worth it. */
static inline int32_t icl__winograd_block(const icl__winograd_shape *s) {
  int64_t tiles = (int64_t)s->images * ((s->h + 3) / 4) * ((s->w + 3) / 4),
          fit = (1 << 20) / (36 * 4 * (s->in + s->out));
  int64_t least = (int64_t)s->in * s->out >= 1 << 15 ? 32 : 16;
  int64_t block = fit < least ? least : fit > 64 ? 64 : fit / 16 * 16;
  return (int32_t)(tiles < block ? (tiles + 15) / 16 * 16 : block);
}

/* A position's values lie 16 floats further apart than they are long: powers of two would meet in the same sets of the
 * cache. */
static inline size_t icl__winograd_stride(int32_t block, int32_t channels) {
  return (size_t)block * (size_t)channels + 16;
}

/* Floats of scratch for convolve() and differentiate(). */
static inline size_t icl__winograd_scratch(const icl__winograd_shape *s) {
  int32_t block = icl__winograd_block(s);
  return 36 * (icl__winograd_stride(block, s->in) + icl__winograd_stride(block, s->out));
}

#endif
