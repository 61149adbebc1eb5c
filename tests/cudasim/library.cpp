/* library.cpp - see library.h. */
#include "library.h"

namespace sim {

size_t bytes_of(value_type type) { return type == DOUBLE ? 8 : type == FLOAT ? 4 : 2; }

/* 10 bits of the fraction stay, rounded to the nearest. Infinity and NaN stay what they are. */
static float as_tf32(float value) {
  uint32_t bits = __float_as_uint(value);
  if ((bits & 0x7f800000u) != 0x7f800000u)
    bits = (bits + 0x1000u) & ~0x1fffu;
  return __uint_as_float(bits);
}

std::vector<float> load(value_type type, const void *from, size_t count, bool tf32) {
  std::vector<float> values(count);
  if (type == FLOAT)
    memcpy(values.data(), from, count * sizeof(float));
  for (size_t i = 0; i < count && type == HALF; i++)
    values[i] = __half2float(((const __half *)from)[i]);
  for (size_t i = 0; i < count && type == BFLOAT; i++)
    values[i] = __bfloat162float(((const __nv_bfloat16 *)from)[i]);
  for (size_t i = 0; i < count && type == FLOAT && tf32; i++)
    values[i] = as_tf32(values[i]);
  return values;
}

void store(value_type type, void *to, size_t index, float value) {
  if (type == FLOAT)
    ((float *)to)[index] = value;
  else if (type == HALF)
    ((__half *)to)[index] = __float2half(value);
  else
    ((__nv_bfloat16 *)to)[index] = __float2bfloat16(value);
}

bool overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes) {
  return (const char *)a < (const char *)b + b_bytes && (const char *)b < (const char *)a + a_bytes;
}

/* Four rows at a time, since what limits it are loads and stores of y. */
void add_rows(float *__restrict__ y, size_t length, size_t count, const float *const *row, const float *factor) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const float *a = row[i], *b = row[i + 1], *c = row[i + 2], *d = row[i + 3];
    float fa = factor[i], fb = factor[i + 1], fc = factor[i + 2], fd = factor[i + 3];
    for (size_t k = 0; k < length; k++)
      y[k] = y[k] + (fa * a[k] + fb * b[k]) + (fc * c[k] + fd * d[k]);
  }
  for (; i < count; i++) {
    const float *a = row[i];
    float fa = factor[i];
    for (size_t k = 0; k < length; k++)
      y[k] += fa * a[k];
  }
}

} // namespace sim
