/* test_convert.c - conversions between dtypes: exact values, rounding, limits, and every f16 and bf16. */
#include "unit.h"

#include "backend/kernel.h"

#include <math.h>
#include <string.h>

static uint16_t to_half(icl_dtype dtype, double x) {
  uint16_t bits;
  icl__store_f64(dtype, &bits, 0, x);
  return bits;
}

static int64_t to_integer(icl_dtype dtype, double x) {
  int64_t element = 0;
  icl__store_f64(dtype, &element, 0, x);
  return (int64_t)icl__load_f64(dtype, &element, 0);
}

TEST(f16_has_known_bits) {
  static const struct {
    double value;
    uint16_t bits;
  } cases[] = {
      {0, 0x0000},
      {-0.0, 0x8000},
      {1, 0x3c00},
      {-2, 0xc000},
      {65504, 0x7bff},    /* the largest */
      {65519.99, 0x7bff}, /* below half way to the next */
      {65520, 0x7c00},    /* half way goes to the even one: infinity */
      {1e300, 0x7c00},
      {-INFINITY, 0xfc00},
      {0x1p-14, 0x0400}, /* the smallest normal */
      {0x1p-24, 0x0001}, /* the smallest */
      {0x1p-25, 0x0000}, /* half of it: to even */
      {0x1.000001p-25, 0x0001},
      {0x1.8p-24, 0x0002}, /* 1.5 times the smallest: to even */
      {-0x1p-26, 0x8000},
      {1e-300, 0x0000},
      {0x1.ff8p-15, 0x03ff}, /* the largest subnormal */
      {0x1.ffcp-15, 0x0400}, /* half way above it: to even, a normal */
      {1 + 0x1p-11, 0x3c00}, /* half way: to even */
      {1 + 0x3p-11, 0x3c02},
      {1 + 0x1p-11 + 0x1p-40, 0x3c01}, /* above half way by less than f32 can show */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    CHECK_EQ(to_half(ICL_F16, cases[i].value), cases[i].bits);
}

TEST(half_formats_return_to_themselves) {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    uint16_t source = (uint16_t)bits;
    for (icl_dtype dtype = ICL_BF16; dtype <= ICL_F16; dtype++) {
      double x = icl__load_f64(dtype, &source, 0);
      if (x == x)
        CHECK_EQ(to_half(dtype, x), source);
      else
        CHECK(isnan(icl__load_f64(dtype, &(uint16_t){to_half(dtype, x)}, 0)));
    }
  }
}

/* Between two neighbours the middle goes to the even one, and the rest to the nearer. */
TEST(half_formats_round_to_nearest_even) {
  for (icl_dtype dtype = ICL_BF16; dtype <= ICL_F16; dtype++) {
    uint16_t end = dtype == ICL_F16 ? 0x7bff : 0x7f7f;
    for (uint16_t bits = 0; bits < end; bits++) {
      uint16_t above = (uint16_t)(bits + 1);
      double low = icl__load_f64(dtype, &bits, 0), high = icl__load_f64(dtype, &above, 0), middle = (low + high) / 2;
      CHECK_EQ(to_half(dtype, middle), bits % 2 ? above : bits);
      CHECK_EQ(to_half(dtype, nextafter(middle, low)), bits);
      CHECK_EQ(to_half(dtype, nextafter(middle, high)), above);
      CHECK_EQ(to_half(dtype, -middle), 0x8000 | (bits % 2 ? above : bits));
    }
  }
}

TEST(bf16_of_f32_agrees_with_the_inline_conversion) {
  uint32_t bits = 1;
  for (int i = 0; i < 100000; i++) {
    bits = bits * 1664525 + 1013904223;
    float f;
    memcpy(&f, &bits, sizeof f);
    uint16_t direct = icl__to_bf16(f), converted;
    icl__convert(ICL_F32, &f, ICL_BF16, &converted, 1);
    if (f == f)
      CHECK_EQ(converted, direct);
    else
      CHECK(isnan(icl__from_bf16(converted)) && isnan(icl__from_bf16(direct)));
  }
}

TEST(integers_truncate_and_saturate) {
  CHECK_EQ(to_integer(ICL_I32, 2.9), 2);
  CHECK_EQ(to_integer(ICL_I32, -2.9), -2);
  CHECK_EQ(to_integer(ICL_I32, 1e10), INT32_MAX);
  CHECK_EQ(to_integer(ICL_I32, -INFINITY), INT32_MIN);
  CHECK_EQ(to_integer(ICL_I32, NAN), 0);
  CHECK_EQ(to_integer(ICL_U8, 255.9), 255);
  CHECK_EQ(to_integer(ICL_U8, 256), 255);
  CHECK_EQ(to_integer(ICL_U8, -0.5), 0);
  CHECK_EQ(to_integer(ICL_U8, -3), 0);
  CHECK_EQ(to_integer(ICL_I64, 0x1p53 + 2), (INT64_C(1) << 53) + 2);
  int64_t limit;
  icl__store_f64(ICL_I64, &limit, 0, 0x1p63);
  CHECK_EQ(limit, INT64_MAX);
  icl__store_f64(ICL_I64, &limit, 0, -0x1p70);
  CHECK_EQ(limit, INT64_MIN);
}

TEST(bool_is_not_zero) {
  CHECK_EQ(to_integer(ICL_BOOL, 0), 0);
  CHECK_EQ(to_integer(ICL_BOOL, -0.0), 0);
  CHECK_EQ(to_integer(ICL_BOOL, 0.25), 1);
  CHECK_EQ(to_integer(ICL_BOOL, NAN), 1);
  uint8_t odd = 7;
  CHECK_NEAR(icl__load_f64(ICL_BOOL, &odd, 0), 1, 0);
}

TEST(arrays_convert_at_any_address_and_length) {
  enum { COUNT = 1000 };
  static char source[COUNT * 4 + 1];
  static double wide[COUNT];
  static int32_t back[COUNT];
  for (int32_t i = 0; i < COUNT; i++)
    memcpy(source + 1 + i * 4, &(int32_t){i * 7 - 3000}, 4);
  icl__convert(ICL_I32, source + 1, ICL_F64, wide, COUNT);
  icl__convert(ICL_F64, wide, ICL_I32, back, COUNT);
  for (int32_t i = 0; i < COUNT; i++)
    CHECK_EQ(back[i], i * 7 - 3000);
}

TEST(same_dtype_copies_the_bits) {
  uint64_t numbers[2] = {UINT64_C(0x7fffffffffffffff), UINT64_C(0xfff7000000000001)}, copy[2];
  icl__convert(ICL_I64, numbers, ICL_I64, copy, 2);
  CHECK(memcmp(numbers, copy, sizeof copy) == 0);
  icl__convert(ICL_F64, numbers, ICL_F64, copy, 0);
}
