/* test_winograd.c - minimal filtering against the reference, on every instruction set that this processor has. */
#include "numbers.h"
#include "unit.h"

#include "backend/cpu/kernels.h"
#include "base/memory.h"
#include "ops/attributes.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

/* Rounding of a transform grows with its constants: a few parts in a million for f32 sums of hundreds of products. */
static const double f32_error = 1e-5, bf16_error = 4e-3;

static const char *const sets[] = {"avx512bf16", "avx512", "avx2", "portable"};

static const icl__winograd_shape shapes[] = {
    {ICL_F32, 2, 8, 8, 16, 16, 1},   {ICL_F32, 1, 1, 1, 16, 16, 1},  {ICL_F32, 3, 7, 9, 48, 16, 1},
    {ICL_F32, 5, 14, 13, 16, 48, 1}, {ICL_F32, 2, 5, 6, 32, 16, 3},  {ICL_F32, 17, 8, 8, 32, 64, 1},
    {ICL_BF16, 3, 9, 10, 32, 48, 1}, {ICL_BF16, 2, 4, 3, 16, 32, 2},
};

typedef struct {
  icl__winograd_shape shape;
  int64_t inputs, results, weights;
  double *x, *gy, *w; /* exactly representable in the shape's dtype */
  void *own_x, *own_gy;
  float *own_w;
} layer;

static layer layer_new(const icl__winograd_shape *s) {
  layer l = {.shape = *s};
  l.inputs = (int64_t)s->images * s->h * s->w * s->in * s->groups;
  l.results = (int64_t)s->images * s->h * s->w * s->out * s->groups;
  l.weights = (int64_t)9 * s->in * s->out * s->groups;
  l.x = icl__alloc((size_t)l.inputs, 8);
  l.gy = icl__alloc((size_t)l.results, 8);
  l.w = icl__alloc((size_t)l.weights, 8);
  l.own_x = icl__alloc((size_t)l.inputs, 4);
  l.own_gy = icl__alloc((size_t)l.results, 4);
  l.own_w = icl__alloc((size_t)l.weights, 4);
  numbers_fill(l.x, l.own_x, s->dtype, l.inputs, 1);
  numbers_fill(l.gy, l.own_gy, s->dtype, l.results, 2);
  numbers_fill(l.w, l.own_w, ICL_F32, l.weights, 3);
  return l;
}

static void layer_free(layer *l) {
  void *all[] = {l->x, l->gy, l->w, l->own_x, l->own_gy, l->own_w};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    icl__free(all[i]);
}

static icl__view images(const icl__winograd_shape *s, int32_t channels, double *data) {
  return (icl__view){data, ICL_F64, 4, {s->images, s->h, s->w, channels * s->groups}, (int64_t)channels * s->groups};
}

static icl__view weights(const icl__winograd_shape *s, double *data) {
  return (icl__view){data, ICL_F64, 4, {3, 3, s->in, s->out * s->groups}, (int64_t)s->out * s->groups};
}

static void reference(const layer *l, int op, icl__view out, icl__view first, icl__view second) {
  icl_attributes attr = {.i = {[CONV_STRIDE_H] = 1,
                               [CONV_STRIDE_W] = 1,
                               [CONV_PADDING_H] = 1,
                               [CONV_PADDING_W] = 1,
                               [CONV_GROUPS] = l->shape.groups,
                               [CONV_SIZE_H] = l->shape.h,
                               [CONV_SIZE_W] = l->shape.w}};
  icl__call call = {.op = op, .attr = &attr, .inputs = 2, .out = out, .in = {first, second}, .parts = 1};
  icl__ref_kernel(op)(&call);
}

static void check_close(const char *set, const icl__winograd_shape *s, const double *expected, const void *values,
                        icl_dtype dtype, int64_t count) {
  double error = numbers_error(expected, values, dtype, count);
  if (!(error <= (dtype == ICL_BF16 ? bf16_error : f32_error)))
    unit_fail(__FILE__, __LINE__, "%s, %d images of %dx%d, %d to %d channels, %d groups: error %.3g", set, s->images,
              s->h, s->w, s->in, s->out, s->groups, error);
}

static float *scratch_for(const icl__winograd_shape *s) { return icl__alloc(icl__winograd_scratch(s), sizeof(float)); }

static void convolve(const icl__winograd *kernels, const icl__winograd_shape *s, bool turned, const layer *l,
                     const void *x, void *y) {
  enum { PARTS = 3 };
  float *u = icl__alloc(icl__winograd_weights(s), sizeof *u), *scratch = scratch_for(s);
  for (int part = 0; part < PARTS; part++)
    kernels->prepare(s, turned, l->own_w, u, part, PARTS);
  kernels->convolve(s, x, u, y, scratch);
  icl__free(scratch);
  icl__free(u);
}

/* Runs `check` on every shape with the kernels of every instruction set. */
static void on_every_set(void (*check)(const char *set, const icl__winograd *kernels, const layer *l)) {
  int ran = 0;
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    setenv("ICL_ISA", sets[i], 1);
    if (icl__cpu_select() != ICL_OK)
      continue;
    ran++;
    for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++) {
      layer l = layer_new(&shapes[j]);
      check(sets[i], icl__cpu_winograd(), &l);
      layer_free(&l);
    }
  }
  CHECK(ran > 0);
}

static void check_forward(const char *set, const icl__winograd *kernels, const layer *l) {
  const icl__winograd_shape *s = &l->shape;
  double *expected = icl__alloc((size_t)l->results, sizeof *expected);
  void *y = icl__alloc((size_t)l->results, sizeof(float));
  reference(l, ICL__OP_conv2d, images(s, s->out, expected), images(s, s->in, l->x), weights(s, l->w));
  convolve(kernels, s, false, l, l->own_x, y);
  check_close(set, s, expected, y, s->dtype, l->results);
  icl__free(y);
  icl__free(expected);
}

TEST(forward) { on_every_set(check_forward); }

static void check_input_gradient(const char *set, const icl__winograd *kernels, const layer *l) {
  icl__winograd_shape back = l->shape;
  back.in = l->shape.out;
  back.out = l->shape.in;
  double *expected = icl__alloc((size_t)l->inputs, sizeof *expected);
  void *gx = icl__alloc((size_t)l->inputs, sizeof(float));
  reference(l, ICL__OP_conv2d_input_grad, images(&l->shape, l->shape.in, expected),
            images(&l->shape, l->shape.out, l->gy), weights(&l->shape, l->w));
  convolve(kernels, &back, true, l, l->own_gy, gx);
  check_close(set, &l->shape, expected, gx, l->shape.dtype, l->inputs);
  icl__free(gx);
  icl__free(expected);
}

TEST(input_gradient) { on_every_set(check_input_gradient); }

/* Two threads: one sees the images twice, the other once. */
static void check_weight_gradient(const char *set, const icl__winograd *kernels, const layer *l) {
  enum { PARTS = 2 };
  const icl__winograd_shape *s = &l->shape;
  size_t stride = icl__winograd_weights(s) + 32;
  double *expected = icl__alloc((size_t)l->weights, sizeof *expected);
  float *u = icl__alloc(2 * stride, sizeof *u), *scratch = scratch_for(s);
  float *gw = icl__alloc((size_t)l->weights, sizeof *gw);
  icl_attributes kernel = {.i = {[CONV_STRIDE_H] = 1,
                                 [CONV_STRIDE_W] = 1,
                                 [CONV_PADDING_H] = 1,
                                 [CONV_PADDING_W] = 1,
                                 [CONV_GROUPS] = s->groups,
                                 [CONV_KERNEL_H] = 3,
                                 [CONV_KERNEL_W] = 3}};
  icl__call call = {.op = ICL__OP_conv2d_weight_grad,
                    .attr = &kernel,
                    .inputs = 2,
                    .out = weights(s, expected),
                    .in = {images(s, s->in, l->x), images(s, s->out, l->gy)},
                    .parts = 1};
  icl__ref_kernel(call.op)(&call);
  for (int64_t i = 0; i < l->weights; i++)
    expected[i] *= 3;
  kernels->differentiate(s, l->own_x, l->own_gy, u, false, scratch);
  kernels->differentiate(s, l->own_x, l->own_gy, u, true, scratch);
  kernels->differentiate(s, l->own_x, l->own_gy, u + stride, false, scratch);
  for (int part = 0; part < PARTS; part++)
    kernels->finish(s, u, 2, stride, gw, part, PARTS);
  check_close(set, s, expected, gw, ICL_F32, l->weights);
  icl__free(gw);
  icl__free(scratch);
  icl__free(u);
  icl__free(expected);
}

TEST(weight_gradient) { on_every_set(check_weight_gradient); }

TEST(an_unknown_instruction_set_is_an_error) {
  setenv("ICL_ISA", "avx1024", 1);
  CHECK_ERROR(icl__cpu_select(), ICL_EINVAL, "ICL_ISA is 'avx1024'");
}
