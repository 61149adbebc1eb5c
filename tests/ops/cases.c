/* cases.c - the table of cases, and how a result is judged and reported. */
#include "ops_test.h"

#include <math.h>
#include <stdio.h>

const test_case test_cases[] = {
#define CASE(op, inputs, attributes, tolerance, flags) {#op, inputs, attributes, tolerance, flags, __LINE__},
#include "cases.def"
#undef CASE
};
const int test_case_count = sizeof test_cases / sizeof *test_cases;

double worst_error(const double *got, const double *expected, int64_t count) {
  double squares = 0, worst = 0;
  int64_t finite = 0;
  for (int64_t i = 0; i < count; i++)
    if (isfinite(expected[i]) && fabs(expected[i]) < 1e20) {
      squares += expected[i] * expected[i];
      finite++;
    }
  double typical = finite ? sqrt(squares / (double)finite) : 0;
  for (int64_t i = 0; i < count; i++) {
    if (got[i] == expected[i] || (isnan(got[i]) && isnan(expected[i])))
      continue;
    double error = fabs(got[i] - expected[i]) / (fabs(expected[i]) + typical);
    if (!(error <= worst))
      worst = isnan(error) ? HUGE_VAL : error;
  }
  return worst;
}

double tolerance_of(const test_setup *setup, icl_dtype result) {
  /* The spacing of bf16 and f16: where f32 and f64 lie on two sides of a boundary, rounding takes them apart by so
   * much. What is subnormal may become 0. */
  const double subnormal = 0x1p-126, wide = 1e-12; /* of f64 that is computed of nothing but f64 */
  double tolerance = setup->row->tolerance, spacing = result == ICL_BF16 ? 0x1p-7 : result == ICL_F16 ? 0x1p-10 : 0;
  if (setup->x == ICL_F64 && result == ICL_F64)
    return fmin(tolerance, wide);
  if (spacing == 0)
    return tolerance;
  return fmax(tolerance, tolerance > 0 ? spacing : subnormal);
}

/* ---- reports ---- */

static void print_case(const test_setup *setup, const char *way) {
  const test_case *row = setup->row;
  printf("failed: %s [%s] %s%s(cases.def:%d, x %s), %s: ", row->op, row->inputs, row->attributes,
         *row->attributes ? " " : "", row->line, icl_dtype_name(setup->x), way);
}

void report(const test_setup *setup, const char *way, double error, double tolerance) {
  print_case(setup, way);
  printf("worst error %.3g, more than %.3g\n", error, tolerance);
}

bool report_status(const test_setup *setup, const char *way) {
  print_case(setup, way);
  printf("%s\n", icl_message());
  return false;
}
