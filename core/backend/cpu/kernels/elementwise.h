/* elementwise.h - elementwise ops with NumPy's broadcasting, wherever the elements of their operands lie: a kernel sees
 * stretches of adjacent ones.
 *
 * The axes of the output are merged as far as the strides of all operands allow, and its elements taken in stretches.
 * An operand whose elements of a stretch are adjacent is handed over where it lies. One that repeats itself, such as a
 * number or a value for each channel, is handed over as one period of it. Everything else - row pitches, other dtypes -
 * is first written to a buffer that stays in L1, and the result is written from one. The output may lie exactly over an
 * input. */
#ifndef ICL_BACKEND_CPU_KERNELS_ELEMENTWISE_H
#define ICL_BACKEND_CPU_KERNELS_ELEMENTWISE_H

#include "backend/cpu/kernels/vector.h"

/* Elements that a kernel takes at a time: count is a multiple of it. */
enum { STRETCH_STEP = 4 * LANES };

/* Element i of in[k] is at stretch_index(t, k, i, place), where place is i modulo the period of what is repeated;
 * behind that period, its first STRETCH_STEP elements follow once more. */
typedef struct {
  const void *in[ICL_MAX_INPUTS];
  int64_t whole[ICL_MAX_INPUTS]; /* ~0; 0 if in[k] is repeated */
  int64_t period;
  void *out;
  uint32_t halves; /* bit k: in[k] is bf16, else f32; bit STRETCH_OUT: the output */
  int inputs;
  int64_t count;
} stretch;
enum { STRETCH_OUT = ICL_MAX_INPUTS };

INLINE int64_t stretch_index(const stretch *t, int k, int64_t i, int64_t place) {
  return place + ((i - place) & t->whole[k]);
}

/* for (FOR_STRETCH(t, i, place)) runs over the steps of a stretch. */
#define FOR_STRETCH(t, i, place)                                                                                       \
  int64_t i = 0, place = 0, advance_ = STRETCH_STEP % (t).period;                                                      \
  i < (t).count;                                                                                                       \
  i += STRETCH_STEP, place += advance_, place -= place >= (t).period ? (t).period : 0

typedef void (*stretch_kernel)(const stretch *t);

/* Runs `kernel` over the elements of call->part. Operands in `halves` are handed over in bf16 where they are bf16.
 * call->scratch has ELEMENTWISE_WORKSPACE bytes. */
enum { STRETCH_SLOT = 2048 + STRETCH_STEP, ELEMENTWISE_WORKSPACE = (ICL_MAX_INPUTS + 1) * STRETCH_SLOT * 4 };
void ISA_NAME(icl__elementwise)(const icl__call *call, stretch_kernel kernel, uint32_t halves);

/* One stretch, whose count need not be whole steps. */
void ISA_NAME(icl__run_stretch)(const stretch *t, stretch_kernel kernel);

/* The kernel of add_n; its halves are all inputs and the output, or none, or a mixture. */
void ISA_NAME(icl__sum_stretch)(const stretch *t);

/* Are the dtypes such that f32 arithmetic gives the result? f64 only as single numbers. */
bool ISA_NAME(icl__elementwise_fits)(const icl__call *prototype);

#endif
