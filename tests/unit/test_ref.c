/* test_ref.c - reference kernels against values worked out by hand, and gradient kernels against what defines them: the
 * inner product with the forward kernel, or central differences. */
#include "unit.h"

#include "backend/ref/kernels.h"
#include "base/philox.h"
#include "ops/attributes.h"
#include "ops/ops.h"
#include "ops/picture.h"

#include <math.h>
#include <string.h>

/* ---- calling a kernel on arrays ---- */

static icl__view view_of(double *data, int rank, const int32_t *shape) {
  icl__view v = {.data = data, .dtype = ICL_F64, .rank = rank};
  memcpy(v.shape, shape, (size_t)rank * sizeof *shape);
  v.pitch = icl__view_columns(&v);
  return v;
}

#define SIZES(...)                                                                                                     \
  (int)(sizeof(int32_t[]){__VA_ARGS__} / sizeof(int32_t)), (int32_t[]) { __VA_ARGS__ }
#define ARRAY(...) ((double[]){__VA_ARGS__})
/* An array as a view; the sizes follow. */
#define VIEW(data, ...) view_of(data, SIZES(__VA_ARGS__))
#define SCALAR(data)    view_of(data, 0, (int32_t[]){0})

static void run(int op, const icl_attributes *attr, icl__view out, int inputs, const icl__view *in) {
  icl__call call = {.op = op, .attr = attr, .inputs = inputs, .out = out, .parts = 1};
  memcpy(call.in, in, (size_t)inputs * sizeof *in);
  CHECK(icl__ref_kernel(op) != NULL);
  icl__ref_kernel(op)(&call);
}

/* RUN(op, attributes, out, inputs...) */
#define RUN(op, attributes, out, ...)                                                                                  \
  run(ICL__OP_##op, attributes, out, (int)(sizeof(icl__view[]){__VA_ARGS__} / sizeof(icl__view)),                      \
      (icl__view[]){__VA_ARGS__})
#define ATTR(...) (&(icl_attributes){__VA_ARGS__})
#define NO_ATTR   ATTR(.i = {0})

static void check_array(int line, const double *got, int count, const double *expected, double tolerance) {
  for (int i = 0; i < count; i++)
    if (!(fabs(got[i] - expected[i]) <= tolerance || (got[i] != got[i] && expected[i] != expected[i])) &&
        got[i] != expected[i])
      unit_fail(__FILE__, line, "element %d is %.17g instead of %.17g", i, got[i], expected[i]);
}
#define EXPECT(got, ...)                                                                                               \
  check_array(__LINE__, got, (int)(sizeof(double[]){__VA_ARGS__} / sizeof(double)), (double[]){__VA_ARGS__}, 1e-12)

/* Numbers between -1 and 1 that look like noise. */
static void fill_noise(double *data, int count, uint32_t seed) {
  for (int i = 0; i < count; i++) {
    seed = seed * 1664525 + 1013904223;
    data[i] = seed / 2147483648.0 - 1;
  }
}

static double inner_product(const double *a, const double *b, int count) {
  double sum = 0;
  for (int i = 0; i < count; i++)
    sum += a[i] * b[i];
  return sum;
}

/* ---- the table ---- */

TEST(every_op_has_a_kernel_but_leaves_aliases_and_all_reduce) {
  for (int op = 0; op < ICL__OP_COUNT; op++) {
    bool none = op == ICL__OP_constant || op == ICL__OP_state || op == ICL__OP_detach || op == ICL__OP_custom ||
                op == ICL__OP_all_reduce;
    CHECK_EQ(icl__ref_kernel(op) == NULL, none);
  }
  CHECK(icl__ref_kernel(ICL__OP_COUNT) == NULL);
  CHECK(icl__ref_kernel(-1) == NULL);
}

/* ---- pointwise ---- */

TEST(pointwise_broadcasts_from_the_last_axis) {
  double x[] = {1, 2, 3, 4, 5, 6}, row[] = {10, 20, 30}, column[] = {100, 200}, one[] = {7}, y[6];
  RUN(add, NO_ATTR, VIEW(y, 2, 3), VIEW(x, 2, 3), VIEW(row, 3));
  EXPECT(y, 11, 22, 33, 14, 25, 36);
  RUN(add, NO_ATTR, VIEW(y, 2, 3), VIEW(column, 2, 1), VIEW(row, 3));
  EXPECT(y, 110, 120, 130, 210, 220, 230);
  RUN(mul, NO_ATTR, VIEW(y, 2, 3), SCALAR(one), VIEW(x, 2, 3));
  EXPECT(y, 7, 14, 21, 28, 35, 42);
  RUN(where, NO_ATTR, VIEW(y, 2, 3), VIEW(ARRAY(0, 1, 1), 3), VIEW(x, 2, 3), SCALAR(one));
  EXPECT(y, 7, 2, 3, 7, 5, 6);
}

TEST(pointwise_formulas_at_special_values) {
  double x[] = {-2.5, 0, 3, NAN}, y[4];
  RUN(relu, NO_ATTR, VIEW(y, 4), VIEW(x, 4));
  EXPECT(y, 0, 0, 3, NAN);
  RUN(sign, NO_ATTR, VIEW(y, 4), VIEW(x, 4));
  EXPECT(y, -1, 0, 1, NAN);
  RUN(floor, NO_ATTR, VIEW(y, 4), VIEW(x, 4));
  EXPECT(y, -3, 0, 3, NAN);
  RUN(maximum, NO_ATTR, VIEW(y, 4), VIEW(x, 4), VIEW(ARRAY(NAN, -1, 5, 1), 4));
  EXPECT(y, NAN, 0, 5, NAN);
  RUN(minimum, NO_ATTR, VIEW(y, 4), VIEW(x, 4), VIEW(ARRAY(NAN, -1, 5, 1), 4));
  EXPECT(y, NAN, -1, 3, NAN);
  RUN(clamp, NO_ATTR, VIEW(y, 4), VIEW(x, 4), SCALAR(ARRAY(-1)), SCALAR(ARRAY(2)));
  EXPECT(y, -1, 0, 2, NAN);
  RUN(eq, NO_ATTR, VIEW(y, 4), VIEW(x, 4), VIEW(x, 4));
  EXPECT(y, 1, 1, 1, 0);
  RUN(relu_grad, NO_ATTR, VIEW(y, 4), VIEW(ARRAY(5, 6, 7, 8), 4), VIEW(x, 4));
  EXPECT(y, 0, 0, 7, 0);
}

TEST(pointwise_formulas_by_hand) {
  double x[] = {4, -0.5, 0.25}, y[3];
#define UNARY(op, ...)                                                                                                 \
  RUN(op, NO_ATTR, VIEW(y, 3), VIEW(x, 3));                                                                            \
  EXPECT(y, __VA_ARGS__)
  UNARY(neg, -4, 0.5, -0.25);
  UNARY(abs, 4, 0.5, 0.25);
  UNARY(exp, 54.598150033144236, 0.6065306597126334, 1.2840254166877414);
  UNARY(log, 1.3862943611198906, NAN, -1.3862943611198906);
  UNARY(sqrt, 2, NAN, 0.5);
  UNARY(tanh, 0.9993292997390670, -0.4621171572600098, 0.2449186624037092);
  UNARY(sigmoid, 0.9820137900379085, 0.3775406687981454, 0.5621765008857981);
  UNARY(logical_not, 0, 0, 0);
#undef UNARY
#define BINARY(op, ...)                                                                                                \
  RUN(op, NO_ATTR, VIEW(y, 3), VIEW(x, 3), VIEW(ARRAY(2, -0.5, 3), 3));                                                \
  EXPECT(y, __VA_ARGS__)
  BINARY(sub, 2, 0, -2.75);
  BINARY(div, 2, 1, 0.25 / 3);
  BINARY(pow, 16, NAN, 0.015625);
  BINARY(eq, 0, 1, 0);
  BINARY(ne, 1, 0, 1);
  BINARY(lt, 0, 0, 1);
  BINARY(le, 0, 1, 1);
  BINARY(gt, 1, 0, 0);
  BINARY(ge, 1, 1, 0);
  BINARY(add_n, 6, -1, 3.25);
#undef BINARY
  RUN(logical_not, NO_ATTR, VIEW(y, 3), VIEW(ARRAY(0, -0.0, NAN), 3));
  EXPECT(y, 1, 1, 0);
}

TEST(momentum_updates) {
  double p[] = {1}, g[] = {0.5}, v[] = {2}, lr[] = {0.1}, momentum[] = {0.9}, decay[] = {0.01}, y[1];
  RUN(sgd_momentum, NO_ATTR, VIEW(y, 1), VIEW(g, 1), VIEW(p, 1), VIEW(v, 1), SCALAR(momentum), SCALAR(decay));
  EXPECT(y, 2.31);
  RUN(sgd_nesterov, NO_ATTR, VIEW(y, 1), VIEW(p, 1), VIEW(g, 1), VIEW(y, 1), SCALAR(lr), SCALAR(momentum),
      SCALAR(decay));
  EXPECT(y, 1 - 0.1 * (0.51 + 0.9 * 2.31));
}

TEST(cast_goes_through_the_dtype) {
  double x[] = {-1.75, 300.5, 1 + 0x1p-9}, y[3];
  RUN(cast, ATTR(.i = {ICL_U8}), VIEW(y, 3), VIEW(x, 3));
  EXPECT(y, 0, 255, 1);
  RUN(cast, ATTR(.i = {ICL_I32}), VIEW(y, 3), VIEW(x, 3));
  EXPECT(y, -1, 300, 1);
  RUN(cast, ATTR(.i = {ICL_BF16}), VIEW(y, 3), VIEW(x, 3));
  EXPECT(y, -1.75, 300, 1);
  RUN(cast, ATTR(.i = {ICL_BOOL}), VIEW(y, 3), VIEW(x, 3));
  EXPECT(y, 1, 1, 1);
}

/* ---- reductions ---- */

TEST(reductions_over_dims) {
  double x[] = {1, 9, 3, 4, 5, 9, 7, 8, 9, 10, 11, 0}, y[12]; /* 2 x 3 x 2 */
  RUN(sum, ATTR(.i = {2, 0, 2}), VIEW(y, 3), VIEW(x, 2, 3, 2));
  EXPECT(y, 25, 26, 25);
  RUN(sum, ATTR(.i = {1, 1, [REDUCE_KEEPDIM] = 1}), VIEW(y, 2, 1, 2), VIEW(x, 2, 3, 2));
  EXPECT(y, 9, 22, 27, 18);
  RUN(sum, ATTR(.i = {3, 0, 1, 2}), SCALAR(y), VIEW(x, 2, 3, 2));
  EXPECT(y, 76);
  RUN(max, ATTR(.i = {1, 1}), VIEW(y, 2, 2), VIEW(x, 2, 3, 2));
  EXPECT(y, 5, 9, 11, 10);
  RUN(argmax, ATTR(.i = {1}), VIEW(y, 2, 2), VIEW(x, 2, 3, 2));
  EXPECT(y, 2, 0, 2, 1); /* the first of the two nines */
  RUN(argmax, ATTR(.i = {2}), VIEW(y, 2, 3), VIEW(x, 2, 3, 2));
  EXPECT(y, 1, 1, 1, 1, 1, 0);
  RUN(sum_to, NO_ATTR, VIEW(y, 3, 1), VIEW(x, 2, 3, 2));
  EXPECT(y, 25, 26, 25);
  RUN(broadcast_to, NO_ATTR, VIEW(y, 2, 3), VIEW(ARRAY(1, 2), 2, 1));
  EXPECT(y, 1, 1, 1, 2, 2, 2);
}

TEST(largest_with_nan_is_nan) {
  double x[] = {1, NAN, 3, NAN}, y[1];
  RUN(max, ATTR(.i = {1, 0}), SCALAR(y), VIEW(x, 4));
  EXPECT(y, NAN);
  RUN(argmax, ATTR(.i = {0}), SCALAR(y), VIEW(x, 4));
  EXPECT(y, 1);
}

TEST(matmul_with_each_transposition) {
  double a[] = {1, 2, 3, 4, 5, 6}, at[] = {1, 4, 2, 5, 3, 6}; /* 2 x 3 and its transpose */
  double b[] = {1, 0, 2, 1, 0, 3}, bt[] = {1, 2, 0, 0, 1, 3}, y[4];
  RUN(matmul, NO_ATTR, VIEW(y, 2, 2), VIEW(a, 2, 3), VIEW(b, 3, 2));
  EXPECT(y, 5, 11, 14, 23);
  RUN(matmul, ATTR(.i = {1, 0}), VIEW(y, 2, 2), VIEW(at, 3, 2), VIEW(b, 3, 2));
  EXPECT(y, 5, 11, 14, 23);
  RUN(matmul, ATTR(.i = {0, 1}), VIEW(y, 2, 2), VIEW(a, 2, 3), VIEW(bt, 2, 3));
  EXPECT(y, 5, 11, 14, 23);
  RUN(matmul, ATTR(.i = {1, 1}), VIEW(y, 2, 2), VIEW(at, 3, 2), VIEW(bt, 2, 3));
  EXPECT(y, 5, 11, 14, 23);
}

/* ---- convolution ---- */

TEST(conv2d_by_hand) {
  double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, w[] = {1, 10, 100, 1000}, y[16];
  RUN(conv2d, ATTR(.i = {1, 1, 0, 0, 1}), VIEW(y, 1, 2, 2, 1), VIEW(x, 1, 3, 3, 1), VIEW(w, 2, 2, 1, 1));
  EXPECT(y, 5421, 6532, 8754, 9865);
  RUN(conv2d, ATTR(.i = {2, 2, 1, 1, 1}), VIEW(y, 1, 2, 2, 1), VIEW(x, 1, 3, 3, 1), VIEW(w, 2, 2, 1, 1));
  EXPECT(y, 1000, 3200, 7040, 9865);
}

TEST(conv2d_groups_order_outputs_by_group) {
  double x[] = {1, 2, 3, 4}, w[] = {1, 2, 3, 4, 10, 20, 30, 40}, y[4]; /* w: 1 x 1 x 2 x 4 */
  RUN(conv2d, ATTR(.i = {1, 1, 0, 0, 2}), VIEW(y, 1, 1, 1, 4), VIEW(x, 1, 1, 1, 4), VIEW(w, 1, 1, 2, 4));
  EXPECT(y, 21, 42, 129, 172);
}

TEST(conv2d_gradients_are_adjoint) {
  static const struct {
    int32_t h, w, in, out, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, groups;
  } cases[] = {
      {5, 7, 3, 4, 3, 3, 1, 1, 1, 1, 1},
      {6, 5, 4, 6, 3, 2, 2, 1, 0, 1, 2},
      {4, 4, 3, 3, 1, 1, 2, 2, 0, 0, 3},
      {7, 7, 2, 4, 5, 3, 3, 2, 2, 1, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int32_t n = 2, h = cases[i].h, w = cases[i].w, in = cases[i].in, out = cases[i].out;
    int32_t kh = cases[i].kernel_h, kw = cases[i].kernel_w, part = in / cases[i].groups;
    int32_t oh = (h + 2 * cases[i].padding_h - kh) / cases[i].stride_h + 1;
    int32_t ow = (w + 2 * cases[i].padding_w - kw) / cases[i].stride_w + 1;
    icl_attributes *attr = ATTR(.i = {cases[i].stride_h, cases[i].stride_w, cases[i].padding_h, cases[i].padding_w,
                                      cases[i].groups, 0, 0});
    double x[1000], k[1000], y[1000], g[1000], gx[1000], gk[1000];
    fill_noise(x, 1000, 1);
    fill_noise(k, 1000, 2);
    fill_noise(g, 1000, 3);
    RUN(conv2d, attr, VIEW(y, n, oh, ow, out), VIEW(x, n, h, w, in), VIEW(k, kh, kw, part, out));
    RUN(conv2d_input_grad, attr, VIEW(gx, n, h, w, in), VIEW(g, n, oh, ow, out), VIEW(k, kh, kw, part, out));
    RUN(conv2d_weight_grad, attr, VIEW(gk, kh, kw, part, out), VIEW(x, n, h, w, in), VIEW(g, n, oh, ow, out));
    double product = inner_product(y, g, n * oh * ow * out);
    CHECK(fabs(product) > 1e-3);
    CHECK_NEAR(inner_product(x, gx, n * h * w * in), product, 1e-12);
    CHECK_NEAR(inner_product(k, gk, kh * kw * part * out), product, 1e-12);
  }
}

/* ---- batch norm ---- */

enum { BN_ELEMENTS = 10, BN_CHANNELS = 2, BN_ROWS = BN_ELEMENTS / BN_CHANNELS };
static const icl_attributes bn_attr = {.f = {1e-5}};

static void bn_table(double *x, double *weight, double *bias, double *sums, double *coefficients) {
  RUN(bn_sums, NO_ATTR, VIEW(sums, 3, 2), VIEW(x, BN_ROWS, 2));
  RUN(bn_coefficients, &bn_attr, VIEW(coefficients, 5, 2), VIEW(sums, 3, 2), VIEW(weight, 2), VIEW(bias, 2));
}

TEST(bn_sums_are_around_the_mean) {
  double x[] = {1, 1e9, 2, 1e9, 3, 1e9, 4, 1e9, 5, 1e9}, sums[6];
  RUN(bn_sums, NO_ATTR, VIEW(sums, 3, 2), VIEW(x, BN_ROWS, 2));
  EXPECT(sums, 5, 5, 15, 5e9, 10, 0);
}

TEST(bn_coefficients_hold_mean_and_variance) {
  double x[] = {1, 10, 2, 10, 3, 10, 4, 10, 5, 10}, weight[] = {2, 3}, bias[] = {0.5, -1}, sums[6], c[10];
  bn_table(x, weight, bias, sums, c);
  double istd = 1 / sqrt(2 + 1e-5), dull = 1 / sqrt(1e-5);
  check_array(__LINE__, c, 10, ARRAY(2 * istd, 3 * dull, 0.5, -1, 3, 10, istd, dull, 2, 0), 1e-9);
  double inference[10];
  RUN(bn_inference, ATTR(.f = {1e-5}), VIEW(inference, 5, 2), VIEW(weight, 2), VIEW(bias, 2), VIEW(c + 4, 2),
      VIEW(c + 8, 2));
  check_array(__LINE__, inference, 10, c, 1e-9);
  double running[2], row[2];
  RUN(bn_running, ATTR(.i = {4}, .f = {0.1, 1.25}), VIEW(running, 2), VIEW(c, 5, 2), VIEW(ARRAY(1, 1), 2));
  EXPECT(running, 1 + 0.1 * (2.5 - 1), 0.9);
  RUN(bn_row, ATTR(.i = {2}), VIEW(row, 2), VIEW(c, 5, 2));
  EXPECT(row, 3, 10);
}

/* The value whose gradient the test below takes: sum of g times the normalised x, after ReLU with `relu`. */
static double bn_loss(double *x, double *weight, double *bias, const double *g, int relu) {
  double sums[6], coefficients[10], y[BN_ELEMENTS];
  bn_table(x, weight, bias, sums, coefficients);
  RUN(scale_shift, ATTR(.i = {relu}), VIEW(y, BN_ROWS, 2), VIEW(x, BN_ROWS, 2), VIEW(coefficients, 5, 2));
  return inner_product(y, g, BN_ELEMENTS);
}

TEST(bn_gradient_is_that_of_the_whole_chain) {
  for (int mask = 0; mask <= 1; mask++) {
    double x[BN_ELEMENTS], g[BN_ELEMENTS], weight[] = {1.5, -0.7}, bias[] = {0.1, 0.2};
    double c[10], sums[6], scale_sums[4], k[8], gx[BN_ELEMENTS], rest[BN_ELEMENTS];
    fill_noise(x, BN_ELEMENTS, 4);
    fill_noise(g, BN_ELEMENTS, 5);
    fill_noise(rest, BN_ELEMENTS, 6);
    bn_table(x, weight, bias, sums, c);
    icl__view vx = VIEW(x, BN_ROWS, 2), vg = VIEW(g, BN_ROWS, 2), vc = VIEW(c, 5, 2), vk = VIEW(k, 4, 2);
    RUN(bn_scale_sums, ATTR(.i = {mask}), VIEW(scale_sums, 2, 2), vg, vx, vc);
    RUN(bn_coefficients_grad, NO_ATTR, vk, VIEW(scale_sums, 2, 2), vc, VIEW(sums, 3, 2));
    RUN(bn_input_grad, ATTR(.i = {mask}), VIEW(gx, BN_ROWS, 2), vg, vx, vc, vk);
    for (int i = 0; i < BN_ELEMENTS + 4; i++) {
      double *at = i < BN_ELEMENTS ? x + i : i < BN_ELEMENTS + 2 ? weight + (i - BN_ELEMENTS) : bias + (i % 2);
      double given = i < BN_ELEMENTS ? gx[i] : k[4 + i - BN_ELEMENTS], before = *at, h = 1e-5;
      *at = before + h;
      double high = bn_loss(x, weight, bias, g, mask);
      *at = before - h;
      double low = bn_loss(x, weight, bias, g, mask);
      *at = before;
      CHECK_NEAR(given, (high - low) / (2 * h), 1e-8);
    }
    double sum[BN_ELEMENTS];
    RUN(bn_input_grad, ATTR(.i = {mask}), VIEW(sum, BN_ROWS, 2), vg, vx, vc, vk, VIEW(rest, BN_ROWS, 2));
    for (int i = 0; i < BN_ELEMENTS; i++)
      CHECK_NEAR(sum[i], gx[i] + rest[i], 1e-12);
  }
}

TEST(bn_input_gradient_is_the_sum_of_its_parts) {
  double x[BN_ELEMENTS], g[BN_ELEMENTS], sums[6], c[10], k[8], a[BN_ELEMENTS], b[BN_ELEMENTS], sum[BN_ELEMENTS],
      whole[BN_ELEMENTS];
  fill_noise(x, BN_ELEMENTS, 4);
  fill_noise(g, BN_ELEMENTS, 5);
  bn_table(x, ARRAY(1.5, -0.7), ARRAY(0.1, 0.2), sums, c);
  fill_noise(k, 8, 8);
  icl__view vx = VIEW(x, BN_ROWS, 2), vg = VIEW(g, BN_ROWS, 2), vc = VIEW(c, 5, 2), vk = VIEW(k, 4, 2);
  icl__view vs = VIEW(sums, 3, 2);
  RUN(bn_scale, NO_ATTR, VIEW(a, BN_ROWS, 2), vg, vc);
  RUN(bn_sums_grad, NO_ATTR, VIEW(b, BN_ROWS, 2), vx, vk, vs);
  RUN(bn_sums_grad, NO_ATTR, VIEW(sum, BN_ROWS, 2), vx, vk, vs, VIEW(a, BN_ROWS, 2));
  RUN(bn_input_grad, NO_ATTR, VIEW(whole, BN_ROWS, 2), vg, vx, vc, vk);
  for (int i = 0; i < BN_ELEMENTS; i++) {
    CHECK_NEAR(whole[i], a[i] + b[i], 1e-12);
    CHECK_NEAR(whole[i], sum[i], 1e-12);
  }
}

TEST(bn_scale_mask_is_the_masked_gradient_without_statistics) {
  double x[BN_ELEMENTS], g[BN_ELEMENTS], rest[BN_ELEMENTS], c[10], k[8] = {0}, some[BN_ELEMENTS], whole[BN_ELEMENTS];
  fill_noise(x, BN_ELEMENTS, 4);
  fill_noise(g, BN_ELEMENTS, 5);
  fill_noise(rest, BN_ELEMENTS, 6);
  fill_noise(c, 10, 7);
  icl__view vx = VIEW(x, BN_ROWS, 2), vg = VIEW(g, BN_ROWS, 2), vc = VIEW(c, 5, 2), vk = VIEW(k, 4, 2);
  RUN(bn_input_grad, ATTR(.i = {1}), VIEW(whole, BN_ROWS, 2), vg, vx, vc, vk);
  RUN(bn_scale_mask, NO_ATTR, VIEW(some, BN_ROWS, 2), vg, vx, vc);
  for (int i = 0; i < BN_ELEMENTS; i++)
    CHECK_NEAR(some[i], whole[i], 1e-12);
  RUN(bn_scale_mask, NO_ATTR, VIEW(some, BN_ROWS, 2), vg, vx, vc, VIEW(rest, BN_ROWS, 2));
  for (int i = 0; i < BN_ELEMENTS; i++)
    CHECK_NEAR(some[i], whole[i] + rest[i], 1e-12);
}

TEST(bn_with_constant_statistics_has_no_gradient_through_them) {
  double sums[] = {3, 4, 5, 6}, c[10], k[8];
  fill_noise(c, 10, 7);
  RUN(bn_coefficients_grad, NO_ATTR, VIEW(k, 4, 2), VIEW(sums, 2, 2), VIEW(c, 5, 2));
  EXPECT(k, 0, 0, 0, 0, 5 * c[6], 6 * c[7], 3, 4);
}

/* ---- pooling ---- */

TEST(max_pooling_takes_the_first_largest) {
  double x[] = {1, 5, 5, -1, 5, 2, -3, -4, -2}, y[4], position[4], gx[9]; /* 3 x 3 */
  icl_attributes *attr = ATTR(.i = {2, 2, 1, 1, 0, 0});
  RUN(max_pool2d, attr, VIEW(y, 1, 2, 2, 1), VIEW(x, 1, 3, 3, 1));
  EXPECT(y, 5, 5, 5, 5);
  RUN(max_pool2d_positions, attr, VIEW(position, 1, 2, 2, 1), VIEW(x, 1, 3, 3, 1));
  EXPECT(position, 1, 0, 1, 0);
  RUN(max_pool2d_grad, attr, VIEW(gx, 1, 3, 3, 1), VIEW(ARRAY(1, 10, 100, 1000), 1, 2, 2, 1),
      VIEW(position, 1, 2, 2, 1));
  EXPECT(gx, 0, 11, 0, 0, 1100, 0, 0, 0, 0);
  RUN(max_pool2d_pick, attr, VIEW(y, 1, 2, 2, 1), VIEW(ARRAY(1, 2, 3, 4, 5, 6, 7, 8, 9), 1, 3, 3, 1),
      VIEW(position, 1, 2, 2, 1));
  EXPECT(y, 2, 2, 5, 5);
}

TEST(padding_never_wins_a_maximum) {
  double x[] = {-1, -2, -3, -4}, y[4], position[4];
  icl_attributes *attr = ATTR(.i = {3, 3, 2, 2, 1, 1});
  RUN(max_pool2d, attr, VIEW(y, 1, 1, 1, 1), VIEW(x, 1, 2, 2, 1));
  EXPECT(y, -1);
  RUN(max_pool2d_positions, attr, VIEW(position, 1, 1, 1, 1), VIEW(x, 1, 2, 2, 1));
  EXPECT(position, 4);
}

TEST(average_pooling_counts_padding) {
  double x[] = {1, 2, 3, 4}, y[4], gx[4];
  icl_attributes *attr = ATTR(.i = {2, 2, 1, 1, 1, 0});
  RUN(avg_pool2d, attr, VIEW(y, 1, 3, 1, 1), VIEW(x, 1, 2, 2, 1));
  EXPECT(y, 0.75, 2.5, 1.75);
  RUN(avg_pool2d_grad, attr, VIEW(gx, 1, 2, 2, 1), VIEW(ARRAY(4, 8, 12), 1, 3, 1, 1));
  EXPECT(gx, 3, 3, 5, 5);
  RUN(global_avg_pool, NO_ATTR, VIEW(y, 1, 2), VIEW(x, 1, 2, 1, 2));
  EXPECT(y, 2, 3);
  RUN(global_avg_pool_grad, NO_ATTR, VIEW(gx, 1, 2, 1, 2), VIEW(ARRAY(4, 6), 1, 2));
  EXPECT(gx, 2, 3, 2, 3);
}

/* ---- shape ---- */

TEST(elements_move) {
  double x[] = {1, 2, 3, 4, 5, 6}, y[12], first[] = {1};
  RUN(permute, ATTR(.i = {2, 1, 0}), VIEW(y, 3, 2), VIEW(x, 2, 3));
  EXPECT(y, 1, 4, 2, 5, 3, 6);
  RUN(permute, ATTR(.i = {3, 2, 0, 1}), VIEW(y, 3, 1, 2), VIEW(x, 1, 2, 3));
  EXPECT(y, 1, 4, 2, 5, 3, 6);
  RUN(reshape, NO_ATTR, VIEW(y, 3, 2), VIEW(x, 2, 3));
  EXPECT(y, 1, 2, 3, 4, 5, 6);
  RUN(pad, ATTR(.i = {2, 1, 0, [PAD_HIGH] = 2, 0, 1}, .f = {9}), VIEW(y, 3, 4), VIEW(x, 2, 3));
  EXPECT(y, 9, 9, 9, 9, 1, 2, 3, 9, 4, 5, 6, 9);
  RUN(concat, ATTR(.i = {1}), VIEW(y, 2, 4), VIEW(x, 2, 3), VIEW(ARRAY(7, 8), 2, 1));
  EXPECT(y, 1, 2, 3, 7, 4, 5, 6, 8);
  RUN(concat_part, ATTR(.i = {1, 1, 2}), VIEW(y, 2, 2), VIEW(x, 2, 3));
  EXPECT(y, 2, 3, 5, 6);
  RUN(narrow, ATTR(.i = {1, 2}), VIEW(y, 2, 2), VIEW(x, 2, 3), VIEW(first, 1));
  EXPECT(y, 2, 3, 5, 6);
  RUN(narrow_grad, ATTR(.i = {1, 4}), VIEW(y, 2, 4), VIEW(ARRAY(1, 2, 3, 4), 2, 2), VIEW(first, 1));
  EXPECT(y, 0, 1, 2, 0, 0, 3, 4, 0);
}

TEST(narrow_keeps_first_within_the_axis) {
  double x[] = {1, 2, 3, 4}, y[2];
  RUN(narrow, ATTR(.i = {0, 2}), VIEW(y, 2), VIEW(x, 4), VIEW(ARRAY(9), 1));
  EXPECT(y, 3, 4);
  RUN(narrow, ATTR(.i = {0, 2}), VIEW(y, 2), VIEW(x, 4), VIEW(ARRAY(-5), 1));
  EXPECT(y, 1, 2);
}

TEST(indices_are_clamped) {
  double x[] = {1, 2, 3, 4, 5, 6}, index[] = {2, 0, 2, 7, -1}, y[12]; /* 3 rows of 2 */
  RUN(gather, NO_ATTR, VIEW(y, 5, 2), VIEW(x, 3, 2), VIEW(index, 5));
  EXPECT(y, 5, 6, 1, 2, 5, 6, 5, 6, 1, 2);
  RUN(gather_grad, NO_ATTR, VIEW(x, 3, 2), VIEW(y, 5, 2), VIEW(index, 5));
  EXPECT(x, 2, 4, 0, 0, 15, 18);
  RUN(one_hot, NO_ATTR, VIEW(y, 3, 3), VIEW(ARRAY(1, 0, 3), 3));
  EXPECT(y, 0, 1, 0, 1, 0, 0, NAN, NAN, NAN);
}

/* ---- along an axis ---- */

TEST(running_sums) {
  double x[] = {1, 2, 3, 4, 5, 6}, y[6];
  RUN(cumsum, ATTR(.i = {1}), VIEW(y, 2, 3), VIEW(x, 2, 3));
  EXPECT(y, 1, 3, 6, 4, 9, 15);
  RUN(cumsum, ATTR(.i = {1, 1}), VIEW(y, 2, 3), VIEW(x, 2, 3));
  EXPECT(y, 6, 5, 3, 15, 11, 6);
  RUN(cumsum, ATTR(.i = {0}), VIEW(y, 2, 3), VIEW(x, 2, 3));
  EXPECT(y, 1, 2, 3, 5, 7, 9);
}

TEST(order_of_equals_and_nan) {
  double x[] = {2, NAN, 1, 2, INFINITY, 0, -0.0, NAN}, y[8];
  RUN(argsort, ATTR(.i = {0, 0, -1}), VIEW(y, 8), VIEW(x, 8));
  EXPECT(y, 5, 6, 2, 0, 3, 4, 1, 7);
  RUN(argsort, ATTR(.i = {0, 1, -1}), VIEW(y, 8), VIEW(x, 8));
  EXPECT(y, 1, 7, 4, 0, 3, 2, 5, 6);
  RUN(argsort, ATTR(.i = {0, 1, 4}), VIEW(y, 4), VIEW(x, 8));
  EXPECT(y, 1, 7, 4, 0);
  RUN(argsort, ATTR(.i = {1, 0, 2}), VIEW(y, 2, 2, 2), VIEW(ARRAY(3, 1, 2, 2, 1, 3, 4, 4, 4, 4, 9, 0), 2, 3, 2));
  EXPECT(y, 2, 0, 1, 1, 0, 2, 1, 0);
}

TEST(positions_along_an_axis) {
  double x[] = {1, 2, 3, 4, 5, 6}, index[] = {2, 0, 9, -1}, y[6];
  RUN(gather_along, ATTR(.i = {1}), VIEW(y, 2, 2), VIEW(x, 2, 3), VIEW(index, 2, 2));
  EXPECT(y, 3, 1, 6, 4);
  RUN(gather_along_grad, ATTR(.i = {1, 3}), VIEW(y, 2, 3), VIEW(x, 2, 2), VIEW(ARRAY(1, 1, 0, 5), 2, 2));
  EXPECT(y, 0, 3, 0, 3, 0, 4);
}

/* ---- loss ---- */

TEST(softmax_is_stable) {
  double x[] = {1000, 1000 + log(3), -1e9, log(2), 0, log(5)}, y[6];
  RUN(softmax, NO_ATTR, VIEW(y, 2, 3), VIEW(x, 2, 3));
  EXPECT(y, 0.25, 0.75, 0, 0.25, 0.125, 0.625);
  RUN(log_softmax, NO_ATTR, VIEW(y, 1, 3), VIEW(x + 3, 1, 3));
  EXPECT(y, log(0.25), log(0.125), log(0.625));
  RUN(cross_entropy, NO_ATTR, VIEW(y, 1), VIEW(x + 3, 1, 3), VIEW(ARRAY(0.5, 0.5, 0), 1, 3));
  EXPECT(y, -0.5 * log(0.25) - 0.5 * log(0.125));
  double large[] = {1e30, 1e30, -1e30};
  RUN(softmax, NO_ATTR, VIEW(y, 1, 3), VIEW(large, 1, 3));
  EXPECT(y, 0.5, 0.5, 0);
  RUN(log_softmax, NO_ATTR, VIEW(y, 1, 2), VIEW(large, 1, 2));
  EXPECT(y, -log(2), -log(2));
  RUN(cross_entropy, NO_ATTR, VIEW(y, 1), VIEW(large, 1, 2), VIEW(ARRAY(0.5, 0.5), 1, 2));
  EXPECT(y, log(2));
}

TEST(a_masked_class_has_no_probability) {
  double x[] = {0, 1, -INFINITY}, y[3];
  RUN(softmax, NO_ATTR, VIEW(y, 1, 3), VIEW(x, 1, 3));
  EXPECT(y, 1 / (1 + exp(1)), 1 / (1 + exp(-1)), 0);
  RUN(cross_entropy, NO_ATTR, VIEW(y, 1), VIEW(x, 1, 3), VIEW(ARRAY(0, 1, 0), 1, 3));
  EXPECT(y, log(1 + exp(-1)));
  RUN(cross_entropy, NO_ATTR, VIEW(y, 1), VIEW(x, 1, 3), VIEW(ARRAY(0, 0.9, 0.1), 1, 3));
  CHECK_EQ(y[0], INFINITY);
}

/* ---- samples ---- */

TEST(crop_sees_the_padded_image) {
  double x[] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8]; /* two images of 2 x 2 */
  icl_attributes *attr = ATTR(.i = {2, 2, 1, 1, 9});
  RUN(crop, attr, VIEW(y, 2, 2, 2, 1), VIEW(x, 2, 2, 2, 1), VIEW(ARRAY(0, 1, 5, -3), 2, 2));
  EXPECT(y, 9, 9, 1, 2, 9, 7, 9, 9); /* the second offset is moved to (2, 0) */
}

TEST(flip_mirrors_chosen_images) {
  double x[] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8]; /* two images of 1 x 2 x 2 */
  RUN(flip, NO_ATTR, VIEW(y, 2, 1, 2, 2), VIEW(x, 2, 1, 2, 2), VIEW(ARRAY(1, 0), 2));
  EXPECT(y, 3, 4, 1, 2, 5, 6, 7, 8);
}

/* One pixel of 200, 100, 50 by each kind that looks at nothing else: grey is 0.2989 r + 0.587 g + 0.114 b = 124.18. */
static void check_adjusted(int kind, double amount, double r, double g, double b) {
  double y[3];
  RUN(adjust, NO_ATTR, VIEW(y, 1, 1, 1, 3), VIEW(ARRAY(200, 100, 50), 1, 1, 1, 3), VIEW(ARRAY(amount), 1),
      VIEW(ARRAY(kind), 1));
  EXPECT(y, r, g, b);
}

TEST(adjust_by_hand) {
  check_adjusted(ICL__ADJUST_identity, 3, 200, 100, 50);
  check_adjusted(ICL__ADJUST_brightness, 1.5, 255, 150, 75);
  check_adjusted(ICL__ADJUST_contrast, 0.5, 162, 112, 87); /* half of the way to 124 */
  check_adjusted(ICL__ADJUST_saturation, 0, 124, 124, 124);
  check_adjusted(ICL__ADJUST_saturation, 2, 255, 76, 0);
  check_adjusted(ICL__ADJUST_hue, 1.0 / 3, 50, 200, 100); /* red becomes green */
  check_adjusted(ICL__ADJUST_hue, -1.0 / 3, 100, 50, 200);
  check_adjusted(ICL__ADJUST_sharpness, 2, 200, 100, 50); /* too small */
  check_adjusted(ICL__ADJUST_posterize, 2, 192, 64, 0);
  check_adjusted(ICL__ADJUST_posterize, 0, 0, 0, 0);
  check_adjusted(ICL__ADJUST_posterize, 8, 200, 100, 50);
  check_adjusted(ICL__ADJUST_solarize, 100, 55, 155, 50);
  check_adjusted(ICL__ADJUST_autocontrast, 0, 200, 100, 50); /* a channel of one byte stays */
  check_adjusted(ICL__ADJUST_invert, 0, 55, 155, 205);
  check_adjusted(ICL__ADJUST_grayscale, 0, 124, 124, 124);
}

TEST(adjust_looks_at_the_whole_channel) {
  double x[] = {50, 100, 75, 60}, y[4];
  RUN(adjust, NO_ATTR, VIEW(y, 1, 2, 2, 1), VIEW(x, 1, 2, 2, 1), VIEW(ARRAY(0), 1),
      VIEW(ARRAY(ICL__ADJUST_autocontrast), 1));
  EXPECT(y, 0, 255, 127, 51);
  double many[512], equal[512];
  for (int i = 0; i < 512; i++)
    many[i] = i < 255 ? 10 : i < 511 ? 20 : 30; /* below the largest 511: a step is 2 pixels */
  RUN(adjust, NO_ATTR, VIEW(equal, 1, 16, 32, 1), VIEW(many, 1, 16, 32, 1), VIEW(ARRAY(0), 1),
      VIEW(ARRAY(ICL__ADJUST_equalize), 1));
  CHECK_EQ(equal[0], 0);
  CHECK_EQ(equal[300], 128); /* (255 + 1) / 2 */
  CHECK_EQ(equal[511], 255);
  double dot[] = {0, 0, 0, 0, 130, 0, 0, 0, 0}, blurred[9];
  RUN(adjust, NO_ATTR, VIEW(blurred, 1, 3, 3, 1), VIEW(dot, 1, 3, 3, 1), VIEW(ARRAY(0), 1),
      VIEW(ARRAY(ICL__ADJUST_sharpness), 1));
  EXPECT(blurred, 0, 0, 0, 0, 50, 0, 0, 0, 0);
}

TEST(warp_reads_where_the_coefficients_lead) {
  double x[] = {10, 20, 30, 40}, y[4]; /* one image of 2 x 2 */
  RUN(warp, NO_ATTR, VIEW(y, 1, 2, 2, 1), VIEW(x, 1, 2, 2, 1), VIEW(ARRAY(1, 0, 1, 0, 1, 0, 0, 0), 1, 8));
  EXPECT(y, 20, 0, 40, 0); /* from one pixel further right */
  RUN(warp, ATTR(.i = {0, 7}), VIEW(y, 1, 2, 2, 1), VIEW(x, 1, 2, 2, 1), VIEW(ARRAY(0, -1, 2, 1, 0, 0, 0, 0), 1, 8));
  EXPECT(y, 20, 40, 10, 30); /* a quarter turn */
  RUN(warp, ATTR(.i = {1, 100}), VIEW(y, 1, 2, 2, 1), VIEW(x, 1, 2, 2, 1), VIEW(ARRAY(1, 0, 0.5, 0, 1, 0, 0, 0), 1, 8));
  EXPECT(y, 15, 60, 35, 70); /* halfway to the next, and to the fill */
  RUN(warp, NO_ATTR, VIEW(y, 1, 2, 2, 1), VIEW(x, 1, 2, 2, 1), VIEW(ARRAY(1, 0, 0, 0, 1, 0, -2, 0), 1, 8));
  EXPECT(y, 0, 0, 0, 0); /* beyond the horizon, and behind it */
}

TEST(normalize_divides_in_f32_first) {
  double x[] = {100, 7}, y[2];
  RUN(normalize, NO_ATTR, VIEW(y, 1, 2), VIEW(x, 1, 2), VIEW(ARRAY(0.5, 0.25), 2), VIEW(ARRAY(0.2, 0.5), 2));
  EXPECT(y, ((double)(100 / 255.0f) - 0.5) / 0.2, ((double)(7 / 255.0f) - 0.25) / 0.5);
  CHECK(y[0] != (100 / 255.0 - 0.5) / 0.2);
}

/* ---- random ---- */

enum { DRAWS = 12 };
static double draw_key[] = {1, 2, 3, 4294967295.0};
static const uint32_t draw_words[] = {1, 2, 3, 4294967295};

TEST(draws_depend_on_id_and_place_alone) {
  double y[DRAWS], ids[] = {7, 0, 4294967295.0};
  RUN(uniform, NO_ATTR, VIEW(y, 3, 2, 2), VIEW(draw_key, 4), VIEW(ids, 3));
  for (int i = 0; i < DRAWS; i++)
    CHECK_EQ(y[i], icl__draw_uniform(draw_words, (uint32_t)ids[i / 4], (uint32_t)i % 4));
  RUN(normal, NO_ATTR, VIEW(y, 3, 4), VIEW(draw_key, 4));
  for (int i = 0; i < DRAWS; i++)
    CHECK_EQ(y[i], icl__draw_normal(draw_words, (uint32_t)i / 4, (uint32_t)i % 4));
  RUN(uniform, NO_ATTR, VIEW(y, 5), VIEW(draw_key, 4));
  for (int i = 0; i < 5; i++)
    CHECK_EQ(y[i], icl__draw_uniform(draw_words, (uint32_t)i, 0));
  RUN(uniform, NO_ATTR, SCALAR(y), VIEW(draw_key, 4));
  CHECK_EQ(y[0], icl__draw_uniform(draw_words, 0, 0));
}

TEST(draws_of_a_chunk_continue_those_of_the_batch) {
  double whole[DRAWS], part[DRAWS];
  icl_attributes *attr = ATTR(.i = {2, 3, 4, [RANDINT_LOW] = -2, [RANDINT_HIGH] = 2});
  RUN(randint, attr, VIEW(whole, 3, 4), VIEW(draw_key, 4));
  icl__call call = {.attr = attr, .inputs = 1, .out = VIEW(part, 2, 4), .in = {VIEW(draw_key, 4)}, .first = 1};
  icl__ref_kernel(ICL__OP_randint)(&call);
  for (int i = 0; i < 8; i++) {
    CHECK_EQ(part[i], whole[4 + i]);
    CHECK(part[i] >= -2 && part[i] <= 2 && part[i] == floor(part[i]));
  }
}

TEST(dropout_keeps_what_bernoulli_spares) {
  double x[DRAWS], p[] = {0.4}, y[DRAWS], dropped[DRAWS];
  fill_noise(x, DRAWS, 9);
  RUN(dropout, NO_ATTR, VIEW(y, 3, 4), VIEW(x, 3, 4), VIEW(draw_key, 4), SCALAR(p));
  RUN(bernoulli, NO_ATTR, VIEW(dropped, 3, 4), VIEW(draw_key, 4), SCALAR(p));
  int count = 0;
  for (int i = 0; i < DRAWS; i++) {
    CHECK_NEAR(y[i], dropped[i] != 0 ? 0 : x[i] / 0.6, 1e-15);
    count += dropped[i] != 0;
  }
  CHECK(count > 0 && count < DRAWS);
}
