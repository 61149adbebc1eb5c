/* numbers.c - see numbers.h. */
#include "numbers.h"

#include <math.h>

#include "backend/kernel.h"

void numbers_fill(double *values, void *own, icl_dtype dtype, int64_t count, unsigned seed) {
  for (int64_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    icl__store_f64(dtype, own, i, (double)(seed >> 8) / (1 << 23) - 1);
    values[i] = icl__load_f64(dtype, own, i);
  }
}

double numbers_error(const double *expected, const void *values, icl_dtype dtype, int64_t count) {
  double square = 0, difference = 0;
  for (int64_t i = 0; i < count; i++) {
    double d = icl__load_f64(dtype, values, i) - expected[i];
    square += expected[i] * expected[i];
    difference += d * d;
  }
  return sqrt(square > 0 ? difference / square : difference);
}
