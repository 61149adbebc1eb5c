/* bn_sums.h - the statistics of batch norm that parts of a batch add up to.
 *
 * A table of bn_sums holds the squares of deviations from the mean of its own part, so that nothing cancels when the
 * variance is computed. Two tables are one by the formula of Chan, Golub and LeVeque (1983). */
#ifndef ICL_BACKEND_BN_SUMS_H
#define ICL_BACKEND_BN_SUMS_H

#include <string.h>

#include "backend/kernel.h"
#include "ops/batch_norm.h"

typedef struct {
  double *count, *sum, *squares; /* by channel */
} icl__bn_sums;

static inline icl__bn_sums icl__bn_sums_at(const icl__view *table) {
  double *rows = table->data;
  return (icl__bn_sums){rows + BN_SUMS_COUNT * table->pitch, rows + BN_SUMS_SUM * table->pitch,
                        rows + BN_SUMS_SQUARES * table->pitch};
}

/* Adds to channels first to end - 1 of `to` those of `more`; either part may be empty. */
static inline void icl__bn_sums_add(const icl__bn_sums *to, const icl__bn_sums *more, int64_t first, int64_t end) {
  for (int64_t i = first; i < end; i++) {
    double n = to->count[i], m = more->count[i];
    if (n > 0 && m > 0) {
      double step = more->sum[i] / m - to->sum[i] / n;
      to->squares[i] += step * step * (n / (n + m)) * m;
    }
    to->squares[i] += more->squares[i];
    to->sum[i] += more->sum[i];
    to->count[i] += m;
  }
}

/* `sum` becomes what the tables of all ranks are together, which lie `stride` elements apart, each as dense as `sum`.
 */
static inline void icl__bn_sums_join(const icl__view *sum, double *tables, size_t stride, int ranks) {
  const icl__bn_sums to = icl__bn_sums_at(sum);
  memset(sum->data, 0, (size_t)(BN_SUMS_ROWS * sum->pitch) * sizeof *tables);
  for (int r = 0; r < ranks; r++) {
    const icl__view table = {.data = tables + (size_t)r * stride, .pitch = sum->pitch};
    const icl__bn_sums more = icl__bn_sums_at(&table);
    icl__bn_sums_add(&to, &more, 0, sum->pitch);
  }
}

#endif
