/* yardstick.c - how fast this machine moves memory: loops that do nothing else, with the widest registers it has. */
#include "ops_test.h"

#include <stdlib.h>
#include <string.h>

#if defined __x86_64__
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#else
#define WIDEST
#endif

typedef float wide __attribute__((vector_size(64), aligned(4)));
enum { FLOATS = 16, UNROLLED = 4 * FLOATS };

WIDEST static void copy(float *a, const float *b, int64_t n) {
  for (int64_t i = 0; i < n; i += UNROLLED)
    for (int k = 0; k < UNROLLED; k += FLOATS)
      *(wide *)(a + i + k) = *(const wide *)(b + i + k);
}

WIDEST static void triad(float *a, const float *b, const float *c, int64_t n) {
  for (int64_t i = 0; i < n; i += UNROLLED)
    for (int k = 0; k < UNROLLED; k += FLOATS)
      *(wide *)(a + i + k) = *(const wide *)(b + i + k) + 0.5f * *(const wide *)(c + i + k);
}

WIDEST static float sum(const float *b, int64_t n) {
  wide s[4] = {{0}};
  for (int64_t i = 0; i < n; i += UNROLLED)
    for (int k = 0; k < 4; k++)
      s[k] += *(const wide *)(b + i + k * FLOATS);
  wide all = s[0] + s[1] + (s[2] + s[3]);
  float result = 0;
  for (int k = 0; k < FLOATS; k++)
    result += all[k];
  return result;
}

bool yardstick_new(yardstick *y, int inputs, bool output, double bytes) {
  int arrays = output ? 1 + (inputs > 1 ? 2 : 1) : 1;
  *y = (yardstick){.name = arrays == 3 ? "triad" : arrays == 2 ? "copy" : "read", .arrays = arrays};
  y->count = (int64_t)(bytes / sizeof(float) / arrays) / UNROLLED * UNROLLED + UNROLLED;
  y->bytes = (double)y->count * sizeof(float) * arrays;
  y->memory = aligned_alloc(64, (size_t)y->bytes);
  if (y->memory)
    memset(y->memory, 0, (size_t)y->bytes);
  return y->memory != NULL;
}

void yardstick_run(const yardstick *y) {
  static volatile float result;
  float *a = y->memory, *b = a + y->count;
  if (y->arrays == 1)
    result = sum(a, y->count);
  else if (y->arrays == 2)
    copy(a, b, y->count);
  else
    triad(a, b, b + y->count, y->count);
  (void)result;
}

void yardstick_free(yardstick *y) { free(y->memory); }
