/* shape.c - ops that only move elements: reshape, pad, concat, narrow and their opposites. Any dtype; all of them
 * compute parts. */
#include "backend/cpu/kernels/rows.h"

#include "ops/attributes.h"
#include "ops/ops.h"

/* ---- reshape: two ways to cut one sequence of elements into rows ---- */

static void reshape(const icl__call *call) {
  share own = part_of(call, icl__view_count(&call->out));
  for (int64_t i = own.begin, n; i < own.end; i += n) {
    int64_t readable, writable;
    const void *from = elements_from(&call->in[0], i, &readable);
    void *to = elements_from(&call->out, i, &writable);
    n = readable < writable ? readable : writable;
    n = n < own.end - i ? n : own.end - i;
    memcpy(to, from, (size_t)n * icl_dtype_bytes(call->out.dtype));
  }
}

/* ---- concat, narrow and their opposites: a range of one axis ---- */

/* The range of axis `dim` of `whole` that begins at `first` and is as long as `part`: the part's rows come in blocks,
 * one for each position of the axes before dim. */
typedef struct {
  int64_t block, whole_block; /* rows */
  int64_t row, column;        /* of the range within a block of the whole */
} axis_range;

static axis_range range_of(const icl__view *whole, const icl__view *part, int dim, int64_t first) {
  if (dim == part->rank - 1)
    return (axis_range){icl__view_rows(part), icl__view_rows(part), 0, first};
  int64_t rows = 1;
  for (int d = dim + 1; d < part->rank - 1; d++)
    rows *= part->shape[d];
  return (axis_range){part->shape[dim] * rows, whole->shape[dim] * rows, first * rows, 0};
}

typedef enum { TAKE, PUT, CLEAR } direction; /* whole to part, part to whole, zeros to whole */

static void move_range(const icl__call *call, const icl__view *whole, const icl__view *part, int dim, int64_t first,
                       direction way) {
  axis_range r = range_of(whole, part, dim, first);
  share own = part_of(call, icl__view_rows(part));
  int64_t size = (int64_t)icl_dtype_bytes(whole->dtype), bytes = icl__view_columns(part) * size;
  int64_t whole_pitch = whole->pitch * size, part_pitch = part->pitch * size;
  for (int64_t i = own.begin, n; i < own.end; i += n) {
    int64_t in_block = i % r.block;
    n = r.block - in_block < own.end - i ? r.block - in_block : own.end - i;
    char *w = (char *)row_at(whole, i / r.block * r.whole_block + r.row + in_block) + r.column * size;
    if (way == TAKE)
      copy_rows(row_at(part, i), part_pitch, w, whole_pitch, n, bytes);
    else if (way == PUT)
      copy_rows(w, whole_pitch, row_at(part, i), part_pitch, n, bytes);
    else
      for (int64_t k = 0; k < n; k++)
        memset(w + k * whole_pitch, 0, (size_t)bytes);
  }
}

static void concat(const icl__call *call) {
  int dim = call->attr->i[CONCAT_DIM];
  int64_t first = 0;
  for (int k = 0; k < call->inputs; first += call->in[k++].shape[dim])
    move_range(call, &call->out, &call->in[k], dim, first, PUT);
}

static void concat_part(const icl__call *call) {
  move_range(call, &call->in[0], &call->out, call->attr->i[PART_DIM], call->attr->i[PART_FIRST], TAKE);
}

static void narrow(const icl__call *call) {
  const icl__view *x = &call->in[0];
  int dim = call->attr->i[NARROW_DIM];
  int64_t first = within(*(const int64_t *)call->in[1].data, 0, x->shape[dim] - call->out.shape[dim]);
  move_range(call, x, &call->out, dim, first, TAKE);
}

static void narrow_grad(const icl__call *call) {
  const icl__view *g = &call->in[0];
  int dim = call->attr->i[NARROW_DIM];
  int32_t rest = call->out.shape[dim] - g->shape[dim];
  int32_t first = (int32_t)within(*(const int64_t *)call->in[1].data, 0, rest);
  icl__view before = *g, behind = *g;
  before.shape[dim] = first;
  behind.shape[dim] = rest - first;
  move_range(call, &call->out, &before, dim, 0, CLEAR);
  move_range(call, &call->out, g, dim, first, PUT);
  move_range(call, &call->out, &behind, dim, first + g->shape[dim], CLEAR);
}

/* ---- pad ---- */

/* `count` times the element of `size` bytes at `value`. */
static void repeat(char *to, const char *value, int64_t size, int64_t count) {
  switch (size) {
#define REPEAT(bytes)                                                                                                  \
  case bytes:                                                                                                          \
    for (int64_t i = 0; i < count; i++)                                                                                \
      memcpy(to + i * bytes, value, bytes);                                                                            \
    break;
    REPEAT(1)
    REPEAT(2)
    REPEAT(4)
    REPEAT(8)
#undef REPEAT
  default:
    break;
  }
}

/* x within the result, axis by axis; the last axis is in elements that are adjacent in both. */
typedef struct {
  int rank;
  int64_t low[ICL_MAX_RANK], size[ICL_MAX_RANK], out_size[ICL_MAX_RANK];
} frame;

static frame frame_of(const icl__call *call) {
  const icl__view *x = &call->in[0], *out = &call->out;
  frame f = {.rank = 1, .size = {1}, .out_size = {1}}; /* a scalar */
  if (x->rank > 0)
    f.rank = x->rank;
  for (int d = 0; d < x->rank; d++) {
    f.low[d] = call->attr->i[PAD_LOW + 1 + d];
    f.size[d] = x->shape[d];
    f.out_size[d] = out->shape[d];
  }
  for (; f.rank > 1 && is_dense(x) && is_dense(out) && f.size[f.rank - 1] == f.out_size[f.rank - 1]; f.rank--) {
    int64_t columns = f.size[f.rank - 1];
    f.low[f.rank - 2] *= columns;
    f.size[f.rank - 2] *= columns;
    f.out_size[f.rank - 2] *= columns;
  }
  return f;
}

/* The row of x that row `i` of the result shows; -1: none. */
static int64_t row_within(const frame *f, int64_t i) {
  int64_t row = 0, step = 1;
  for (int d = f->rank - 2; d >= 0; d--) {
    int64_t at = i % f->out_size[d] - f->low[d];
    if (at < 0 || at >= f->size[d])
      return -1;
    row += at * step;
    step *= f->size[d];
    i /= f->out_size[d];
  }
  return row;
}

static void pad(const icl__call *call) {
  const icl__view *x = &call->in[0], *out = &call->out;
  frame f = frame_of(call);
  int last = f.rank - 1;
  int64_t size = (int64_t)icl_dtype_bytes(out->dtype), columns = f.size[last], all = f.out_size[last];
  int64_t from_pitch = is_dense(x) ? columns : x->pitch, to_pitch = is_dense(out) ? all : out->pitch, rows = 1;
  for (int d = 0; d < last; d++)
    rows *= f.out_size[d];
  char value[8];
  icl__store_f64(out->dtype, value, 0, call->attr->f[PAD_F_VALUE]);
  share own = part_of(call, rows);
  for (int64_t i = own.begin; i < own.end; i++) {
    char *to = (char *)out->data + i * to_pitch * size;
    int64_t row = row_within(&f, i), low = row < 0 ? all : f.low[last];
    repeat(to, value, size, low);
    if (row < 0)
      continue;
    copy_rows(to + low * size, 0, (const char *)x->data + row * from_pitch * size, 0, 1, columns * size);
    repeat(to + (low + columns) * size, value, size, all - low - columns);
  }
}

bool ISA_NAME(icl__choose_shape)(const icl__call *prototype, icl__choice *choice) {
  static const struct {
    int op;
    icl__kernel run;
  } kernels[] = {
      {ICL__OP_reshape, reshape}, {ICL__OP_concat, concat},           {ICL__OP_concat_part, concat_part},
      {ICL__OP_narrow, narrow},   {ICL__OP_narrow_grad, narrow_grad}, {ICL__OP_pad, pad},
  };
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
    if (kernels[i].op == prototype->op) {
      *choice = (icl__choice){.run = kernels[i].run, .splits = true};
      return true;
    }
  return false;
}
