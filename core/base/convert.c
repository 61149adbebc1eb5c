/* convert.c - element conversions between dtypes, shared by backends and readers.
 *
 * Every conversion goes through f64, which holds all other dtypes exactly but i64 beyond 2^53. Floats round to nearest,
 * ties to even, in one rounding; integers truncate towards zero and stay at their limits; NaN becomes 0; bool is
 * "not zero". Data need not be aligned, so that readers can convert from the middle of a file. */
#include "base/dtype.h"

#include <string.h>

/* The nearest number of a binary format with one sign bit, `exponent_bits` and `fraction_bits`, as its bits. */
static uint16_t round_to(double x, int exponent_bits, int fraction_bits) {
  union {
    double d;
    uint64_t u;
  } v = {.d = x};
  uint64_t sign = v.u >> 63 << (exponent_bits + fraction_bits);
  uint64_t infinity = ((UINT64_C(1) << exponent_bits) - 1) << fraction_bits;
  uint64_t fraction = v.u & ((UINT64_C(1) << 52) - 1);
  int exponent = (int)(v.u >> 52 & 0x7ff) - 1023, bias = (1 << (exponent_bits - 1)) - 1, drop = 52 - fraction_bits;
  if (x != x) /* quiet, with as much of the payload as fits */
    return (uint16_t)(sign | infinity | UINT64_C(1) << (fraction_bits - 1) | fraction >> drop);
  if (exponent > bias)
    return (uint16_t)(sign | infinity);
  if (exponent < 1 - bias) /* a subnormal result has fewer bits */
    drop += 1 - bias - exponent;
  if (drop > 53) /* less than half of the smallest number */
    return (uint16_t)sign;
  uint64_t significand = fraction | UINT64_C(1) << 52, half = UINT64_C(1) << (drop - 1);
  uint64_t kept = significand >> drop, rest = significand & (2 * half - 1);
  kept += rest > half || (rest == half && (kept & 1));
  /* The leading one of a normal number, and a carry out of the fraction, count up the exponent. */
  uint64_t below = exponent < 1 - bias ? 0 : (uint64_t)(exponent + bias - 1) << fraction_bits;
  return (uint16_t)(sign | (below + kept));
}

static double from_f16(uint16_t h) {
  int exponent = h >> 10 & 31;
  uint64_t fraction = h & 1023;
  if (exponent == 0) { /* zero and subnormals: multiples of 2^-24 */
    double magnitude = (double)fraction * 0x1p-24;
    return h >> 15 ? -magnitude : magnitude;
  }
  union {
    uint64_t u;
    double d;
  } v = {.u = (uint64_t)(h >> 15) << 63 | (uint64_t)(exponent == 31 ? 2047 : exponent - 15 + 1023) << 52 |
              fraction << 42};
  return v.d;
}

static int64_t to_integer(double x, int64_t least, int64_t most) {
  if (x != x)
    return 0;
  if (x <= (double)least)
    return least;
  return x >= (double)most ? most : (int64_t)x;
}

/* dtype, type of an element, to f64, from f64 */
#define CONVERSIONS(X)                                                                                                 \
  X(F32, float, (double)e, (float)x)                                                                                   \
  X(BF16, uint16_t, (double)icl__from_bf16(e), round_to(x, 8, 7))                                                      \
  X(F16, uint16_t, from_f16(e), round_to(x, 5, 10))                                                                    \
  X(F64, double, e, x)                                                                                                 \
  X(U8, uint8_t, (double)e, (uint8_t)to_integer(x, 0, UINT8_MAX))                                                      \
  X(I32, int32_t, (double)e, (int32_t)to_integer(x, INT32_MIN, INT32_MAX))                                             \
  X(I64, int64_t, (double)e, to_integer(x, INT64_MIN, INT64_MAX))                                                      \
  X(BOOL, uint8_t, (double)(e != 0), (uint8_t)(x != 0))

static void load(icl_dtype dtype, const void *data, int64_t first, int64_t count, double *values) {
  switch (dtype) {
#define LOAD(name, type, to, from)                                                                                     \
  case ICL_##name: {                                                                                                   \
    const char *source = (const char *)data + first * (int64_t)sizeof(type);                                           \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      type e;                                                                                                          \
      memcpy(&e, source + i * (int64_t)sizeof e, sizeof e);                                                            \
      values[i] = to;                                                                                                  \
    }                                                                                                                  \
    break;                                                                                                             \
  }
    CONVERSIONS(LOAD)
#undef LOAD
  case ICL_DTYPE_COUNT:
    break;
  }
}

static void store(icl_dtype dtype, void *data, int64_t first, int64_t count, const double *values) {
  switch (dtype) {
#define STORE(name, type, to, from)                                                                                    \
  case ICL_##name: {                                                                                                   \
    char *destination = (char *)data + first * (int64_t)sizeof(type);                                                  \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      double x = values[i];                                                                                            \
      type e = from;                                                                                                   \
      memcpy(destination + i * (int64_t)sizeof e, &e, sizeof e);                                                       \
    }                                                                                                                  \
    break;                                                                                                             \
  }
    CONVERSIONS(STORE)
#undef STORE
  case ICL_DTYPE_COUNT:
    break;
  }
}

double icl__load_f64(icl_dtype dtype, const void *data, int64_t index) {
  double value = 0;
  load(dtype, data, index, 1, &value);
  return value;
}

void icl__store_f64(icl_dtype dtype, void *data, int64_t index, double value) { store(dtype, data, index, 1, &value); }

void icl__convert(icl_dtype from, const void *source, icl_dtype to, void *destination, int64_t count) {
  enum { BLOCK = 256 };
  if (from == to) {
    if (count > 0)
      memmove(destination, source, (size_t)count * icl_dtype_bytes(from));
    return;
  }
  for (int64_t first = 0; first < count; first += BLOCK) {
    double values[BLOCK];
    int64_t part = count - first < BLOCK ? count - first : BLOCK;
    load(from, source, first, part, values);
    store(to, destination, first, part, values);
  }
}
