/* convert.h - a row of any dtype to f32 and back. */
#ifndef ICL_BACKEND_CPU_KERNELS_CONVERT_H
#define ICL_BACKEND_CPU_KERNELS_CONVERT_H

#include "backend/cpu/kernels/vector.h"

static inline void widen(icl_dtype dtype, const void *from, float *to, int64_t n) {
  const uint8_t *bytes = from;
  int64_t i = 0;
  switch (dtype) {
  case ICL_F32:
    memcpy(to, from, (size_t)n * sizeof *to);
    break;
  case ICL_BF16:
    for (; i + LANES <= n; i += LANES)
      store(ICL_F32, to, i, load(ICL_BF16, from, i));
    store_part(ICL_F32, to, i, n - i, load_part(ICL_BF16, from, i, n - i));
    break;
  case ICL_U8:
    for (; i < n; i++)
      to[i] = bytes[i];
    break;
  case ICL_BOOL:
    for (; i < n; i++)
      to[i] = bytes[i] != 0;
    break;
  default:
    icl__convert(dtype, from, ICL_F32, to, n);
  }
}

static inline void narrow(const float *from, icl_dtype dtype, void *to, int64_t n) {
  uint8_t *bytes = to;
  int64_t i = 0;
  switch (dtype) {
  case ICL_F32:
    memcpy(to, from, (size_t)n * sizeof *from);
    break;
  case ICL_BF16:
    for (; i + LANES <= n; i += LANES)
      store(ICL_BF16, to, i, load(ICL_F32, from, i));
    store_part(ICL_BF16, to, i, n - i, load_part(ICL_F32, from, i, n - i));
    break;
  case ICL_BOOL:
    for (; i < n; i++)
      bytes[i] = from[i] != 0;
    break;
  default:
    icl__convert(ICL_F32, from, dtype, to, n);
  }
}

#endif
