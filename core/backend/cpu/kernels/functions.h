/* functions.h - exp, log, tanh, erf and pow of f32 as straight-line code without calls, which the compiler turns into
 * vectors wherever it stands in a loop (#pragma omp simd). Errors stay below 2 units in the last place; NaN,
 * infinities, zeros and subnormals are treated as in the C library. Polynomials: weighted least squares at Chebyshev
 * points. */
#ifndef ICL_BACKEND_CPU_KERNELS_FUNCTIONS_H
#define ICL_BACKEND_CPU_KERNELS_FUNCTIONS_H

#include "backend/cpu/kernels/vector.h"

#include <math.h>

INLINE uint32_t bits_of(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}
INLINE float from_bits(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}
INLINE uint64_t bits_of_f64(double x) {
  uint64_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}
INLINE double f64_from_bits(uint64_t u) {
  double x;
  memcpy(&x, &u, sizeof x);
  return x;
}

/* 2^n for -126 <= n <= 127 */
INLINE float power_of_two(int32_t n) { return from_bits(((uint32_t)n + 127) << 23); }

/* e^x = 2^n e^r with x = n ln 2 + r, |r| <= ln 2 / 2 */
INLINE float exp_f32(float x) {
  const float shift = 0x1.8p23f; /* a sum with it is rounded to an integer, which stands in its lowest bits */
  float limited = x > 89 ? 89 : x < -104 ? -104 : x;
  float shifted = limited * 0x1.715476p0f + shift, n = shifted - shift;
  float r = limited - n * 0x1.62e4p-1f - n * 0x1.7f7d1cp-20f; /* ln 2 in two parts */
  float p = 0x1.6d9904p-10f;
  p = p * r + 0x1.123d88p-7f;
  p = p * r + 0x1.55547cp-5f;
  p = p * r + 0x1.55548cp-3f;
  p = p * r + 0.5f;
  p = r * r * p + r + 1;
  int32_t k = (int32_t)(bits_of(shifted) - bits_of(shift)), half = k >> 1; /* in two steps: 2^k may be subnormal */
  float y = p * power_of_two(half) * power_of_two(k - half);
  return x != x ? x : y;
}

/* log x = k ln 2 + log(1 + f) with x = 2^k (1 + f), 1 + f between sqrt(1/2) and sqrt(2) */
INLINE float log_f32(float x) {
  bool tiny = x < 0x1p-126f;
  uint32_t u = bits_of(tiny ? x * 0x1p24f : x) - 0x3f3504f3; /* sqrt(1/2) */
  float k = (float)((int32_t)u >> 23) - (tiny ? 24.0f : 0.0f);
  float f = from_bits((u & 0x7fffff) + 0x3f3504f3) - 1;
  float p = -0x1.2d9544p-4f;
  p = p * f + 0x1.0276dcp-3f;
  p = p * f - 0x1.0e610cp-3f;
  p = p * f + 0x1.235f0ep-3f;
  p = p * f - 0x1.5467dap-3f;
  p = p * f + 0x1.9998b0p-3f;
  p = p * f - 0x1.00023cp-2f;
  p = p * f + 0x1.555564p-2f;
  float square = f * f, y = square * f * p + k * 0x1.7f7d1cp-20f;
  y = y - 0.5f * square + f + k * 0x1.62e4p-1f;
  y = x == 0 ? -INFINITY : x < 0 ? NAN : y;
  return x == INFINITY || x != x ? x : y;
}

/* x + x^3 P(x^2) near 0, else 1 - 2 / (e^(2 |x|) + 1) with the sign of x */
INLINE float tanh_f32(float x) {
  float size = fabsf(x), z = x * x;
  float p = -0x1.7611aap-8f;
  p = p * z + 0x1.522f24p-6f;
  p = p * z - 0x1.b83d2ep-5f;
  p = p * z + 0x1.110728p-3f;
  p = p * z - 0x1.555532p-2f;
  float near = x + x * z * p, far = 1 - 2 / (exp_f32(2 * size) + 1);
  return size < 0.625f ? near : copysignf(far, x);
}

/* x + x P(x^2) near 0, else 1 - e^-Q(|x|) with the sign of x; from 4 on that is 1 */
INLINE float erf_f32(float x) {
  float size = fabsf(x), z = x * x, t = size > 4 ? 4 : size;
  float p = -0x1.3f8efcp-11f;
  p = p * z + 0x1.489912p-8f;
  p = p * z - 0x1.b6c9p-6f;
  p = p * z + 0x1.ce1ef6p-4f;
  p = p * z - 0x1.812706p-2f;
  p = p * z + 0x1.06eba8p-3f;
  float q = -0x1.a14096p-13f;
  q = q * t + 0x1.929fb6p-9f;
  q = q * t - 0x1.6df6b4p-6f;
  q = q * t + 0x1.aa9a8ap-4f;
  q = q * t + 0x1.461d0cp-1f;
  q = q * t + 0x1.20b876p+0f;
  q = q * t + 0x1.5600dap-13f;
  float near = x + x * p, far = 1 - exp_f32(-q);
  return x != x ? x : size < 0.90625f ? near : copysignf(far, x);
}

/* log2 of a positive normal number: 2 / ln 2 artanh(s) with s = f / (2 + f); relative error below 1e-11 */
INLINE double log2_f64(double x) {
  uint64_t u = bits_of_f64(x) - 0x3fe6a09e667f3bcd; /* sqrt(1/2) */
  double k = (double)(int32_t)((int64_t)u >> 52);
  double f = f64_from_bits((u & 0xfffffffffffff) + 0x3fe6a09e667f3bcd) - 1;
  double s = f / (2 + f), z = s * s;
  double p = 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  return k + 0x1.71547652b82fep1 * (s + s * z * p);
}

/* 2^x for |x| <= 1000; relative error below 1e-11 */
INLINE double exp2_f64(double x) {
  const double shift = 0x1.8p52;
  double shifted = x + shift, r = (x - (shifted - shift)) * 0x1.62e42fefa39efp-1;
  double p = 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = r * r * p + r + 1;
  return p * f64_from_bits((bits_of_f64(shifted) - bits_of_f64(shift) + 1023) << 52);
}

/* |x|^y by 2^(y log2 |x|) in f64; then the rules of the C standard for signs, zeros, infinities and NaN */
INLINE float pow_f32(float x, float y) {
  double size = fabs((double)x), power = (double)y * log2_f64(size);
  power = size == 0 ? (double)y * -HUGE_VAL : size == HUGE_VAL ? (double)y * HUGE_VAL : power;
  double limited = power > 1000 ? 1000 : power < -1000 ? -1000 : power;
  float result = (float)exp2_f64(limited);
  float half = 0.5f * y;
  bool whole = truncf(y) == y, odd = whole && truncf(half) != half;
  result = size == 1 ? 1 : result;
  result = odd ? copysignf(result, x) : result;
  result = x < 0 && x > -INFINITY && !whole ? NAN : result;
  result = x != x || y != y ? x + y : result;
  return y == 0 || x == 1 ? 1 : result;
}

#endif
