/* test_functions.c - the functions of the vector kernels, in every instruction set that this processor has, against the
 * C library in f64: errors in units of the last place over all of f32, and what the C standard says about special
 * values.
 */
#include "unit.h"

#include "backend/cpu/kernels.h"
#include "ops/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 4096 + 7, WORKSPACE = 1 << 18 };

static const char *const isas[] = {"avx512bf16", "avx512", "avx2", "portable"};
enum { ISAS = sizeof isas / sizeof *isas };

static icl__view vector(float *data) {
  return (icl__view){.data = data, .dtype = ICL_F32, .rank = 1, .shape = {COUNT}, .pitch = COUNT};
}

/* out = op(x, y) by the kernel of the selected instruction set. */
static void compute(int op, float *x, float *y, float *out) {
  static _Alignas(64) char scratch[WORKSPACE];
  icl__call call = {.op = op, .inputs = y ? 2 : 1, .in = {vector(x), vector(y)}, .out = vector(out), .parts = 1};
  icl__choice choice;
  CHECK(icl__cpu_choose(&call, &choice));
  CHECK(choice.workspace <= sizeof scratch);
  call.scratch = scratch;
  choice.run(&call);
}

/* |got - expected| in units of the last place of an f32 near `expected`. */
static double error(float got, double expected) {
  float nearest = (float)expected;
  if (got == nearest || (isnan(got) && isnan(expected)))
    return 0;
  if (isnan(got) || isnan(expected) || isinf(got) || isinf(nearest))
    return HUGE_VAL;
  int exponent;
  frexp(expected, &exponent);
  return fabs((double)got - expected) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

static float from_bits(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

/* The largest error over floats that are spread over all of them. */
static double worst_error(int op, double (*function)(double)) {
  enum { STEP = 4099 };
  double worst = 0;
  for (uint64_t u = 0; u < UINT64_C(1) << 32;) {
    static float x[COUNT], out[COUNT];
    for (int i = 0; i < COUNT; i++, u += u < UINT64_C(1) << 32 ? STEP : 0)
      x[i] = from_bits((uint32_t)u);
    compute(op, x, NULL, out);
    for (int i = 0; i < COUNT; i++)
      worst = fmax(worst, error(out[i], function((double)x[i])));
  }
  return worst;
}

TEST(functions_of_one_number) {
  for (int i = 0; i < ISAS; i++) {
    setenv("ICL_ISA", isas[i], 1);
    if (icl__cpu_select() != ICL_OK)
      continue;
    CHECK_NEAR(worst_error(ICL__OP_exp, exp), 0, 2);
    CHECK_NEAR(worst_error(ICL__OP_log, log), 0, 2);
    CHECK_NEAR(worst_error(ICL__OP_tanh, tanh), 0, 2);
    CHECK_NEAR(worst_error(ICL__OP_erf, erf), 0, 2);
    CHECK_NEAR(worst_error(ICL__OP_sqrt, sqrt), 0, 1);
  }
}

static const float special[] = {0,     -0.0f, 1,      -1,   INFINITY, -INFINITY, NAN,       2,        -2,    0.5f,
                                -0.5f, 3,     -3,     2.5f, 1e-40f,   -1e-40f,   1e38f,     16777216, 1e20f, 0.3f,
                                255,   -127,  1e-30f, 88,   -104,     1.001f,    0.999999f, 0x1p-126f};
enum { SPECIAL = sizeof special / sizeof *special };

TEST(powers) {
  static float x[COUNT], y[COUNT], out[COUNT];
  for (int i = 0; i < COUNT; i++) {
    x[i] = i < SPECIAL * SPECIAL ? special[i % SPECIAL] : 0.01f + 0.001f * (float)(i % 500);
    y[i] = i < SPECIAL * SPECIAL ? special[i / SPECIAL] : 0.03f * (float)(i % 991 - 500);
  }
  for (int i = 0; i < ISAS; i++) {
    setenv("ICL_ISA", isas[i], 1);
    if (icl__cpu_select() != ICL_OK)
      continue;
    compute(ICL__OP_pow, x, y, out);
    for (int k = 0; k < COUNT; k++) {
      double expected = pow((double)x[k], (double)y[k]);
      CHECK_NEAR(error(out[k], expected), 0, 1);
      CHECK(isnan(expected) || !signbit(out[k]) == !signbit(expected));
    }
  }
}
