/* tiles.h - elementwise ops with NumPy's broadcasting, whatever the layout of their operands: a kernel sees runs of
 * adjacent elements.
 *
 * The axes of the output are merged as far as the strides of all operands allow, and its elements taken in tiles. An
 * operand whose elements of a tile are adjacent is handed over where it lies. One that repeats itself, such as a number
 * or a value for each channel, is handed over as one period of it. Everything else - row pitches, other dtypes - is
 * first written to a buffer that stays in L1, and the result is written from one. The output may lie exactly over an
 * input. */
#ifndef ICL_BACKEND_CPU_KERNELS_TILES_H
#define ICL_BACKEND_CPU_KERNELS_TILES_H

#include "backend/cpu/kernels/vector.h"

/* Elements that a kernel takes at a time: count is a multiple of it. */
enum { TILE_STEP = 4 * LANES };

/* Element i of in[k] is at tile_index(t, k, i, place), where place is i modulo the period of what is repeated; behind
 * that period, its first TILE_STEP elements follow once more. */
typedef struct {
  const void *in[ICL_MAX_INPUTS];
  int64_t whole[ICL_MAX_INPUTS]; /* ~0; 0 if in[k] is repeated */
  int64_t period;
  void *out;
  uint32_t halves; /* bit k: in[k] is bf16, else f32; bit TILE_OUT: the output */
  int inputs;
  int64_t count;
} tile;
enum { TILE_OUT = ICL_MAX_INPUTS };

INLINE int64_t tile_index(const tile *t, int k, int64_t i, int64_t place) {
  return place + ((i - place) & t->whole[k]);
}

/* for (FOR_TILE(t, i, place)) runs over the steps of a tile. */
#define FOR_TILE(t, i, place)                                                                                          \
  int64_t i = 0, place = 0, advance_ = TILE_STEP % (t).period;                                                         \
  i < (t).count;                                                                                                       \
  i += TILE_STEP, place += advance_, place -= place >= (t).period ? (t).period : 0

typedef void (*tile_kernel)(const tile *t);

/* Runs `kernel` over the elements of call->part. Operands in `halves` are handed over in bf16 where they are bf16.
 * call->scratch has TILES_WORKSPACE bytes. */
enum { TILE_SLOT = 2048 + TILE_STEP, TILES_WORKSPACE = (ICL_MAX_INPUTS + 1) * TILE_SLOT * 4 };
void ISA_NAME(icl__tiles)(const icl__call *call, tile_kernel kernel, uint32_t halves);

/* One tile, whose count need not be whole steps. */
void ISA_NAME(icl__run_tile)(const tile *t, tile_kernel kernel);

/* The kernel of add_n; its halves are all inputs and the output, or none, or a mixture. */
void ISA_NAME(icl__sum_tile)(const tile *t);

/* Are the dtypes such that f32 arithmetic gives the result? f64 only as single numbers. */
bool ISA_NAME(icl__tiles_fit)(const icl__call *prototype);

#endif
