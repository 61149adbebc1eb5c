/* convs.c - see convs.h. */
#include "convs.h"

#include <string.h>

#include "backend/ref/kernels.h"
#include "base/memory.h"
#include "numbers.h"
#include "ops/attributes.h"
#include "ops/ops.h"

static double *numbers(void *own, icl_dtype dtype, size_t count, unsigned seed) {
  double *values = icl__alloc(count, sizeof *values);
  numbers_fill(values, own, dtype, (int64_t)count, seed);
  return values;
}

icl__conv_shape conv_shape(const conv_form *f) {
  int32_t y[2];
  for (int d = 0; d < 2; d++)
    y[d] = ((d ? f->w : f->h) + 2 * f->padding[d] - f->kernel[d]) / f->stride[d] + 1;
  icl__conv_shape s = {.direction = ICL__CONV_FORWARD,
                       .dtype = f->dtype,
                       .images = f->images,
                       .x = {f->h, f->w, f->in},
                       .y = {y[0], y[1], f->out},
                       .groups = f->groups};
  memcpy(s.kernel, f->kernel, sizeof f->kernel);
  memcpy(s.stride, f->stride, sizeof f->stride);
  memcpy(s.padding, f->padding, sizeof f->padding);
  return s;
}

/* What lies behind the numbers is NaN, in f32 and bf16 alike: nothing may depend on it. */
static void *guarded(size_t count, size_t bytes) {
  enum { GUARD = 256 };
  void *memory = icl__alloc(count * bytes + GUARD, 1);
  return memory ? memset(memory, 0xff, count * bytes + GUARD) : NULL;
}

conv_layer conv_layer_new(const conv_form *f) {
  icl__conv_shape s = conv_shape(f);
  conv_layer l = {.shape = s,
                  .x = {NULL, ICL_F64, 4, {f->images, f->h, f->w, f->in}, f->in},
                  .y = {NULL, ICL_F64, 4, {f->images, s.y[0], s.y[1], f->out}, f->out},
                  .w = {NULL, ICL_F64, 4, {f->kernel[0], f->kernel[1], f->in / f->groups, f->out}, f->out}};
  l.inputs = (size_t)icl__view_count(&l.x);
  l.results = (size_t)icl__view_count(&l.y);
  l.weights = (size_t)icl__view_count(&l.w);
  l.own_x = guarded(l.inputs, icl_dtype_bytes(f->dtype));
  l.own_gy = guarded(l.results, icl_dtype_bytes(f->dtype));
  l.own_w = guarded(l.weights, sizeof(float));
  l.x.data = numbers(l.own_x, f->dtype, l.inputs, 1);
  l.y.data = numbers(l.own_gy, f->dtype, l.results, 2);
  l.w.data = numbers(l.own_w, ICL_F32, l.weights, 3);
  return l;
}

void conv_layer_free(conv_layer *l) {
  void *all[] = {l->x.data, l->y.data, l->w.data, l->own_x, l->own_gy, l->own_w};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    icl__free(all[i]);
}

double *conv_expected(const conv_layer *l) {
  const icl__conv_shape *s = &l->shape;
  bool weight = s->direction == ICL__CONV_WEIGHT, input = s->direction == ICL__CONV_INPUT;
  int op = weight ? ICL__OP_conv2d_weight_grad : input ? ICL__OP_conv2d_input_grad : ICL__OP_conv2d;
  icl_attributes attr = {.i = {[CONV_STRIDE_H] = s->stride[0],
                               [CONV_STRIDE_W] = s->stride[1],
                               [CONV_PADDING_H] = s->padding[0],
                               [CONV_PADDING_W] = s->padding[1],
                               [CONV_GROUPS] = s->groups}};
  /* attributes of the same places: size of kernel, or of input */
  attr.i[weight ? CONV_KERNEL_H : CONV_SIZE_H] = weight ? s->kernel[0] : s->x[0];
  attr.i[weight ? CONV_KERNEL_W : CONV_SIZE_W] = weight ? s->kernel[1] : s->x[1];
  icl__call call = {.op = op,
                    .attr = &attr,
                    .inputs = 2,
                    .out = weight  ? l->w
                           : input ? l->x
                                   : l->y,
                    .in = {input ? l->y : l->x, weight ? l->y : l->w},
                    .parts = 1};
  call.out.data = icl__alloc((size_t)icl__view_count(&call.out), sizeof(double));
  icl__ref_kernel(op)(&call);
  return call.out.data;
}
