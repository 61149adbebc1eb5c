/* conv_shape.h - what makes one convolution another. */
#ifndef ICL_BACKEND_CUDA_CONV_SHAPE_H
#define ICL_BACKEND_CUDA_CONV_SHAPE_H

#include "icl.h"

typedef enum { ICL__CUDA_CONV_FORWARD, ICL__CUDA_CONV_INPUT, ICL__CUDA_CONV_WEIGHT } icl__cuda_conv_direction;

typedef struct {
  icl__cuda_conv_direction direction;
  icl_dtype dtype;    /* of images, weights and results: F32, BF16, F16 */
  int32_t x[4], y[4]; /* n, h, w, c of input and output of the forward convolution; none is 0 */
  int32_t kernel[2], stride[2], padding[2], groups;
} icl__cuda_conv_shape;

#endif
