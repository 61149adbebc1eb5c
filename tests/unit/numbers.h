/* numbers.h - the same numbers in f64 and in a kernel's dtype, and how far results are from what is expected. */
#ifndef ICL_TESTS_NUMBERS_H
#define ICL_TESTS_NUMBERS_H

#include <stdint.h>

#include "icl.h"

/* Numbers from -1 to 1 that the dtype represents exactly: in `own`, and in f64. */
void numbers_fill(double *values, void *own, icl_dtype dtype, int64_t count, unsigned seed);

/* Root mean square of the difference, relative to that of what is expected; its norm where that is all zero. */
double numbers_error(const double *expected, const void *values, icl_dtype dtype, int64_t count);

#endif
