/* test_conv1x1.c - products of pixels and channels against the reference, on every instruction set that this processor
 * has. */
#include "numbers.h"
#include "unit.h"

#include "backend/cpu/kernels.h"
#include "base/memory.h"
#include "ops/attributes.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

static const double f32_error = 1e-6, bf16_error = 4e-3;

static const char *const sets[] = {"avx512bf16", "avx512", "avx2", "portable"};

static const icl__conv1x1_shape shapes[] = {
    {ICL_F32, 2, {8, 8}, {8, 8}, {1, 1}, 16, 32, 1},       {ICL_F32, 1, {1, 1}, {1, 1}, {1, 1}, 3, 5, 1},
    {ICL_F32, 3, {7, 9}, {4, 5}, {2, 2}, 36, 48, 1},       {ICL_F32, 2, {13, 11}, {13, 4}, {1, 3}, 20, 7, 3},
    {ICL_F32, 2, {24, 24}, {24, 24}, {1, 1}, 64, 66, 1},   {ICL_F32, 5, {1, 1}, {1, 1}, {1, 1}, 1030, 33, 1},
    {ICL_BF16, 3, {9, 10}, {9, 10}, {1, 1}, 18, 40, 2},    {ICL_BF16, 2, {5, 6}, {3, 3}, {2, 2}, 33, 17, 1},
    {ICL_BF16, 1, {30, 25}, {30, 25}, {1, 1}, 12, 100, 1},
};

typedef struct {
  icl__conv1x1_shape shape;
  size_t inputs, results, weights;
  double *x, *gy, *w; /* exactly representable in the shape's dtype */
  void *own_x, *own_gy;
  float *own_w;
} layer;

static layer layer_new(const icl__conv1x1_shape *s) {
  layer l = {.shape = *s};
  l.inputs = (size_t)(s->images * s->x[0] * s->x[1] * s->in * s->groups);
  l.results = (size_t)(s->images * s->y[0] * s->y[1] * s->out * s->groups);
  l.weights = (size_t)(s->in * s->out * s->groups);
  l.x = icl__alloc(l.inputs, 8);
  l.gy = icl__alloc(l.results, 8);
  l.w = icl__alloc(l.weights, 8);
  l.own_x = icl__alloc(l.inputs, icl_dtype_bytes(s->dtype));
  l.own_gy = icl__alloc(l.results, icl_dtype_bytes(s->dtype));
  l.own_w = icl__alloc(l.weights, sizeof(float));
  numbers_fill(l.x, l.own_x, s->dtype, (int64_t)l.inputs, 1);
  numbers_fill(l.gy, l.own_gy, s->dtype, (int64_t)l.results, 2);
  numbers_fill(l.w, l.own_w, ICL_F32, (int64_t)l.weights, 3);
  return l;
}

static void layer_free(layer *l) {
  void *all[] = {l->x, l->gy, l->w, l->own_x, l->own_gy, l->own_w};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    icl__free(all[i]);
}

static icl__view view(int32_t n, const int32_t size[2], int32_t channels, double *data) {
  return (icl__view){data, ICL_F64, 4, {n, size[0], size[1], channels}, channels};
}

static icl__view inputs(const icl__conv1x1_shape *s, double *data) {
  return view(s->images, s->x, s->in * s->groups, data);
}

static icl__view results(const icl__conv1x1_shape *s, double *data) {
  return view(s->images, s->y, s->out * s->groups, data);
}

static icl__view weights(const icl__conv1x1_shape *s, double *data) {
  return (icl__view){data, ICL_F64, 4, {1, 1, s->in, s->out * s->groups}, (int64_t)s->out * s->groups};
}

/* Attributes 4 and 5 are the size of the input, or of the kernel. */
static void reference(const icl__conv1x1_shape *s, int op, icl__view out, icl__view first, icl__view second) {
  icl_attributes attr = {
      .i = {[CONV_STRIDE_H] = s->stride[0], [CONV_STRIDE_W] = s->stride[1], [CONV_GROUPS] = s->groups}};
  bool weight = op == ICL__OP_conv2d_weight_grad;
  attr.i[weight ? CONV_KERNEL_H : CONV_SIZE_H] = weight ? 1 : s->x[0];
  attr.i[weight ? CONV_KERNEL_W : CONV_SIZE_W] = weight ? 1 : s->x[1];
  icl__call call = {.op = op, .attr = &attr, .inputs = 2, .out = out, .in = {first, second}, .parts = 1};
  icl__ref_kernel(op)(&call);
}

static void check_close(const char *set, const icl__conv1x1_shape *s, const double *expected, const void *values,
                        icl_dtype dtype, size_t count) {
  double error = numbers_error(expected, values, dtype, (int64_t)count);
  if (!(error <= (dtype == ICL_BF16 ? bf16_error : f32_error)))
    unit_fail(__FILE__, __LINE__, "%s, %d images of %dx%d, %d to %d channels, %d groups: error %.3g", set, s->images,
              s->x[0], s->x[1], s->in, s->out, s->groups, error);
}

static float *prepared(const icl__conv1x1 *kernels, const layer *l, bool turned) {
  enum { PARTS = 3 };
  float *u = icl__alloc(icl__conv1x1_weights(&l->shape, turned), sizeof *u);
  for (int part = 0; part < PARTS; part++)
    kernels->prepare(&l->shape, turned, l->own_w, u, part, PARTS);
  return u;
}

/* Runs `check` on every shape with the kernels of every instruction set. */
static void on_every_set(void (*check)(const char *set, const icl__conv1x1 *kernels, const layer *l)) {
  int ran = 0;
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    setenv("ICL_ISA", sets[i], 1);
    if (icl__cpu_select() != ICL_OK)
      continue;
    ran++;
    for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++) {
      layer l = layer_new(&shapes[j]);
      check(sets[i], icl__cpu_conv1x1(), &l);
      layer_free(&l);
    }
  }
  CHECK(ran > 0);
}

static void check_forward(const char *set, const icl__conv1x1 *kernels, const layer *l) {
  const icl__conv1x1_shape *s = &l->shape;
  double *expected = icl__alloc(l->results, sizeof *expected);
  float *u = prepared(kernels, l, false), *scratch = icl__alloc(icl__conv1x1_scratch(s, false), sizeof *scratch);
  void *y = icl__alloc(l->results, icl_dtype_bytes(s->dtype));
  reference(s, ICL__OP_conv2d, results(s, expected), inputs(s, l->x), weights(s, l->w));
  kernels->forward(s, l->own_x, u, y, scratch);
  check_close(set, s, expected, y, s->dtype, l->results);
  icl__free(y);
  icl__free(scratch);
  icl__free(u);
  icl__free(expected);
}

TEST(forward) { on_every_set(check_forward); }

static void check_backward(const char *set, const icl__conv1x1 *kernels, const layer *l) {
  const icl__conv1x1_shape *s = &l->shape;
  double *expected = icl__alloc(l->inputs, sizeof *expected);
  float *u = prepared(kernels, l, true), *scratch = icl__alloc(icl__conv1x1_scratch(s, true), sizeof *scratch);
  void *gx = icl__alloc(l->inputs, icl_dtype_bytes(s->dtype));
  memset(gx, 0xff, l->inputs * icl_dtype_bytes(s->dtype));
  reference(s, ICL__OP_conv2d_input_grad, inputs(s, expected), results(s, l->gy), weights(s, l->w));
  kernels->backward(s, l->own_gy, u, gx, scratch);
  check_close(set, s, expected, gx, s->dtype, l->inputs);
  icl__free(gx);
  icl__free(scratch);
  icl__free(u);
  icl__free(expected);
}

TEST(backward) { on_every_set(check_backward); }

/* The images are seen twice. */
static void check_differentiate(const char *set, const icl__conv1x1 *kernels, const layer *l) {
  const icl__conv1x1_shape *s = &l->shape;
  double *expected = icl__alloc(l->weights, sizeof *expected);
  float *gw = icl__alloc(l->weights, sizeof *gw), *scratch = icl__alloc(icl__conv1x1_gradient_scratch(s), sizeof *gw);
  memset(gw, 0xff, l->weights * sizeof *gw);
  reference(s, ICL__OP_conv2d_weight_grad, weights(s, expected), inputs(s, l->x), results(s, l->gy));
  for (size_t i = 0; i < l->weights; i++)
    expected[i] *= 2;
  kernels->differentiate(s, l->own_x, l->own_gy, gw, false, scratch);
  kernels->differentiate(s, l->own_x, l->own_gy, gw, true, scratch);
  check_close(set, s, expected, gw, ICL_F32, l->weights);
  icl__free(scratch);
  icl__free(gw);
  icl__free(expected);
}

TEST(weight_gradient) { on_every_set(check_differentiate); }
