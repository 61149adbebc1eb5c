/* permute.c - axes in another order: copies of runs, or transposes square by square. Any dtype.
 *
 * Of a matrix that is transposed element (i, k) of the result, k along its rows, is element (i, k) of x. */
#include "backend/cpu/kernels/axes.h"
#include "backend/cpu/kernels/rows.h"
#include "backend/cpu/kernels/transpose.h"
#include "ops/attributes.h"
#include "ops/ops.h"

/* The axes of the result, without those of size 1; those that are adjacent in x too are one. Returns how many. */
static int axes_of(const icl__call *call, axis axes[ICL_MAX_RANK]) {
  int count = 0;
  for (int d = 0; d < call->out.rank; d++) {
    int64_t from = stride_of(&call->in[0], call->attr->i[PERMUTE_DIMS + 1 + d]);
    count = append_axis(axes, count, (axis){call->out.shape[d], from, stride_of(&call->out, d)});
  }
  while (count < 2) { /* one element is a matrix too */
    memmove(axes + 1, axes, (size_t)count++ * sizeof *axes);
    axes[0] = (axis){1, 0, 0};
  }
  return count;
}

/* Squares: x is read across its cache lines. */
#define TRANSPOSE(type)                                                                                                \
  static void transpose_##type(const void *x, void *y, axis rows, axis columns) {                                      \
    enum { SQUARE = 16 };                                                                                              \
    for (int64_t first = 0; first < rows.size; first += SQUARE)                                                        \
      for (int64_t left = 0; left < columns.size; left += SQUARE) {                                                    \
        int64_t end = first + SQUARE < rows.size ? first + SQUARE : rows.size;                                         \
        int64_t right = left + SQUARE < columns.size ? left + SQUARE : columns.size;                                   \
        for (int64_t i = first; i < end; i++)                                                                          \
          for (int64_t k = left; k < right; k++)                                                                       \
            ((type *)y)[i * rows.to + k * columns.to] = ((const type *)x)[i * rows.from + k * columns.from];           \
      }                                                                                                                \
  }
TRANSPOSE(uint8_t)
TRANSPOSE(uint16_t)
TRANSPOSE(uint32_t)
TRANSPOSE(uint64_t)

static void transpose_elements(const char *x, char *y, axis rows, axis columns, int64_t size) {
  if (size == 1)
    transpose_uint8_t(x, y, rows, columns);
  else if (size == 2)
    transpose_uint16_t(x, y, rows, columns);
  else if (size == 4)
    transpose_uint32_t(x, y, rows, columns);
  else
    transpose_uint64_t(x, y, rows, columns);
}

/* LANES elements of 1, 2 or 4 bytes, whatever they mean. */
INLINE vec load_elements(const char *x, int64_t size) {
  vec_half half;
  if (size == 4)
    return load(ICL_F32, x, 0);
  if (size == 1)
    return (vec)load_bytes((const uint8_t *)x, 0, LANES);
  memcpy(&half, x, sizeof half);
  return (vec) __builtin_convertvector(half, vec_bits);
}

INLINE void store_elements(char *y, int64_t size, vec v) {
  vec_half half = __builtin_convertvector((vec_bits)v, vec_half);
  if (size == 4)
    store(ICL_F32, y, 0, v);
  else if (size == 1)
    store_bytes((uint8_t *)y, 0, LANES, (vec_bits)v);
  else
    memcpy(y, &half, sizeof half);
}

/* Whole squares whose rows are adjacent in x, and whose columns are in the result. */
INLINE void transpose_squares(const char *x, char *y, axis rows, axis columns, int64_t size) {
  for (int64_t first = 0; first < rows.size; first += LANES)
    for (int64_t left = 0; left < columns.size; left += LANES) {
      vec r[LANES];
      for (int64_t k = 0; k < LANES; k++)
        r[k] = load_elements(x + (first + (left + k) * columns.from) * size, size);
      transpose(r);
      for (int64_t i = 0; i < LANES; i++)
        store_elements(y + ((first + i) * rows.to + left) * size, size, r[i]);
    }
}

static void transpose_matrix(const char *x, char *y, axis rows, axis columns, int64_t size) {
  bool lanes = size <= 4 && rows.from == 1 && columns.to == 1;
  axis top = rows, left = columns, bottom = rows, right = columns;
  top.size = lanes ? rows.size / LANES * LANES : 0;
  left.size = lanes ? columns.size / LANES * LANES : 0;
  bottom.size -= top.size;
  right.size -= left.size;
  if (size == 4)
    transpose_squares(x, y, top, left, 4);
  else if (size == 2)
    transpose_squares(x, y, top, left, 2);
  else if (size == 1)
    transpose_squares(x, y, top, left, 1);
  transpose_elements(x + left.size * columns.from * size, y + left.size * columns.to * size, top, right, size);
  transpose_elements(x + top.size * rows.from * size, y + top.size * rows.to * size, bottom, columns, size);
}

static void move_matrix(const char *x, char *y, axis rows, axis columns, int64_t size) {
  if (columns.from == 1 && columns.to == 1)
    copy_rows(y, rows.to * size, x, rows.from * size, rows.size, columns.size * size);
  else
    transpose_matrix(x, y, rows, columns, size);
}

static void permute(const icl__call *call) {
  axis axes[ICL_MAX_RANK];
  int outer = axes_of(call, axes) - 2;
  int64_t size = (int64_t)icl_dtype_bytes(call->out.dtype), matrices = 1;
  const char *x = call->in[0].data;
  char *y = call->out.data;
  share own = part_of(call, axes[0].size);
  axes[0].size = own.end - own.begin;
  x += own.begin * axes[0].from * size;
  y += own.begin * axes[0].to * size;
  /* The rows of the matrix are the axis that is closest in x. */
  for (int d = 0; d < outer; d++)
    if (axes[d].from < axes[outer].from) {
      axis a = axes[d];
      axes[d] = axes[outer];
      axes[outer] = a;
    }
  for (int d = 0; d < outer; d++)
    matrices *= axes[d].size;
  for (int64_t m = 0; m < matrices; m++) {
    int64_t from = 0, to = 0, rest = m;
    for (int d = outer - 1; d >= 0; d--) {
      from += rest % axes[d].size * axes[d].from;
      to += rest % axes[d].size * axes[d].to;
      rest /= axes[d].size;
    }
    move_matrix(x + from * size, y + to * size, axes[outer], axes[outer + 1], size);
  }
}

bool ISA_NAME(icl__choose_permute)(const icl__call *prototype, icl__choice *choice) {
  *choice = (icl__choice){.run = permute, .splits = true};
  return prototype->op == ICL__OP_permute;
}
