/* wide.cuh - f64 numbers in memory, read and written as f32 without a single instruction of f64 arithmetic, which most
 * GPUs have at 1/32 or 1/64 of the rate. */
#ifndef ICL_BACKEND_CUDA_KERNELS_WIDE_CUH
#define ICL_BACKEND_CUDA_KERNELS_WIDE_CUH

#include "cuda.h"

enum { F32_FRACTION = 23, F64_FRACTION = 52, F32_BIAS = 127, F64_BIAS = 1023, F32_SPECIAL = 255, F64_SPECIAL = 2047 };

/* The bits of x as f64; what is subnormal becomes 0. */
DEVICE uint64_t widen(float x) {
  unsigned bits = __float_as_uint(x), exponent = bits >> F32_FRACTION & F32_SPECIAL;
  uint64_t sign = (uint64_t)(bits >> 31) << 63, fraction = bits & ((1u << F32_FRACTION) - 1);
  if (exponent == 0)
    return sign;
  exponent = exponent == F32_SPECIAL ? (unsigned)F64_SPECIAL : exponent + (F64_BIAS - F32_BIAS);
  return sign | (uint64_t)exponent << F64_FRACTION | fraction << (F64_FRACTION - F32_FRACTION);
}

/* The f32 nearest to the f64 with these bits, halves away from 0; what is subnormal becomes 0. */
DEVICE float narrow(uint64_t bits) {
  enum { DROPPED = F64_FRACTION - F32_FRACTION };
  unsigned sign = (unsigned)(bits >> 63) << 31;
  uint64_t magnitude = bits & ~((uint64_t)1 << 63);
  if (magnitude > (uint64_t)F64_SPECIAL << F64_FRACTION)
    return __uint_as_float(sign | 0x7fc00000);
  magnitude = (magnitude + ((uint64_t)1 << (DROPPED - 1))) >> DROPPED; /* a carry counts the exponent up */
  int64_t exponent = (int64_t)(magnitude >> F32_FRACTION) - F64_BIAS + F32_BIAS;
  if (exponent <= 0)
    return __uint_as_float(sign);
  if (exponent >= F32_SPECIAL)
    return __uint_as_float(sign | 0x7f800000);
  unsigned fraction = (unsigned)magnitude & ((1u << F32_FRACTION) - 1);
  return __uint_as_float(sign | (unsigned)exponent << F32_FRACTION | fraction);
}

/* An f64 as the sum of two f32: its first 24 bits, and the rest. */
struct halves {
  float high, low;

  DEVICE_MEMBER halves(uint64_t bits) {
    enum { DROPPED = F64_FRACTION - F32_FRACTION };
    uint64_t rest = bits & (((uint64_t)1 << DROPPED) - 1);
    high = narrow(bits - rest);
    int exponent = (int)(__float_as_uint(high) >> F32_FRACTION & F32_SPECIAL) - F64_FRACTION; /* of the last bit */
    bool is_there = exponent > 0 && exponent < F32_SPECIAL - F64_FRACTION;
    low = is_there ? copysignf((float)(int64_t)rest * __uint_as_float((unsigned)exponent << F32_FRACTION), high) : 0;
  }
};

/* a / b - c, rounded to f32 once. */
DEVICE float quotient_less(uint64_t a, uint64_t b, float c) {
  halves x(a), y(b);
  float whole = x.high / y.high, rest = fmaf(-whole, y.high, x.high);
  rest = fmaf(-whole, y.low, rest + x.low);
  float result = whole - c + rest / y.high;
  return result - result == 0 ? result : whole - c; /* infinite or not a number */
}

#endif
