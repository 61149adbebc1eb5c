/* winograd_products.h - the matrix products of winograd.c, at one position of many tiles. */
#ifndef ICL_BACKEND_CPU_KERNELS_WINOGRAD_PRODUCTS_H
#define ICL_BACKEND_CPU_KERNELS_WINOGRAD_PRODUCTS_H

#include "backend/cpu/kernels/winograd_problem.h"

/* Rows of a product that are held in registers, by the vectors of a row. Of tiles, MORE_OF_TWO where they divide what
 * is left: 16 registers hold six, which are up to a fifth faster than four while others use the core. */
#if defined __AVX512F__
enum { ROWS_OF_TWO = 8, MORE_OF_TWO = 8, ROWS_OF_ONE = 16 };
#elif defined __AVX2__
enum { ROWS_OF_TWO = 4, MORE_OF_TWO = 6, ROWS_OF_ONE = 8 };
#else
enum { ROWS_OF_TWO = 4, MORE_OF_TWO = 4, ROWS_OF_ONE = 8 };
#endif

enum { MOST_ROWS = 16, MOST_VECTORS = 2 };

/* sum[r][q] += v[r step] w[q]; vectors of w lie `apart` floats from each other. */
INLINE void add_products(vec sum[MOST_ROWS][MOST_VECTORS], const float *v, int64_t step, const float *w, size_t apart,
                         int rows, int vectors) {
  vec row[MOST_VECTORS];
  UNROLL(2)
  for (int q = 0; q < vectors; q++)
    row[q] = load(ICL_F32, w + (size_t)q * apart, 0);
  UNROLL(16)
  for (int r = 0; r < rows; r++) {
    vec x = splat(v[r * step]);
    UNROLL(2)
    for (int q = 0; q < vectors; q++)
      sum[r][q] += x * row[q];
  }
}

/* m[rows tiles][vectors] = v u */
INLINE void product_rows(const problem *s, const float *v, const float *u, float *m, int32_t channel, int32_t block,
                         int rows, int vectors) {
  vec sum[MOST_ROWS][MOST_VECTORS] = {{{0}}};
  for (int32_t b = 0; b < s->in / SLICE; b++, v += (size_t)block * SLICE)
    UNROLL(4)
  for (int k = 0; k < SLICE; k++, u += vectors * LANES)
    add_products(sum, v + k, SLICE, u, LANES, rows, vectors);
  UNROLL(16)
  for (int r = 0; r < rows; r++)
    UNROLL(2)
  for (int q = 0; q < vectors; q++)
    store(ICL_F32, m + slice_of(channel + q * LANES, block), r * SLICE, sum[r][q]);
}

NOINLINE void product_of_two(const problem *s, const float *v, const float *u, float *m, int32_t channel,
                             int32_t block) {
  product_rows(s, v, u, m, channel, block, ROWS_OF_TWO, 2);
}

NOINLINE void product_of_two_more(const problem *s, const float *v, const float *u, float *m, int32_t channel,
                                  int32_t block) {
  product_rows(s, v, u, m, channel, block, MORE_OF_TWO, 2);
}

NOINLINE void product_of_one(const problem *s, const float *v, const float *u, float *m, int32_t channel,
                             int32_t block) {
  product_rows(s, v, u, m, channel, block, ROWS_OF_ONE, 1);
}

/* One position: m (tiles, out) = v (tiles, in) u (in, out), of the panels from `first` on. Tiles are rounded up to
 * whole slices. */
static void product(const problem *s, const float *v, const float *u, float *m, int32_t tiles, int32_t block, int first,
                    int end) {
  for (int panel = first; panel < end; panel++) {
    const float *w = u + panel_start(s, panel);
    bool one = vectors_of(s->out, panel) == 1;
    for (int32_t t = 0, rows; t < tiles; t += rows) {
      bool more = (tiles - t + 1) / 2 * 2 % MORE_OF_TWO == 0;
      rows = one ? ROWS_OF_ONE : more ? MORE_OF_TWO : ROWS_OF_TWO;
      (one    ? product_of_one
       : more ? product_of_two_more
              : product_of_two)(s, v + t * SLICE, w, m + t * SLICE, panel * PANEL, block);
    }
  }
}

/* u[rows input channels][vectors] = v^T m, or added to it */
INLINE void correlate_rows(const float *v, const float *m, float *u, int32_t tiles, int32_t channel, int32_t block,
                           bool accumulate, int rows, int vectors) {
  size_t first = slice_of(channel, block), apart = slice_of(channel + LANES, block) - first;
  vec sum[MOST_ROWS][MOST_VECTORS] = {{{0}}};
  if (accumulate)
    UNROLL(16)
  for (int r = 0; r < rows; r++)
    UNROLL(2)
  for (int q = 0; q < vectors; q++)
    sum[r][q] = load(ICL_F32, u, (r * vectors + q) * LANES);
  UNROLL(4)
  for (int32_t t = 0; t < tiles; t++)
    add_products(sum, v + t * SLICE, 1, m + first + t * SLICE, apart, rows, vectors);
  UNROLL(16)
  for (int r = 0; r < rows; r++)
    UNROLL(2)
  for (int q = 0; q < vectors; q++)
    store(ICL_F32, u, (r * vectors + q) * LANES, sum[r][q]);
}

NOINLINE void correlate_of_two(const float *v, const float *m, float *u, int32_t tiles, int32_t channel, int32_t block,
                               bool accumulate) {
  correlate_rows(v, m, u, tiles, channel, block, accumulate, ROWS_OF_TWO, 2);
}

NOINLINE void correlate_of_one(const float *v, const float *m, float *u, int32_t tiles, int32_t channel, int32_t block,
                               bool accumulate) {
  correlate_rows(v, m, u, tiles, channel, block, accumulate, ROWS_OF_ONE, 1);
}

/* One position: u (in, out) = v^T (in, tiles) m (tiles, out), or added to it. */
static void correlate(const problem *s, const float *v, const float *m, float *u, int32_t tiles, int32_t block,
                      bool accumulate) {
  for (int panel = 0; panel < panels_of(s->out); panel++) {
    int vectors = vectors_of(s->out, panel), rows = vectors == 2 ? ROWS_OF_TWO : ROWS_OF_ONE;
    float *w = u + panel_start(s, panel);
    for (int32_t c = 0; c < s->in; c += rows)
      (vectors == 2 ? correlate_of_two : correlate_of_one)(v + slice_of(c, block), m, w + c * vectors * LANES, tiles,
                                                           panel * PANEL, block, accumulate);
  }
}

#endif
