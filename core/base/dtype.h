/* dtype.h - conversions between dtypes; their names and sizes are public (icl.h).
 *
 * bf16 and f16 round to nearest, ties to even. */
#ifndef ICL_BASE_DTYPE_H
#define ICL_BASE_DTYPE_H

#include "icl.h"

static inline bool icl__is_float(icl_dtype d) { return d <= ICL_F64; }

/* Element `index` of an array. */
double icl__load_f64(icl_dtype dtype, const void *data, int64_t index);
void icl__store_f64(icl_dtype dtype, void *data, int64_t index, double value);

/* `count` elements; the arrays must not overlap unless they are one and of one dtype. */
void icl__convert(icl_dtype from, const void *source, icl_dtype to, void *destination, int64_t count);

static inline float icl__from_bf16(uint16_t b) {
  union {
    uint32_t u;
    float f;
  } v = {.u = (uint32_t)b << 16};
  return v.f;
}
static inline uint16_t icl__to_bf16(float f) {
  union {
    float f;
    uint32_t u;
  } v = {.f = f};
  if (f != f)
    return (uint16_t)(v.u >> 16 | 0x40);
  return (uint16_t)((v.u + 0x7fff + (v.u >> 16 & 1)) >> 16);
}

#endif
