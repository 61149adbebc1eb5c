/* tiles.h - elementwise ops with NumPy's broadcasting, whatever the layout of their operands: a kernel sees runs of
 * adjacent elements.
 *
 * The axes of the output are merged as far as the strides of all operands allow, and its elements taken in tiles. An
 * operand whose elements of a tile are adjacent is handed over where it lies. One that repeats itself within a step,
 * such as a number or a value for each of 16 channels, is handed over as one step. Everything else - other patterns,
 * row pitches, other dtypes - is first written to a buffer that stays in L1, and the result is written from one. The
 * output may lie exactly over an input. */
#ifndef ICL_BACKEND_CPU_KERNELS_TILES_H
#define ICL_BACKEND_CPU_KERNELS_TILES_H

#include "backend/cpu/kernels/vector.h"

/* Elements that a kernel takes at a time: count is a multiple of it. */
enum { TILE_STEP = 4 * LANES };

typedef struct {
  const void *in[ICL_MAX_INPUTS];
  int64_t moves[ICL_MAX_INPUTS]; /* ~0; 0 if in[k] is one step for all: element i is at i & moves[k] */
  void *out;
  uint32_t halves; /* bit k: in[k] is bf16, else f32; bit TILE_OUT: the output */
  int inputs;
  int64_t count;
} tile;
enum { TILE_OUT = ICL_MAX_INPUTS };

typedef void (*tile_kernel)(const tile *t);

/* Runs `kernel` over the elements of call->part. Operands in `halves` may be handed over in bf16. */
void ISA_NAME(icl__tiles)(const icl__call *call, tile_kernel kernel, uint32_t halves);

/* Are the dtypes such that f32 arithmetic gives the result? f64 only as single numbers. */
bool ISA_NAME(icl__tiles_fit)(const icl__call *prototype);

#endif
