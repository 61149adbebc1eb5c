/* convolution.h - conv2d and its two gradients as backends see them: one convolution, of which an op computes one part
 * from the other two. */
#ifndef ICL_BACKEND_CONVOLUTION_H
#define ICL_BACKEND_CONVOLUTION_H

#include "plan/plan.h"

static inline bool icl__is_conv(const icl__pnode *v) {
  return v->op == ICL__OP_conv2d || v->op == ICL__OP_conv2d_input_grad || v->op == ICL__OP_conv2d_weight_grad;
}

/* Shapes of the forward convolution: its input and output (n, h, w, c), its weights (h, w, c, outputs). */
typedef struct {
  const int32_t *x, *y, *w;
} icl__conv_parts;

static inline icl__conv_parts icl__conv_parts_of(const icl__pnode *v) {
  const int32_t *first = v->in[0]->shape, *second = v->in[1]->shape, *result = v->shape;
  if (v->op == ICL__OP_conv2d)
    return (icl__conv_parts){.x = first, .w = second, .y = result};
  if (v->op == ICL__OP_conv2d_input_grad)
    return (icl__conv_parts){.y = first, .w = second, .x = result};
  return (icl__conv_parts){.x = first, .y = second, .w = result};
}

/* Rows and columns. */
static inline void icl__conv_sizes(const icl__pnode *v, int32_t kernel[2], int32_t stride[2], int32_t padding[2]) {
  for (int i = 0; i < 2; i++) {
    kernel[i] = icl__conv_parts_of(v).w[i];
    stride[i] = v->attr.i[CONV_STRIDE_H + i];
    padding[i] = v->attr.i[CONV_PADDING_H + i];
  }
}

#endif
