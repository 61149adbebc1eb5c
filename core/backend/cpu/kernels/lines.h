/* lines.h - images of batch norm as lines of whole registers, each lane of which belongs to one channel.
 *
 * Rows of few channels that are adjacent are taken together, so that lane l of a line always belongs to channel l
 * modulo the channels; rows with a pitch are lines by themselves. */
#ifndef ICL_BACKEND_CPU_KERNELS_LINES_H
#define ICL_BACKEND_CPU_KERNELS_LINES_H

#include "backend/cpu/kernels/rows.h"
#include "backend/cpu/kernels/vector.h"

enum { GROUP = 4 }; /* registers side by side */
enum { AHEAD = 4 }; /* lines that are fetched before they are read: by itself a processor follows no lines with gaps */

static inline int64_t whole_registers(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

/* The least number of rows that are whole units of lanes. */
static inline int64_t rows_of_units(int64_t channels, int64_t unit) {
  int64_t rows = 1;
  while (rows * channels % unit)
    rows *= 2;
  return rows;
}

/* Adjacent rows that make a line: short ones are whole groups of registers, longer ones at least whole registers. */
static inline int64_t rows_of_line(int64_t channels) {
  enum { SHORT = 256, MOST = 2048 };
  int64_t groups = rows_of_units(channels, GROUP * LANES), registers = rows_of_units(channels, LANES);
  if (groups * channels <= SHORT)
    return groups;
  return registers * channels <= MOST ? registers : 1;
}

/* Lanes that a line of any number of rows may have: the size of a row of coefficients or sums in scratch memory. */
static inline int64_t most_lanes(int64_t channels) { return whole_registers(rows_of_line(channels) * channels); }

/* Lines of a block, whose registers are taken one after the other for all lines, so that what is read stays near. Those
 * of images without channels have no elements. */
static inline int64_t lines_of_block(int64_t length) {
  enum { BLOCK = 4096 };
  return length > 0 && length < BLOCK ? BLOCK / length : 1;
}

/* A value for each channel, again for every row of a line, and zeros up to whole registers. */
static inline void spread(const void *from, int64_t channels, int64_t rows, float *to) {
  int64_t count = rows * channels;
  if (!count)
    return;
  for (int64_t i = 0; i < rows; i++)
    memcpy(to + i * channels, from, (size_t)channels * sizeof *to);
  memset(to + count, 0, (size_t)(whole_registers(count) - count) * sizeof *to);
}

/* The register at element i, or the first `part` lanes of it; 0: all. */
INLINE vec read(icl_dtype dtype, const void *data, int64_t i, int64_t part) {
  return part ? load_part(dtype, data, i, part) : load(dtype, data, i);
}

/* Fetches `columns` registers from element i on, which may lie behind the memory. */
INLINE void fetch(icl_dtype dtype, const void *data, int64_t i, int columns) {
  enum { LINE = 64 };
  int64_t bytes = dtype == ICL_BF16 ? 2 : 4;
  UNROLL(4)
  for (int64_t b = 0; b < columns * LANES * bytes; b += LINE)
    __builtin_prefetch((const char *)((uintptr_t)data + (uintptr_t)(i * bytes + b)));
}

#endif
