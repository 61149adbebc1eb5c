/* amx_unit.h - Intel's unit for products of bf16 matrices (Architecture Instruction Set Extensions, chapter "Intel
 * AMX"): eight registers of 16 rows of 64 bytes. Where a file is not compiled for it, plain C does the same, so that
 * what is built upon it is tested on every machine.
 *
 * UNIT_MULTIPLY(sum, a, b): each row of `sum` has 16 f32, `a` and `b` hold bf16. Row r of `a` is 32 numbers; row k of
 * `b` is 16 pairs, the numbers 2k and 2k + 1 of 16 columns. Registers are named by a digit.
 *
 * f32 images are split: a number is a bf16, its upper term, and a bf16 of what that leaves, its rest, which together
 * hold 16 bits of it or more. Of the four products of two such numbers three are made and summed up in f32; that of
 * both rests is as small as what the terms leave out. So results have an error of about 5e-6 of their size, three to
 * ten times that of Winograd's (README.md). */
#ifndef ICL_BACKEND_CPU_KERNELS_AMX_UNIT_H
#define ICL_BACKEND_CPU_KERNELS_AMX_UNIT_H

#include "backend/cpu/kernels/vector.h"

enum {
  UNIT = 16,                    /* rows of a register, and numbers of 32 bits in a row */
  UNIT_VALUES = UNIT * UNIT,    /* f32, or pairs of bf16 */
  UNIT_ROW = 4 * UNIT,          /* bytes */
  UNIT_BYTES = 4 * UNIT_VALUES, /* of a register */
};

#if defined __AMX_BF16__

#define UNIT_ZERO(n)             _tile_zero(n)
#define UNIT_LOAD(n, p, stride)  _tile_loadd(n, p, stride)
#define UNIT_STORE(n, p, stride) _tile_stored(n, p, stride)
#define UNIT_MULTIPLY(sum, a, b) _tile_dpbf16ps(sum, a, b)

/* All registers whole. A compiler does not know what memory these instructions read: what they will has to be written
 * before. */
static inline void unit_begin(void) {
  struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } layout = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    layout.row_bytes[i] = UNIT_ROW;
    layout.rows[i] = UNIT;
  }
  __asm__ volatile("" : : "r"(&layout) : "memory");
  _tile_loadconfig(&layout);
}

static inline void unit_end(void) { _tile_release(); }

#else

static _Thread_local uint32_t unit_register[8][UNIT][UNIT];

#define UNIT_ZERO(n)             memset(unit_register[n], 0, UNIT_BYTES)
#define UNIT_LOAD(n, p, stride)  unit_load(n, p, stride)
#define UNIT_STORE(n, p, stride) unit_store(n, p, stride)
#define UNIT_MULTIPLY(sum, a, b) unit_multiply(sum, a, b)

static inline void unit_begin(void) {}
static inline void unit_end(void) {}

static inline void unit_load(int n, const void *from, size_t stride) {
  for (int i = 0; i < UNIT; i++)
    memcpy(unit_register[n][i], (const char *)from + (size_t)i * stride, UNIT_ROW);
}

static inline void unit_store(int n, void *to, size_t stride) {
  for (int i = 0; i < UNIT; i++)
    memcpy((char *)to + (size_t)i * stride, unit_register[n][i], UNIT_ROW);
}

static inline void unit_multiply(int sum, int a, int b) {
  for (int i = 0; i < UNIT; i++)
    for (int lane = 0; lane < UNIT; lane += LANES) {
      vec total = load(ICL_F32, unit_register[sum][i], lane);
      for (int k = 0; k < UNIT; k++) {
        uint32_t pair = unit_register[a][i][k];
        vec_bits pairs = (vec_bits)load(ICL_F32, unit_register[b][k], lane);
        total += splat(icl__from_bf16((uint16_t)pair)) * (vec)(pairs << 16);
        total += splat(icl__from_bf16((uint16_t)(pair >> 16))) * (vec)(pairs & 0xffff0000);
      }
      store(ICL_F32, unit_register[sum][i], lane, total);
    }
}

#endif

/* ---- numbers in terms ---- */

/* Of images and weights, where images are of this dtype; with one, f32 weights are rounded to bf16. */
INLINE int terms_of(icl_dtype images) { return images == ICL_F32 ? 2 : 1; }

/* Infinity and NaN, which the upper term holds, have no rest: inf - inf would make NaN of infinity. */
INLINE void split(vec v, vec_half terms[2]) {
  terms[0] = round_bf16(v);
  vec rest = v - widen_bf16(terms[0]);
  terms[1] = round_bf16((vec)((vec_bits)rest & (vec_bits)(rest - rest == 0)));
}

/* Pairs of bf16 that are widened, those of `above` in the lower halves. */
INLINE vec_bits pair_up(vec above, vec below) { return (vec_bits)above >> 16 | (vec_bits)below; }

/* Pairs of upper terms and of rests. */
INLINE void split_pairs(vec above, vec below, vec_bits pairs[2]) {
  vec_half upper[2], lower[2];
  split(above, upper);
  split(below, lower);
  for (int term = 0; term < 2; term++)
    pairs[term] = pair_up(widen_bf16(upper[term]), widen_bf16(lower[term]));
}

/* Two registers in memory, whose rows are `row` bytes apart, and those of their rests `rest` bytes behind them. */
typedef struct {
  const void *first, *second;
  size_t row;
  int64_t rest;
} operand;

INLINE operand rest_of(operand o) {
  o.first = (const char *)o.first + o.rest;
  o.second = (const char *)o.second + o.rest;
  return o;
}

enum { FRESH_A = 1, FRESH_B = 2 };

/* Sums 0 and 1 of the first of `a`, sums 2 and 3 of the second one, with one or two of `b`. What is not fresh is in its
 * registers still. */
INLINE void multiply_fresh(operand a, operand b, int columns, int fresh) {
  if (fresh & FRESH_A)
    UNIT_LOAD(4, a.first, a.row);
  if (fresh & FRESH_B)
    UNIT_LOAD(6, b.first, b.row);
  UNIT_MULTIPLY(0, 4, 6);
  if (fresh & FRESH_A)
    UNIT_LOAD(5, a.second, a.row);
  UNIT_MULTIPLY(2, 5, 6);
  if (columns == 1)
    return;
  if (fresh & FRESH_B)
    UNIT_LOAD(7, b.second, b.row);
  UNIT_MULTIPLY(1, 4, 7);
  UNIT_MULTIPLY(3, 5, 7);
}

/* Of all terms, in an order that takes 8 loads for 12 products. */
INLINE void multiply_terms(operand a, operand b, int columns, icl_dtype images) {
  if (terms_of(images) == 1) {
    multiply_fresh(a, b, columns, FRESH_A | FRESH_B);
    return;
  }
  multiply_fresh(rest_of(a), b, columns, FRESH_A | FRESH_B);
  multiply_fresh(a, b, columns, FRESH_A);
  multiply_fresh(a, rest_of(b), columns, FRESH_B);
}

#endif
