/* flags.c - see flags.h. */
#include "group/flags.h"

#include "base/dtype.h"

void icl__flags_put(icl_dtype dtype, void *elements, unsigned bits) {
  for (int i = 0; i < ICL__FLAGS; i++)
    icl__store_f64(dtype, elements, i, bits >> i & 1);
}

unsigned icl__flags_get(icl_dtype dtype, const void *elements) {
  unsigned bits = 0;
  for (int i = 0; i < ICL__FLAGS; i++)
    bits |= (unsigned)(icl__load_f64(dtype, elements, i) != 0) << i;
  return bits;
}
