/* values.cuh - elements of any float dtype, u8 and bool as f32, one or eight at a time; elements of integers as i64.
 *
 * Eight adjacent ones are read and written by 128-bit accesses, f32 by two; they must begin at a multiple of eight of
 * an array that is aligned to 16 bytes. The dtype is a number that all threads share, so a kernel need not exist once
 * for each mixture of dtypes. */
#ifndef ICL_BACKEND_CUDA_KERNELS_VALUES_CUH
#define ICL_BACKEND_CUDA_KERNELS_VALUES_CUH

#include "cuda.h"
#include "wide.cuh"

enum { EIGHT = 8 };

/* ---- one ---- */

DEVICE float from_bf16(unsigned bits) { return __uint_as_float(bits << 16); }

DEVICE unsigned to_bf16(float x) { return __bfloat16_as_ushort(__float2bfloat16_rn(x)); }

DEVICE float load_one(const void *data, int dtype, int64_t i) {
  switch (dtype) {
  case ICL_F32:
    return ((const float *)data)[i];
  case ICL_BF16:
    return from_bf16(((const unsigned short *)data)[i]);
  case ICL_F16:
    return __half2float(((const __half *)data)[i]);
  case ICL_F64:
    return narrow(((const uint64_t *)data)[i]);
  case ICL_BOOL:
    return (float)(((const unsigned char *)data)[i] != 0);
  default: /* u8 */
    return (float)((const unsigned char *)data)[i];
  }
}

/* NaN becomes 0, and what lies outside stays at the limit. */
DEVICE unsigned char to_u8(float x) { return (unsigned char)(x > 0 ? x < 255 ? x : 255 : 0); }

DEVICE void store_one(void *data, int dtype, int64_t i, float x) {
  switch (dtype) {
  case ICL_F32:
    ((float *)data)[i] = x;
    break;
  case ICL_BF16:
    ((unsigned short *)data)[i] = (unsigned short)to_bf16(x);
    break;
  case ICL_F16:
    ((__half *)data)[i] = __float2half_rn(x);
    break;
  case ICL_F64:
    ((uint64_t *)data)[i] = widen(x);
    break;
  case ICL_BOOL:
    ((unsigned char *)data)[i] = x != 0;
    break;
  default:
    ((unsigned char *)data)[i] = to_u8(x);
    break;
  }
}

/* What is left of x in a 16-bit dtype. */
DEVICE float rounded(float x, int dtype) {
  if (dtype == ICL_BF16)
    return from_bf16(to_bf16(x));
  return dtype == ICL_F16 ? __half2float(__float2half_rn(x)) : x;
}

/* NaN is larger than every number, and the first of equals stays. */
template <class T> DEVICE bool is_larger(T x, T largest) { return x > largest || (x != x && largest == largest); }
template <class T> DEVICE T larger(T a, T b) { return is_larger(b, a) ? b : a; }

/* ---- eight ---- */

DEVICE void unpack_pair(unsigned word, int dtype, float &low, float &high) {
  if (dtype == ICL_BF16) {
    low = from_bf16(word & 0xffff);
    high = __uint_as_float(word & 0xffff0000);
  } else {
    low = __half2float(__ushort_as_half((unsigned short)word));
    high = __half2float(__ushort_as_half((unsigned short)(word >> 16)));
  }
}

DEVICE unsigned pack(float low, float high, int dtype) {
  if (dtype == ICL_BF16)
    return to_bf16(low) | to_bf16(high) << 16;
  return (unsigned)__half_as_ushort(__float2half_rn(low)) | (unsigned)__half_as_ushort(__float2half_rn(high)) << 16;
}

/* V elements, 1 or 8, of f32 or of 16 bits as they lie in memory: read first and unpacked later, so that a thread has
 * several reads under way at once. */
template <int V> struct raw;

template <> struct raw<1> {
  unsigned bits;

  DEVICE_MEMBER void read(const void *data, int dtype, int64_t i) {
    bits = dtype == ICL_F32 ? ((const unsigned *)data)[i] : ((const unsigned short *)data)[i];
  }
  DEVICE_MEMBER void unpack(int dtype, float (&x)[1]) const {
    float zero;
    if (dtype == ICL_F32)
      x[0] = __uint_as_float(bits);
    else
      unpack_pair(bits, dtype, x[0], zero);
  }
};

template <> struct raw<EIGHT> {
  uint4 low, high; /* `high` of f32 alone */

  DEVICE_MEMBER void read(const void *data, int dtype, int64_t first) {
    const uint4 *at = (const uint4 *)((const unsigned char *)data + first * (dtype == ICL_F32 ? 4 : 2));
    low = at[0];
    high = dtype == ICL_F32 ? at[1] : make_uint4(0, 0, 0, 0); /* which no load has to come for */
  }
  DEVICE_MEMBER void unpack(int dtype, float (&x)[EIGHT]) const {
    if (dtype == ICL_F32) {
      four(low, x[0], x[1], x[2], x[3]);
      four(high, x[4], x[5], x[6], x[7]);
    } else {
      unpack_pair(low.x, dtype, x[0], x[1]);
      unpack_pair(low.y, dtype, x[2], x[3]);
      unpack_pair(low.z, dtype, x[4], x[5]);
      unpack_pair(low.w, dtype, x[6], x[7]);
    }
  }
  static DEVICE_MEMBER void four(uint4 words, float &a, float &b, float &c, float &d) {
    a = __uint_as_float(words.x), b = __uint_as_float(words.y);
    c = __uint_as_float(words.z), d = __uint_as_float(words.w);
  }
};

DEVICE void load_eight_bytes(const void *data, int dtype, int64_t first, float (&x)[EIGHT]) {
  uint2 words = *(const uint2 *)((const unsigned char *)data + first);
  UNROLL
  for (int j = 0; j < EIGHT; j++) {
    unsigned byte = (j < 4 ? words.x : words.y) >> 8 * (j % 4) & 0xff;
    x[j] = (float)(dtype == ICL_BOOL ? byte != 0 : byte);
  }
}

DEVICE void load_eight(const void *data, int dtype, int64_t first, float (&x)[EIGHT]) {
  if (dtype == ICL_F32 || dtype == ICL_BF16 || dtype == ICL_F16) {
    raw<EIGHT> words;
    words.read(data, dtype, first);
    words.unpack(dtype, x);
  } else if (dtype == ICL_F64) {
    UNROLL
    for (int j = 0; j < EIGHT; j++)
      x[j] = load_one(data, dtype, first + j);
  } else {
    load_eight_bytes(data, dtype, first, x);
  }
}

DEVICE void store_eight_bytes(void *data, int dtype, int64_t first, const float (&x)[EIGHT]) {
  unsigned words[2] = {0, 0};
  UNROLL
  for (int j = 0; j < EIGHT; j++) {
    unsigned byte = dtype == ICL_BOOL ? x[j] != 0 : to_u8(x[j]);
    words[j / 4] |= byte << 8 * (j % 4);
  }
  *(uint2 *)((unsigned char *)data + first) = make_uint2(words[0], words[1]);
}

DEVICE void store_eight(void *data, int dtype, int64_t first, const float (&x)[EIGHT]) {
  if (dtype == ICL_F32) {
    ((float4 *)data)[first / 4] = make_float4(x[0], x[1], x[2], x[3]);
    ((float4 *)data)[first / 4 + 1] = make_float4(x[4], x[5], x[6], x[7]);
  } else if (dtype == ICL_BF16 || dtype == ICL_F16) {
    ((uint4 *)data)[first / EIGHT] =
        make_uint4(pack(x[0], x[1], dtype), pack(x[2], x[3], dtype), pack(x[4], x[5], dtype), pack(x[6], x[7], dtype));
  } else if (dtype == ICL_F64) {
    UNROLL
    for (int j = 0; j < EIGHT; j++)
      store_one(data, dtype, first + j, x[j]);
  } else {
    store_eight_bytes(data, dtype, first, x);
  }
}

/* ---- V of them, 1 or 8: kernels are written once for both ---- */

DEVICE void load(const void *data, int dtype, int64_t first, float (&x)[1]) { x[0] = load_one(data, dtype, first); }
DEVICE void load(const void *data, int dtype, int64_t first, float (&x)[EIGHT]) { load_eight(data, dtype, first, x); }
DEVICE void store(void *data, int dtype, int64_t first, const float (&x)[1]) { store_one(data, dtype, first, x[0]); }
DEVICE void store(void *data, int dtype, int64_t first, const float (&x)[EIGHT]) { store_eight(data, dtype, first, x); }

/* ---- what a kernel computes in: these, or f64_values of wide_values.cuh ---- */

struct f32_values {
  typedef float real;
  enum { AT_ONCE = EIGHT }; /* V of kernels where the number of channels allows it */

  static DEVICE_MEMBER float read(const void *data, int dtype, int64_t i) { return load_one(data, dtype, i); }
  static DEVICE_MEMBER void write(void *data, int dtype, int64_t i, float x) { store_one(data, dtype, i, x); }
  template <int V> static DEVICE_MEMBER void read_all(const void *data, int dtype, int64_t first, float (&x)[V]) {
    load(data, dtype, first, x);
  }
  template <int V> static DEVICE_MEMBER void write_all(void *data, int dtype, int64_t first, const float (&x)[V]) {
    store(data, dtype, first, x);
  }
};

struct integer_values {
  typedef int64_t real;

  static DEVICE_MEMBER int64_t read(const void *data, int dtype, int64_t i) {
    switch (dtype) {
    case ICL_I32:
      return ((const int32_t *)data)[i];
    case ICL_I64:
      return ((const int64_t *)data)[i];
    case ICL_BOOL:
      return ((const uint8_t *)data)[i] != 0;
    default: /* u8 */
      return ((const uint8_t *)data)[i];
    }
  }
  static DEVICE_MEMBER void write(void *data, int dtype, int64_t i, int64_t x) {
    switch (dtype) {
    case ICL_I32:
      ((int32_t *)data)[i] = (int32_t)x;
      break;
    case ICL_I64:
      ((int64_t *)data)[i] = x;
      break;
    default: /* u8, bool */
      ((uint8_t *)data)[i] = (uint8_t)x;
      break;
    }
  }
};

#endif
