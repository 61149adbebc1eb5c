/* vector.h - a register of f32 lanes, the same in every instruction set: the only file of this folder that knows them.
 *
 * Lanes are f32 always; memory holds f32 or bf16, and bf16 is rounded to nearest even where it is stored. Arithmetic on
 * `vec` is written with + - * / ; a * b + c becomes one instruction where there is one. A dtype that is given to a
 * function below must be a constant where it is called: kernels are INLINE functions with the dtypes of their operands
 * among the arguments, called once for each dtype by FOR_FLOATS. Memory need not be aligned. */
#ifndef ICL_BACKEND_CPU_KERNELS_VECTOR_H
#define ICL_BACKEND_CPU_KERNELS_VECTOR_H

#include "backend/cpu/kernels/families.h"

#include <string.h>
#if defined __SSE2__
#include <immintrin.h>
#endif

/* Loops over registers are unrolled whole. Loops over the depth of a product are unrolled by 4 or 8, as measured: a
 * core that two threads share is bound by instructions, those of the loop too. Written out by hand, gcc 12 spills
 * registers. */
#define INLINE     static inline __attribute__((always_inline))
#define NOINLINE   static __attribute__((noinline))
#define UNROLL_(n) _Pragma(#n)
#define UNROLL(n)  UNROLL_(GCC unroll n)

#if defined __AVX512F__
enum { LANES = 16 };
#elif defined __AVX2__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef uint32_t vec_bits __attribute__((vector_size(LANES * sizeof(uint32_t))));
typedef uint16_t vec_half __attribute__((vector_size(LANES * sizeof(uint16_t))));

/* Calls f(..., dtype) with the dtype as a constant: FOR_FLOATS(x.dtype, f, a, b) is f(a, b, ICL_F32) or f(a, b,
 * ICL_BF16). */
#define FOR_FLOATS(dtype, f, ...) ((dtype) == ICL_BF16 ? f(__VA_ARGS__, ICL_BF16) : f(__VA_ARGS__, ICL_F32))

/* Has a kernel loads and stores for it? */
static inline bool is_lane_dtype(icl_dtype dtype) { return dtype == ICL_F32 || dtype == ICL_BF16; }

INLINE vec splat(float x) { return x - (vec){0}; }

/* Lane from[l] of x in lane l. Clang has a builtin for constants alone, and makes one instruction of these. */
INLINE vec shuffled(vec x, vec_bits from) {
#if defined __clang__
  vec y;
  for (int l = 0; l < LANES; l++)
    y[l] = x[from[l]];
  return y;
#else
  return __builtin_shuffle(x, from);
#endif
}

/* ---- rounding to bf16 ---- */

/* The upper half of each lane, rounded, as its lower half. */
INLINE vec_bits round_bits(vec v) {
  vec_bits u = (vec_bits)v, nan = (vec_bits)(v != v);
  vec_bits nearest = (u + 0x7fff + (u >> 16 & 1)) >> 16, quiet = u >> 16 | 0x40;
  return (nearest & ~nan) | (quiet & nan);
}

/* f32 to the nearest bf16, ties to even; NaN stays NaN. Numbers below 2^-126 may become 0. */
INLINE vec_half round_bf16(vec v) {
#if defined __AVX512BF16__
  return (vec_half)_mm512_cvtneps_pbh(v);
#elif defined __AVX2__ && !defined __AVX512F__
  __m256i u = (__m256i)round_bits(v);
  return (vec_half)_mm_packus_epi32(_mm256_castsi256_si128(u), _mm256_extracti128_si256(u, 1));
#else
  return __builtin_convertvector(round_bits(v), vec_half);
#endif
}

INLINE vec widen_bf16(vec_half h) {
#if defined __AVX512F__
  return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)h), 16);
#elif defined __AVX2__
  return (vec)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)h), 16);
#else
  return (vec)(__builtin_convertvector(h, vec_bits) << 16);
#endif
}

/* ---- memory: element i, and the LANES - 1 after it ---- */

INLINE float load_one(icl_dtype dtype, const void *data, int64_t i) {
  return dtype == ICL_BF16 ? icl__from_bf16(((const uint16_t *)data)[i]) : ((const float *)data)[i];
}

INLINE void store_one(icl_dtype dtype, void *data, int64_t i, float x) {
  if (dtype == ICL_BF16)
    ((uint16_t *)data)[i] = icl__to_bf16(x);
  else
    ((float *)data)[i] = x;
}

INLINE vec load(icl_dtype dtype, const void *data, int64_t i) {
  if (dtype == ICL_BF16) {
    vec_half h;
    memcpy(&h, (const uint16_t *)data + i, sizeof h);
    return widen_bf16(h);
  }
  vec v;
  memcpy(&v, (const float *)data + i, sizeof v);
  return v;
}

INLINE void store(icl_dtype dtype, void *data, int64_t i, vec v) {
  if (dtype == ICL_BF16) {
    vec_half h = round_bf16(v);
    memcpy((uint16_t *)data + i, &h, sizeof h);
  } else {
    memcpy((float *)data + i, &v, sizeof v);
  }
}

/* Two registers, a before b: rounds both at once where that is one instruction. */
INLINE void store_pair(icl_dtype dtype, void *data, int64_t i, vec a, vec b) {
#if defined __AVX512BF16__
  if (dtype == ICL_BF16) {
    __m512i h = (__m512i)_mm512_cvtne2ps_pbh(b, a);
    memcpy((uint16_t *)data + i, &h, sizeof h);
    return;
  }
#elif defined __AVX2__ && !defined __AVX512F__
  if (dtype == ICL_BF16) {
    __m256i h = _mm256_packus_epi32((__m256i)round_bits(a), (__m256i)round_bits(b)); /* each half by itself */
    h = _mm256_permute4x64_epi64(h, 0xd8);
    memcpy((uint16_t *)data + i, &h, sizeof h);
    return;
  }
#endif
  store(dtype, data, i, a);
  store(dtype, data, i + LANES, b);
}

/* Lanes of f32 that will not be read soon. Where they are a whole line, the line goes straight to memory, and what it
 * replaces is not fetched from there first; `p` is aligned to lines. Another thread may read it after end_streams. */
INLINE void stream(float *p, vec v) {
#if defined __AVX512F__
  _mm512_stream_ps(p, v);
#else
  store(ICL_F32, p, 0, v);
#endif
}

INLINE void end_streams(void) {
#if defined __AVX512F__
  _mm_sfence();
#endif
}

/* ---- memory: only `n` lanes, 0 <= n <= LANES; the other lanes are 0, and what lies behind is not touched ---- */

#if defined __AVX512F__

INLINE __mmask16 first_lanes(int64_t n) { return (__mmask16)((1u << n) - 1); }

INLINE vec load_part(icl_dtype dtype, const void *data, int64_t i, int64_t n) {
  if (n == LANES)
    return load(dtype, data, i);
  if (dtype == ICL_BF16)
    return widen_bf16((vec_half)_mm256_maskz_loadu_epi16(first_lanes(n), (const uint16_t *)data + i));
  return _mm512_maskz_loadu_ps(first_lanes(n), (const float *)data + i);
}

INLINE void store_part(icl_dtype dtype, void *data, int64_t i, int64_t n, vec v) {
  if (n == LANES)
    store(dtype, data, i, v);
  else if (dtype == ICL_BF16)
    _mm256_mask_storeu_epi16((uint16_t *)data + i, first_lanes(n), (__m256i)round_bf16(v));
  else
    _mm512_mask_storeu_ps((float *)data + i, first_lanes(n), v);
}

#else

#if defined __AVX2__
INLINE __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif

INLINE vec load_part(icl_dtype dtype, const void *data, int64_t i, int64_t n) {
  if (n == LANES)
    return load(dtype, data, i);
#if defined __AVX2__
  if (dtype == ICL_F32)
    return _mm256_maskload_ps((const float *)data + i, first_lanes(n));
#endif
  vec v = {0};
  for (int64_t k = 0; k < n; k++)
    v[k] = load_one(dtype, data, i + k);
  return v;
}

INLINE void store_part(icl_dtype dtype, void *data, int64_t i, int64_t n, vec v) {
  if (n == LANES) {
    store(dtype, data, i, v);
    return;
  }
#if defined __AVX2__
  if (dtype == ICL_F32) {
    _mm256_maskstore_ps((float *)data + i, first_lanes(n), v);
    return;
  }
#endif
  for (int64_t k = 0; k < n; k++)
    store_one(dtype, data, i + k, v[k]);
}

#endif

/* ---- bytes: `n` lanes as above ---- */

typedef uint8_t vec_byte __attribute__((vector_size(LANES)));

INLINE vec_bits load_bytes(const uint8_t *data, int64_t i, int64_t n) {
#if defined __AVX512F__
  return (vec_bits)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes(n), data + i));
#else
  vec_byte bytes = {0};
  if (n == LANES)
    memcpy(&bytes, data + i, LANES);
  else
    for (int64_t k = 0; k < n; k++)
      bytes[k] = data[i + k];
#if defined __AVX2__
  return (vec_bits)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes));
#else
  return __builtin_convertvector(bytes, vec_bits);
#endif
#endif
}

INLINE void store_bytes(uint8_t *data, int64_t i, int64_t n, vec_bits v) {
#if defined __AVX512F__
  _mm_mask_storeu_epi8(data + i, first_lanes(n), _mm512_cvtepi32_epi8((__m512i)v));
#else
  vec_byte bytes = __builtin_convertvector(v, vec_byte);
  memcpy(data + i, &bytes, (size_t)n);
#endif
}

/* ---- what C has no operator for ---- */

/* max(x, 0); NaN stays NaN */
INLINE vec relu(vec x) {
#if defined __AVX512F__
  return _mm512_max_ps(_mm512_setzero_ps(), x); /* of NaN and a number, the second */
#elif defined __AVX2__
  return _mm256_max_ps(_mm256_setzero_ps(), x);
#else
  return (vec)((vec_bits)x & ~(vec_bits)(x < 0));
#endif
}

/* x where t > 0, else 0 */
INLINE vec where_positive(vec t, vec x) {
#if defined __AVX512F__
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(t, _mm512_setzero_ps(), _CMP_GT_OQ), x);
#else
  return (vec)((vec_bits)x & (vec_bits)(t > 0));
#endif
}

/* The larger of two; NaN if one of them is NaN. */
INLINE vec larger(vec a, vec b) {
  vec_bits take = (vec_bits)((a > b) | (a != a));
  return (vec)(((vec_bits)a & take) | ((vec_bits)b & ~take));
}

INLINE float sum_of_lanes(vec v) {
  float sum = 0;
  for (int k = 0; k < LANES; k++)
    sum += v[k];
  return sum;
}

#endif
