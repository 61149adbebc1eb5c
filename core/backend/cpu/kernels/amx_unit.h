/* amx_unit.h - Intel's unit for products of bf16 matrices (Architecture Instruction Set Extensions, chapter "Intel
 * AMX"): eight registers of 16 rows of 64 bytes. Where a file is not compiled for it, plain C does the same, so that
 * what is built upon it is tested on every machine.
 *
 * UNIT_MULTIPLY(sum, a, b): each row of `sum` has 16 f32, `a` and `b` hold bf16. Row r of `a` is 32 numbers; row k of
 * `b` is 16 pairs, the numbers 2k and 2k + 1 of 16 columns. Registers are named by a digit. */
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

#endif
