/* make_layers.c - makers of what networks are made of: products, convolutions, batch norm, losses; and of ops that mix
 * the images of a batch. */
#include "generate.h"

#include <string.h>

/* ---- products ---- */

static int product(maker *m, int a, bool transpose_a, int b, bool transpose_b) {
  icl_attributes attr = attributes_of("matmul");
  set_int(&attr, "matmul", "transpose_a", transpose_a);
  set_int(&attr, "matmul", "transpose_b", transpose_b);
  return apply_op(m, "matmul", 2, (int[]){a, b}, &attr);
}

/* With a weight, with itself, or with another value as transposition allows. */
void make_matmul(maker *m) {
  int a = matrix(m);
  if (a < 0)
    return;
  bool transpose_a = chance(m, 30), transpose_b = chance(m, 40);
  int32_t inner = at(m, a)->shape[!transpose_a], outer = m->c[below(m, 2)];
  int way = below(m, 100);
  if (way < 50)
    product(m, a, transpose_a,
            parameter(m, WEIGHTS, 2, (const int32_t[]){transpose_b ? outer : inner, transpose_b ? inner : outer}),
            transpose_b);
  else if (way < 75)
    product(m, a, transpose_a, a, !transpose_a);
  else
    product(m, a, transpose_a, pick(m, 2), transpose_b);
}

/* softmax(h h^T) h: every image sees every other one */
void make_attention(maker *m) {
  int h = matrix(m), scores = h < 0 ? -1 : product(m, h, false, h, true);
  if (scores < 0)
    return;
  int weights = apply1(m, "softmax", apply2(m, "mul", scores, number(m, 0.25)));
  if (weights >= 0 && chance(m, 70))
    product(m, weights, chance(m, 20), h, false);
}

/* ---- convolutions ---- */

static int32_t divisor(maker *m, int32_t of) {
  int32_t d = 1 + below(m, of);
  return of % d ? 1 : d;
}

int convolve(maker *m, int x, int32_t kernel, int32_t out, int32_t stride) {
  if (x < 0)
    return -1;
  icl_attributes attr = attributes_of("conv2d");
  set_pair(&attr, "conv2d", "padding", kernel / 2, kernel / 2);
  set_pair(&attr, "conv2d", "stride", stride, stride);
  int w = parameter(m, WEIGHTS, 4, (const int32_t[]){kernel, kernel, at(m, x)->shape[3], out});
  return w < 0 ? -1 : apply2_with(m, "conv2d", x, w, &attr);
}

void make_conv(maker *m) {
  int x = image(m);
  if (x < 0)
    return;
  const int32_t *shape = at(m, x)->shape;
  if (chance(m, 40)) {
    convolve(m, x, chance(m, 70) ? 3 : 1, m->c[below(m, 2)], 1 + chance(m, 20));
    return;
  }
  int32_t kh = 1 + below(m, shape[1] < 3 ? shape[1] : 3), kw = 1 + below(m, shape[2] < 3 ? shape[2] : 3);
  int32_t groups = chance(m, 60) ? 1 : divisor(m, shape[3]);
  int32_t out = groups * (groups > 1 ? 1 + below(m, 2) : m->c[below(m, 2)]);
  icl_attributes attr = attributes_of("conv2d");
  if (chance(m, 30))
    set_pair(&attr, "conv2d", "padding", kh / 2, kw / 2);
  if (chance(m, 30))
    set_pair(&attr, "conv2d", "stride", 1 + below(m, 2), 1 + below(m, 2));
  set_int(&attr, "conv2d", "groups", groups);
  int w = parameter(m, WEIGHTS, 4, (const int32_t[]){kh, kw, shape[3] / groups, out});
  if (w >= 0 && chance(m, 15))
    w = apply2(m, "mul", w, number(m, 0.875));
  apply2_with(m, "conv2d", x, w, &attr);
}

/* The two gradients of a convolution with stride 1 and no padding, as ops of their own. */
void make_conv_gradients(maker *m) {
  int g = image(m);
  if (g < 0)
    return;
  int32_t n = at(m, g)->shape[0], h = at(m, g)->shape[1], w = at(m, g)->shape[2], out = at(m, g)->shape[3];
  int32_t kh = 1 + below(m, 2), kw = 1 + below(m, 2), in = m->c[0];
  if (chance(m, 50)) {
    icl_attributes attr = attributes_of("conv2d_input_grad");
    set_pair(&attr, "conv2d_input_grad", "size", h + kh - 1, w + kw - 1);
    int weight = parameter(m, WEIGHTS, 4, (const int32_t[]){kh, kw, in, out});
    apply_op(m, "conv2d_input_grad", 2, (int[]){g, weight}, &attr);
    return;
  }
  icl_attributes attr = attributes_of("conv2d_weight_grad");
  set_pair(&attr, "conv2d_weight_grad", "kernel", kh, kw);
  int x = constant(m, ICL_F32, SIGNED, 4, (const int32_t[]){n, h + kh - 1, w + kw - 1, in});
  apply_op(m, "conv2d_weight_grad", 2, (int[]){x, g}, &attr);
}

/* ---- batch norm ---- */

static int coefficients_of_batch(maker *m, int x, int weight, int bias) {
  icl_attributes attr = attributes_of("bn_coefficients");
  set_real(&attr, "bn_coefficients", "eps", 0.125);
  int sums = apply1(m, "bn_sums", x);
  return apply_op(m, "bn_coefficients", 3, (int[]){sums, weight, bias}, &attr);
}

static void update_statistic(maker *m, int coefficients, int old, int row) {
  icl_attributes attr = attributes_of("bn_running");
  set_int(&attr, "bn_running", "row", row);
  int value = apply_op(m, "bn_running", 2, (int[]){coefficients, old}, &attr);
  if (value >= 0 && at(m, old)->kind == DO_READ)
    put(m, &(instruction){.kind = DO_WRITE, .state = at(m, old)->state, .inputs = 1, .in = {value}});
}

int normalize_batch(maker *m, int x) {
  if (x < 0)
    return -1;
  const int32_t *c = &at(m, x)->shape[at(m, x)->rank - 1];
  int weight = parameter(m, POSITIVE, 1, c), bias = parameter(m, SIGNED, 1, c), mean = parameter(m, WEIGHTS, 1, c);
  int coefficients;
  bool inference = chance(m, 10);
  if (weight < 0 || bias < 0 || mean < 0)
    return -1;
  if (inference) {
    icl_attributes attr = attributes_of("bn_inference");
    int variance = constant(m, ICL_F32, POSITIVE, 1, c);
    coefficients = apply_op(m, "bn_inference", 4, (int[]){weight, bias, mean, variance}, &attr);
  } else {
    coefficients = coefficients_of_batch(m, x, weight, bias);
  }
  if (coefficients < 0)
    return -1;
  if (!inference && chance(m, 60))
    update_statistic(m, coefficients, mean, 2);
  icl_attributes attr = attributes_of("scale_shift");
  set_int(&attr, "scale_shift", "relu", chance(m, 20));
  return apply2_with(m, "scale_shift", x, coefficients, &attr);
}

void make_batch_norm(maker *m) {
  int y = normalize_batch(m, chance(m, 80) ? image(m) : matrix(m));
  if (y >= 0 && chance(m, 50))
    apply1(m, "relu", y);
}

/* ---- mixing images ---- */

/* Of what numbers are less than in every turn. */
static int64_t bound(const instruction *i) {
  if (i->kind != DO_CONSTANT)
    return INT64_MAX;
  return i->values == INTEGERS ? i->most : i->values == PERMUTATION ? count_of(i) : INT64_MAX;
}

/* `count` numbers from 0 to n - 1; with `old` others that were there before, if there are such, of any count. */
static int indices(maker *m, bool old, int32_t n, int32_t count) {
  int i = old ? pick_dtype(m, ICL_I64, 1) : -1;
  return i >= 0 && bound(at(m, i)) <= n ? i : integers(m, ICL_I64, (uint32_t)n, 1, &count);
}

void make_gather(maker *m) {
  int x = any_value(m);
  if (x < 0 || at(m, x)->rank == 0)
    return;
  int32_t n = at(m, x)->shape[0], rows = chance(m, 50) ? n : 1 + below(m, 9);
  apply2(m, "gather", x, indices(m, chance(m, 20), n, rows));
}

/* A value with an axis, as x, and the axis; -1 if there is none. */
static int with_axis(maker *m, int32_t *axis) {
  int x = any_value(m);
  if (x < 0 || at(m, x)->rank == 0)
    return -1;
  *axis = axis_of(m, x);
  return x;
}

void make_cumsum(maker *m) {
  icl_attributes attr = attributes_of("cumsum");
  int32_t axis, x = with_axis(m, &axis);
  if (x < 0)
    return;
  set_int(&attr, "cumsum", "dim", axis);
  set_int(&attr, "cumsum", "reverse", chance(m, 30));
  apply_op(m, "cumsum", 1, &x, &attr);
}

static int along(maker *m, int x, int index, int32_t axis) {
  icl_attributes attr = attributes_of("gather_along");
  set_int(&attr, "gather_along", "dim", axis);
  return apply2_with(m, "gather_along", x, index, &attr);
}

/* Constants alone are put in order: rounding may take others from one place to another. */
void make_order(maker *m) {
  icl_attributes attr = attributes_of("argsort");
  int32_t axis, x = with_axis(m, &axis);
  if (x < 0)
    return;
  const instruction *i = at(m, x);
  int keys = constant(m, ICL_F32, SIGNED, i->rank, i->shape);
  set_int(&attr, "argsort", "dim", axis);
  set_int(&attr, "argsort", "descending", chance(m, 50));
  set_int(&attr, "argsort", "length", chance(m, 50) ? -1 : 1 + below(m, i->shape[axis]));
  int index = keys < 0 ? -1 : apply_op(m, "argsort", 1, &keys, &attr);
  if (index >= 0)
    along(m, x, index, axis);
}

void make_gather_along(maker *m) {
  int32_t axis, x = with_axis(m, &axis), shape[ICL_MAX_RANK];
  if (x < 0)
    return;
  memcpy(shape, at(m, x)->shape, sizeof shape);
  int32_t size = shape[axis], rank = at(m, x)->rank;
  if (chance(m, 70)) {
    shape[axis] = 1 + below(m, 2 * size);
    along(m, x, integers(m, ICL_I64, (uint32_t)size, rank, shape), axis);
    return;
  }
  icl_attributes attr = attributes_of("gather_along_grad");
  int32_t wide = 1 + below(m, 2 * size);
  set_int(&attr, "gather_along_grad", "dim", axis);
  set_int(&attr, "gather_along_grad", "size", wide);
  apply2_with(m, "gather_along_grad", x, integers(m, ICL_I64, (uint32_t)wide, rank, shape), &attr);
}

/* share x + (1 - share) x[permutation] */
void make_mixup(maker *m) {
  int x = any_value(m);
  if (x < 0 || at(m, x)->rank == 0)
    return;
  int other = apply2(m, "gather", x, constant(m, ICL_I64, PERMUTATION, 1, at(m, x)->shape));
  if (other < 0)
    return;
  int share = apply2(m, "mul", x, number(m, 0.625));
  int rest = apply2(m, "mul", other, number(m, 0.375));
  if (share >= 0 && rest >= 0)
    apply2(m, "add", share, rest);
}

void make_one_hot(maker *m) {
  icl_attributes attr = attributes_of("one_hot");
  int32_t classes = 1 + below(m, 5);
  set_int(&attr, "one_hot", "classes", classes);
  int labels = indices(m, chance(m, 30), classes, m->n);
  apply_op(m, "one_hot", 1, &labels, &attr);
}

/* ---- losses ---- */

void make_softmax(maker *m) {
  int x = any_value(m);
  if (x >= 0)
    apply1(m, chance(m, 50) ? "softmax" : "log_softmax", x);
}

void make_cross_entropy(maker *m) {
  int logits = matrix(m);
  if (logits < 0)
    return;
  int target = chance(m, 20) ? pick_like(m, logits) : constant(m, ICL_F32, DISTRIBUTION, 2, at(m, logits)->shape);
  apply2(m, "cross_entropy", logits, target);
}
