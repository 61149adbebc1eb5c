/* transpose.h - squares of LANES rows whose rows and columns change places, within registers.
 *
 * First within quads, four lanes that a processor shuffles as one part of a register: then row 4 b + m holds, as quad
 * q, column 4 q + m of the rows from 4 b on. Whole quads change places last. */
#ifndef ICL_BACKEND_CPU_KERNELS_TRANSPOSE_H
#define ICL_BACKEND_CPU_KERNELS_TRANSPOSE_H

#include "backend/cpu/kernels/vector.h"

#if defined __AVX512F__
#define EACH_LANE(f)                                                                                                   \
  f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15)
#elif defined __AVX2__
#define EACH_LANE(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)
#else
#define EACH_LANE(f) f(0), f(1), f(2), f(3)
#endif

/* Which element of (a, b) lane l becomes: lanes of a and b in turn, and pairs of them, from the first or second half of
 * each quad; every other quad of a, then of b, from the first or second one on. */
#define LOW_LANES(l)  ((l) / 4 * 4 + (l) % 4 / 2 + ((l) % 2 ? LANES : 0))
#define HIGH_LANES(l) (LOW_LANES(l) + 2)
#define LOW_PAIRS(l)  ((l) / 4 * 4 + (l) % 2 + ((l) % 4 / 2 ? LANES : 0))
#define HIGH_PAIRS(l) (LOW_PAIRS(l) + 2)
#define EVEN_QUADS(l) ((l) / 4 * 8 + (l) % 4)
#define ODD_QUADS(l)  (EVEN_QUADS(l) + 4)

#define SHUFFLED(a, b, f) __builtin_shufflevector(a, b, EACH_LANE(f))

/* a and b become two shuffles of both. */
#define SHUFFLE(a, b, f, g)                                                                                            \
  do {                                                                                                                 \
    vec first = SHUFFLED(a, b, f), second = SHUFFLED(a, b, g);                                                         \
    a = first;                                                                                                         \
    b = second;                                                                                                        \
  } while (0)

/* Lane k of r[i] and lane i of r[k] change places. */
INLINE void transpose(vec r[LANES]) {
  UNROLL(16)
  for (int i = 0; i < LANES; i += 2)
    SHUFFLE(r[i], r[i + 1], LOW_LANES, HIGH_LANES);
  UNROLL(16)
  for (int i = 0; i < LANES; i += 4) {
    SHUFFLE(r[i], r[i + 2], LOW_PAIRS, HIGH_PAIRS);
    SHUFFLE(r[i + 1], r[i + 3], LOW_PAIRS, HIGH_PAIRS);
    vec swap = r[i + 1]; /* columns 0, 2, 1, 3 */
    r[i + 1] = r[i + 2];
    r[i + 2] = swap;
  }
#if defined __AVX2__
  UNROLL(16)
  for (int i = 0; i < LANES; i++)
    if (i % 8 < 4)
      SHUFFLE(r[i], r[i + 4], EVEN_QUADS, ODD_QUADS);
#endif
#if defined __AVX512F__
  UNROLL(8)
  for (int i = 0; i < LANES / 2; i++)
    SHUFFLE(r[i], r[i + 8], EVEN_QUADS, ODD_QUADS);
#endif
}

#endif
