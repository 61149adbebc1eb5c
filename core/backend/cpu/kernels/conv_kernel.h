/* conv_kernel.h - a convolution, and the kernels of our own for it.
 *
 * They work on one thread. Images are dense NHWC, f32 or bf16 in memory and f32 inside; weights are prepared from HWIO
 * f32 once a step, or when they have changed. */
#ifndef ICL_BACKEND_CPU_KERNELS_CONV_KERNEL_H
#define ICL_BACKEND_CPU_KERNELS_CONV_KERNEL_H

#include "icl.h"

typedef enum { ICL__CONV_FORWARD, ICL__CONV_INPUT, ICL__CONV_WEIGHT } icl__conv_direction;

typedef struct {
  icl__conv_direction direction;
  icl_dtype dtype;            /* of images and their gradients: f32 or bf16 */
  int32_t images, x[3], y[3]; /* h, w, c of input and output */
  int32_t kernel[2], stride[2], padding[2], groups;
  size_t cache; /* bytes of a core's own cache, for sizes of blocks; 0: it is not known */
} icl__conv_shape;

typedef struct {
  const char *name; /* for profiles */
  bool (*fits)(const icl__conv_shape *shape);

  /* Functions of a direction that never fits are NULL. */

  /* Floats: of prepared weights, or of a weight gradient until it is finished; of what a call needs for itself. */
  size_t (*weights)(const icl__conv_shape *shape);
  size_t (*scratch)(const icl__conv_shape *shape);

  /* Weights HWIO -> prepared for the shape's direction, forward or input; part of parts. */
  void (*prepare)(const icl__conv_shape *shape, const float *hwio, float *weights, int part, int parts);
  /* forward: x -> y; input: gradient of y -> gradient of x. Part of parts, each with scratch of its own. */
  void (*convolve)(const icl__conv_shape *shape, const void *from, const float *weights, void *to, float *scratch,
                   int part, int parts);
  /* x, gradient of y -> weight gradient; added to what is there with `accumulate` */
  void (*differentiate)(const icl__conv_shape *shape, const void *x, const void *gy, float *gradient, bool accumulate,
                        float *scratch);
  /* Sum of `count` weight gradients, `stride` floats apart -> HWIO; part of parts. */
  void (*finish)(const icl__conv_shape *shape, const float *gradients, int count, size_t stride, float *hwio, int part,
                 int parts);
} icl__conv_kernel;

/* Minimal filtering: winograd.c. */
extern const icl__conv_kernel icl__winograd_avx512bf16, icl__winograd_avx512, icl__winograd_avx2,
    icl__winograd_portable;
/* The same, for weight gradients of few tiles: they are turned back where they are made. */
extern const icl__conv_kernel icl__winograd_fused_avx512bf16, icl__winograd_fused_avx512, icl__winograd_fused_avx2,
    icl__winograd_fused_portable;
/* By Intel's AMX, which multiplies bf16, and by its imitation: amx_convolve.c, and for weight gradients amx_gradient.c.
 * f32 images are split into sums of two bf16, of whose four products three are made: an error of about 5e-6. */
extern const icl__conv_kernel icl__amx_convolve_amx, icl__amx_convolve_avx512bf16, icl__amx_convolve_avx512,
    icl__amx_convolve_avx2, icl__amx_convolve_portable;
extern const icl__conv_kernel icl__amx_gradient_amx, icl__amx_gradient_avx512bf16, icl__amx_gradient_avx512,
    icl__amx_gradient_avx2, icl__amx_gradient_portable;
/* By the definition, as matrix products: direct.c. */
extern const icl__conv_kernel icl__direct_avx512bf16, icl__direct_avx512, icl__direct_avx2, icl__direct_portable;

#endif
