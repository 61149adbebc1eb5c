/* test_op_gradients.c - what numeric gradient checks cannot see: ties, dtypes, functions of the user's, refusals. */
#include "unit.h"

#include <string.h>

#include "ops/attributes.h"
#include "ops/ops.h"

static icl_engine *start(void) {
  icl_engine *engine;
  CHECK_OK(icl_engine_new(&(icl_config){.device = "ref"}, &engine));
  return engine;
}

/* A vector that gradients are asked for. */
static icl_tensor *vector(icl_engine *engine, icl_dtype dtype, int32_t count, const float *values) {
  icl_tensor *single, *result, *leaf;
  icl_attributes cast = {.i[CAST_DTYPE] = dtype};
  uint8_t bytes[64];
  CHECK_OK(icl_tensor_new(engine, ICL_F32, 1, &count, values, &single));
  CHECK_OK(icl_apply(engine, icl_op_find("cast"), 1, &single, &cast, &result));
  CHECK_OK(icl_tensor_read(result, dtype, bytes));
  CHECK_OK(icl_tensor_new(engine, dtype, 1, &count, bytes, &leaf));
  CHECK_OK(icl_tensor_require_gradient(leaf));
  icl_tensor_release(single);
  icl_tensor_release(result);
  return leaf;
}

static icl_tensor *apply(icl_engine *engine, const char *op, int inputs, icl_tensor *const *in,
                         const icl_attributes *attributes) {
  icl_tensor *result;
  icl_attributes defaults;
  icl_op_defaults(icl_op_find(op), &defaults);
  CHECK_OK(icl_apply(engine, icl_op_find(op), inputs, in, attributes ? attributes : &defaults, &result));
  return result;
}

/* The gradient of the sum of `y`, which is released. */
static void check_gradient(icl_engine *engine, icl_tensor *y, icl_tensor *x, const float *expected) {
  float values[16];
  icl_tensor *loss = apply(engine, "sum", 1, &y, NULL), *gradient;
  CHECK_OK(icl_gradient(loss, 1, &x, &gradient));
  CHECK(gradient != NULL);
  CHECK_EQ(icl_tensor_dtype(gradient), icl_tensor_dtype(x));
  CHECK_OK(icl_tensor_read(gradient, ICL_F32, values));
  for (int i = 0; i < icl_tensor_count(x); i++)
    CHECK_EQ(values[i], expected[i]);
  icl_tensor_release(gradient);
  icl_tensor_release(loss);
  icl_tensor_release(y);
}

TEST(equals_share_the_gradient) {
  icl_engine *engine = start();
  icl_tensor *x = vector(engine, ICL_F32, 4, (float[]){1, 3, 3, 2}),
             *y = vector(engine, ICL_F32, 4, (float[]){1, 0, 3, 4});
  check_gradient(engine, apply(engine, "max", 1, &x, NULL), x, (float[]){0, 0.5f, 0.5f, 0});
  check_gradient(engine, apply(engine, "maximum", 2, (icl_tensor *[]){x, y}, NULL), x, (float[]){0.5f, 1, 0.5f, 0});
  check_gradient(engine, apply(engine, "minimum", 2, (icl_tensor *[]){x, y}, NULL), x, (float[]){0.5f, 0, 0.5f, 1});
  icl_tensor_release(x);
  icl_tensor_release(y);
  icl_engine_free(engine);
}

TEST(gradients_at_the_corners) {
  icl_engine *engine = start();
  icl_tensor *x = vector(engine, ICL_F32, 3, (float[]){-1, 0, 1}), *number;
  check_gradient(engine, apply(engine, "relu", 1, &x, NULL), x, (float[]){0, 0, 1});
  check_gradient(engine, apply(engine, "abs", 1, &x, NULL), x, (float[]){-1, 0, 1});
  check_gradient(engine, apply(engine, "sign", 1, &x, NULL), x, (float[]){0, 0, 0});
  CHECK_OK(icl_number(engine, 0, &number));
  check_gradient(engine, apply(engine, "pow", 2, (icl_tensor *[]){x, number}, NULL), x, (float[]){0, 0, 0});
  icl_tensor_release(number);
  CHECK_OK(icl_number(engine, 2, &number));
  check_gradient(engine, apply(engine, "pow", 2, (icl_tensor *[]){x, number}, NULL), x, (float[]){-2, 0, 2});
  icl_tensor_release(number);
  icl_tensor_release(x);
  icl_engine_free(engine);
}

TEST(gradients_have_the_dtype_of_their_input) {
  icl_engine *engine = start();
  icl_tensor *half = vector(engine, ICL_BF16, 2, (float[]){1, 2}), *x = vector(engine, ICL_F32, 2, (float[]){3, 4});
  check_gradient(engine, apply(engine, "mul", 2, (icl_tensor *[]){half, x}, NULL), half, (float[]){3, 4});
  check_gradient(engine, apply(engine, "mul", 2, (icl_tensor *[]){half, x}, NULL), x, (float[]){1, 2});
  check_gradient(engine, apply(engine, "sum", 1, &half, NULL), half, (float[]){1, 1});
  icl_tensor_release(half);
  icl_tensor_release(x);
  icl_engine_free(engine);
}

/* ---- functions of the user's ---- */

/* Ten times what comes in, or a gradient of a wrong shape. */
static icl_status backward(void *context, icl_tensor *gradient, int inputs, icl_tensor **gradients) {
  icl_engine *engine = icl_tensor_engine(gradient);
  CHECK_EQ(inputs, 1);
  if (strcmp(context, "wrong") == 0) {
    gradients[0] = apply(engine, "sum", 1, &gradient, NULL);
    return ICL_OK;
  }
  icl_tensor *ten;
  CHECK_OK(icl_number(engine, 10, &ten));
  gradients[0] = apply(engine, "mul", 2, (icl_tensor *[]){gradient, ten}, NULL);
  icl_tensor_release(ten);
  return ICL_OK;
}

static icl_tensor *custom(icl_engine *engine, icl_tensor *x, char *kind) {
  icl_tensor *value = apply(engine, "neg", 1, &x, NULL), *result;
  CHECK_OK(icl_custom(value, 1, &x, backward, NULL, kind, &result));
  icl_tensor_release(value);
  return result;
}

TEST(a_function_of_the_users_has_its_own_gradient) {
  icl_engine *engine = start();
  icl_tensor *x = vector(engine, ICL_F32, 2, (float[]){1, 2});
  check_gradient(engine, custom(engine, x, "right"), x, (float[]){10, 10});
  icl_tensor *y = custom(engine, x, "wrong"), *loss = apply(engine, "sum", 1, &y, NULL), *gradient;
  CHECK_ERROR(icl_gradient(loss, 1, &x, &gradient), ICL_ESHAPE,
              "custom: backward returned f32 () as the gradient of input 1, which is f32 (2)");
  icl_tensor_release(loss);
  icl_tensor_release(y);
  icl_tensor_release(x);
  icl_engine_free(engine);
}

/* ---- batch norm ---- */

TEST(batch_norm_refuses_a_third_derivative) {
  icl_engine *engine = start();
  icl_tensor *flat = vector(engine, ICL_F32, 4, (float[]){1, 2, 3, 5}), *one = vector(engine, ICL_F32, 1, (float[]){1});
  icl_attributes shape = {.i = {2, 4, 1}};
  icl_tensor *x = apply(engine, "reshape", 1, &flat, &shape);
  icl_tensor *sums = apply(engine, "bn_sums", 1, &x, NULL);
  icl_tensor *coefficients = apply(engine, "bn_coefficients", 3, (icl_tensor *[]){sums, one, one}, NULL);
  icl_tensor *y = apply(engine, "scale_shift", 2, (icl_tensor *[]){x, coefficients}, NULL);
  icl_tensor *square = apply(engine, "mul", 2, (icl_tensor *[]){y, y}, NULL);
  icl_tensor *loss = apply(engine, "sum", 1, &square, NULL), *gradient, *second, *again, *third, *none;
  CHECK_OK(icl_gradient(loss, 1, &flat, &gradient));
  second = apply(engine, "sum", 1, &gradient, NULL);
  CHECK_OK(icl_gradient(second, 1, &flat, &again));
  third = apply(engine, "sum", 1, &again, NULL);
  CHECK_ERROR(icl_gradient(third, 1, &flat, &none), ICL_ENOTSUP, "batch norm has no third derivative");
  icl_tensor *all[] = {flat, one, x, sums, coefficients, y, square, loss, gradient, second, again, third};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    icl_tensor_release(all[i]);
  icl_engine_free(engine);
}
