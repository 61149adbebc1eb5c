/* safetensors_convert.c - arrays of dtypes that icl has not, converted to the smallest one that holds every value. */
#include "io/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* A float of eight bits: sign, exponent, and so many bits of fraction. Of E4M3 only the largest exponent with the
 * largest fraction is no number; E5M2 follows IEEE 754. */
static float small_float(unsigned byte, int fraction_bits) {
  int exponent = (int)(byte & 0x7f) >> fraction_bits, bias = (1 << (6 - fraction_bits)) - 1;
  float fraction = (float)(byte & ((1u << fraction_bits) - 1)) / (float)(1 << fraction_bits);
  float value = exponent ? ldexpf(1 + fraction, exponent - bias) : ldexpf(fraction, 1 - bias);
  if (fraction_bits == 2 && exponent == 31)
    value = fraction == 0 ? INFINITY : NAN;
  if (fraction_bits == 3 && (byte & 0x7f) == 0x7f)
    value = NAN;
  return byte & 0x80 ? -value : value;
}

/* Element i of data, which need not be aligned. */
#define READ(type)                                                                                                     \
  type value;                                                                                                          \
  memcpy(&value, from + i * sizeof value, sizeof value)

#define WIDEN(type, wide)                                                                                              \
  for (size_t i = 0; i < count; i++) {                                                                                 \
    READ(type);                                                                                                        \
    ((wide *)to)[i] = value;                                                                                           \
  }                                                                                                                    \
  return ICL_OK

static icl_status from_i8(const unsigned char *from, size_t count, void *to) { WIDEN(int8_t, int32_t); }
static icl_status from_i16(const unsigned char *from, size_t count, void *to) { WIDEN(int16_t, int32_t); }
static icl_status from_u16(const unsigned char *from, size_t count, void *to) { WIDEN(uint16_t, int32_t); }
static icl_status from_u32(const unsigned char *from, size_t count, void *to) { WIDEN(uint32_t, int64_t); }

static icl_status from_u64(const unsigned char *from, size_t count, void *to) {
  for (size_t i = 0; i < count; i++) {
    READ(uint64_t);
    if (value > INT64_MAX)
      return icl__fail(ICL_ENOTSUP, "its dtype is U64, and element %zu, %" PRIu64 ", is more than an i64 holds", i,
                       value);
    ((int64_t *)to)[i] = (int64_t)value;
  }
  return ICL_OK;
}

static icl_status from_small_floats(const unsigned char *from, size_t count, int fraction_bits, float *to) {
  float values[256];
  for (unsigned byte = 0; byte < 256; byte++)
    values[byte] = small_float(byte, fraction_bits);
  for (size_t i = 0; i < count; i++)
    to[i] = values[from[i]];
  return ICL_OK;
}

static icl_status from_e4m3(const unsigned char *from, size_t count, void *to) {
  return from_small_floats(from, count, 3, to);
}
static icl_status from_e5m2(const unsigned char *from, size_t count, void *to) {
  return from_small_floats(from, count, 2, to);
}

static const icl__foreign_dtype table[] = {
    {"I8", 1, ICL_I32, from_i8},        {"I16", 2, ICL_I32, from_i16}, {"U16", 2, ICL_I32, from_u16},
    {"U32", 4, ICL_I64, from_u32},      {"U64", 8, ICL_I64, from_u64}, {"F8_E4M3", 1, ICL_F32, from_e4m3},
    {"F8_E5M2", 1, ICL_F32, from_e5m2},
};

const icl__foreign_dtype *icl__safetensors_foreign(int index) {
  return index < (int)(sizeof table / sizeof *table) ? &table[index] : NULL;
}
