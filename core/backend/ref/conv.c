/* conv.c - reference kernels of convolution: one walk over the products of an image and a kernel, three uses of it. */
#include "backend/ref/ref.h"

/* One pixel x (in_channels), one tap w (in_channels / groups, out_channels) that lies on it, and the pixel y
 * (out_channels) that they contribute to. */
typedef struct {
  int32_t in_channels, out_channels, groups;
  double *x, *w, *y;
} contact;

/* y += x w. The channels of x and y come group by group. */
static void forward(const contact *c) {
  int32_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
  for (int32_t i = 0; i < c->in_channels; i++)
    for (int32_t o = i / in * out; o < (i / in + 1) * out; o++)
      c->y[o] += c->x[i] * c->w[i % in * c->out_channels + o];
}

/* x += w y */
static void to_input(const contact *c) {
  int32_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
  for (int32_t i = 0; i < c->in_channels; i++)
    for (int32_t o = i / in * out; o < (i / in + 1) * out; o++)
      c->x[i] += c->w[i % in * c->out_channels + o] * c->y[o];
}

/* w += x y */
static void to_weight(const contact *c) {
  int32_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
  for (int32_t i = 0; i < c->in_channels; i++)
    for (int32_t o = i / in * out; o < (i / in + 1) * out; o++)
      c->w[i % in * c->out_channels + o] += c->x[i] * c->y[o];
}

/* Every contact of images x (n, h, w, i), weights and results y (n, h', w', o). Padding is zero: it contributes nothing
 * and is left out. */
static void convolve(const icl__call *call, const icl__view *x, const icl__view *w, const icl__view *y,
                     void (*use)(const contact *)) {
  const int32_t *attr = call->attr->i;
  contact c = {.in_channels = x->shape[3], .out_channels = y->shape[3], .groups = attr[CONV_GROUPS]};
  fill(&call->out, 0);
  for (int64_t n = 0; n < y->shape[0]; n++)
    for (int32_t row = 0; row < y->shape[1]; row++)
      for (int32_t column = 0; column < y->shape[2]; column++)
        for (int32_t i = 0; i < w->shape[0]; i++)
          for (int32_t j = 0; j < w->shape[1]; j++) {
            int32_t x_row = row * attr[CONV_STRIDE_H] + i - attr[CONV_PADDING_H];
            int32_t x_column = column * attr[CONV_STRIDE_W] + j - attr[CONV_PADDING_W];
            if (x_row < 0 || x_row >= x->shape[1] || x_column < 0 || x_column >= x->shape[2])
              continue;
            c.x = values(x) + ((n * x->shape[1] + x_row) * x->shape[2] + x_column) * x->shape[3];
            c.w = values(w) + (i * w->shape[1] + j) * (int64_t)w->shape[2] * w->shape[3];
            c.y = values(y) + ((n * y->shape[1] + row) * y->shape[2] + column) * y->shape[3];
            use(&c);
          }
}

void icl__ref_conv2d(const icl__call *call) { convolve(call, &call->in[0], &call->in[1], &call->out, forward); }

void icl__ref_conv2d_input_grad(const icl__call *call) {
  convolve(call, &call->out, &call->in[1], &call->in[0], to_input);
}

void icl__ref_conv2d_weight_grad(const icl__call *call) {
  convolve(call, &call->in[0], &call->out, &call->in[1], to_weight);
}
