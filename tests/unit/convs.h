/* convs.h - a convolution with numbers, and what the reference makes of them. */
#ifndef ICL_TESTS_CONVS_H
#define ICL_TESTS_CONVS_H

#include "backend/cpu/kernels/conv_kernel.h"
#include "backend/kernel.h"

typedef struct {
  icl_dtype dtype;
  int32_t images, h, w, in, out, kernel[2], stride[2], padding[2], groups; /* channels of all groups */
} conv_form;

typedef struct {
  icl__conv_shape shape;
  icl__view x, y, w; /* f64 */
  size_t inputs, results, weights;
  void *own_x, *own_gy; /* the same numbers in the shape's dtype */
  float *own_w;
} conv_layer;

icl__conv_shape conv_shape(const conv_form *form); /* forward */
conv_layer conv_layer_new(const conv_form *form);
void conv_layer_free(conv_layer *layer);

/* The layer's result in its shape's direction, for the caller to free: y, gradient of x, or weight gradient. */
double *conv_expected(const conv_layer *layer);

#endif
