/* rows.h - where the rows of a view lie, and moving them whatever their dtype. */
#ifndef ICL_BACKEND_CPU_KERNELS_ROWS_H
#define ICL_BACKEND_CPU_KERNELS_ROWS_H

#include "backend/cpu/kernels/families.h"

#include <string.h>

static inline void *row_at(const icl__view *v, int64_t row) {
  return (char *)v->data + row * v->pitch * (int64_t)icl_dtype_bytes(v->dtype);
}

static inline bool is_dense(const icl__view *v) { return v->pitch == icl__view_columns(v) || icl__view_rows(v) <= 1; }

/* Element number `i` in row-major order; sets *left to how many are adjacent from there on. */
static inline void *elements_from(const icl__view *v, int64_t i, int64_t *left) {
  int64_t columns = is_dense(v) ? icl__view_count(v) : icl__view_columns(v);
  *left = columns - i % columns;
  return (char *)row_at(v, i / columns) + i % columns * (int64_t)icl_dtype_bytes(v->dtype);
}

/* Elements of v from one position of axis `dim` to the next. */
static inline int64_t stride_of(const icl__view *v, int dim) {
  int64_t stride = dim == v->rank - 1 ? 1 : v->pitch;
  for (int d = dim + 1; d < v->rank - 1; d++)
    stride *= v->shape[d];
  return stride;
}

/* The share of a call in `count` pieces of work. */
typedef struct {
  int64_t begin, end;
} share;

static inline share part_of(const icl__call *call, int64_t count) {
  return (share){count * call->part / call->parts, count * (call->part + 1) / call->parts};
}

static inline int64_t within(int64_t x, int64_t least, int64_t most) { return x < least ? least : x > most ? most : x; }

/* Rows of `bytes`; pitches in bytes too. Rows that lie there already stay: a concatenation may extend an input. */
static inline void copy_rows(void *to, int64_t to_pitch, const void *from, int64_t from_pitch, int64_t rows,
                             int64_t bytes) {
  if (to == from && to_pitch == from_pitch)
    return;
  if (rows > 1 && to_pitch == bytes && from_pitch == bytes) {
    bytes *= rows;
    rows = 1;
  }
  for (int64_t i = 0; bytes > 0 && i < rows; i++)
    memcpy((char *)to + i * to_pitch, (const char *)from + i * from_pitch, (size_t)bytes);
}

#endif
