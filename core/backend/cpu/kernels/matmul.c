/* matmul.c - the matrix product out (m, n) = A B with A (m, k), B (k, n) as they enter it, transposed or not.
 *
 * A block of ROWS x COLUMNS registers of the result is summed over all of k: each row of B gives registers, each
 * element of A is spread over one. So A may lie in any order, but columns of B must be adjacent, in f32, and whole
 * registers: where they are not, a panel of B as wide as a block is copied first. An element of the result is summed in
 * f32 in the order of k, whichever part of the rows is computed. */
#include "backend/cpu/kernels/convert.h"
#include "backend/cpu/kernels/rows.h"
#include "ops/attributes.h"
#include "ops/ops.h"

enum { ROWS = LANES == 16 ? 8 : 4, COLUMNS = 2, WIDTH = COLUMNS * LANES };

/* f32; element (i, k) is data[i * row + k * column]. */
typedef struct {
  const float *data;
  int64_t row, column;
} matrix;

/* ---- results ---- */

typedef double wide __attribute__((vector_size(LANES * sizeof(double))));

/* The first `count` lanes; f64 where a sum over the batch is gathered. */
static void put(const icl__view *out, int64_t row, int64_t column, int64_t count, vec v, bool add) {
  if (out->dtype == ICL_F32) {
    float *to = (float *)row_at(out, row) + column;
    if (add)
      v += load_part(ICL_F32, to, 0, count);
    store_part(ICL_F32, to, 0, count, v);
    return;
  }
  double *to = (double *)row_at(out, row) + column;
  for (int64_t i = 0; i < count; i++)
    to[i] = (add ? to[i] : 0) + (double)v[i];
}

/* ---- blocks ---- */

/* Rows i to i + rows - 1 of a block; b: its part of B. */
INLINE void multiply(const matrix *a, const matrix *b, int64_t depth, const icl__call *call, int64_t i, int64_t j,
                     int rows, int columns) {
  vec sum[ROWS][COLUMNS] = {{{0}}};
  const float *x = a->data + i * a->row;
  UNROLL(4)
  for (int64_t k = 0; k < depth; k++) {
    vec y[COLUMNS];
    UNROLL(2)
    for (int c = 0; c < columns; c++)
      y[c] = load(ICL_F32, b->data, k * b->row + c * LANES);
    UNROLL(8)
    for (int r = 0; r < rows; r++) {
      vec factor = splat(x[r * a->row + k * a->column]);
      UNROLL(2)
      for (int c = 0; c < columns; c++)
        sum[r][c] += factor * y[c];
    }
  }
  int64_t left = call->out.shape[1] - j;
  UNROLL(8)
  for (int r = 0; r < rows; r++)
    UNROLL(2)
  for (int c = 0; c < columns; c++) {
    int64_t count = left - c * LANES < LANES ? left - c * LANES : LANES;
    put(&call->out, i + r, j + c * LANES, count, sum[r][c], call->accumulate);
  }
}

INLINE void multiply_rows(const matrix *a, const matrix *b, int64_t depth, const icl__call *call, share rows, int64_t j,
                          int columns) {
  int64_t i = rows.begin;
  for (; i + ROWS <= rows.end; i += ROWS)
    multiply(a, b, depth, call, i, j, ROWS, columns);
  for (; i + 2 <= rows.end; i += 2)
    multiply(a, b, depth, call, i, j, 2, columns);
  if (i < rows.end)
    multiply(a, b, depth, call, i, j, 1, columns);
}

/* ---- operands ---- */

static matrix matrix_of(const icl__view *v, bool transpose) {
  return (matrix){v->data, transpose ? 1 : v->pitch, transpose ? v->pitch : 1};
}

/* A dense copy in f32. */
static void widen_all(const icl__view *v, float *to) {
  int64_t columns = icl__view_columns(v);
  for (int64_t i = 0; i < icl__view_rows(v); i++)
    widen(v->dtype, row_at(v, i), to + i * columns, columns);
}

static const void *element_at(const icl__view *v, int64_t row, int64_t column) {
  return (const char *)row_at(v, row) + column * (int64_t)icl_dtype_bytes(v->dtype);
}

INLINE void copy_rows_of_panel(const icl__view *b, int64_t j, int64_t count, int64_t depth, float *to,
                               icl_dtype dtype) {
  int64_t first = count < LANES ? count : LANES, second = count - first;
  for (int64_t k = 0; k < depth; k++) {
    const void *row = element_at(b, k, j);
    store(ICL_F32, to, k * WIDTH, load_part(dtype, row, 0, first));
    store(ICL_F32, to, k * WIDTH + LANES, load_part(dtype, row, first, second));
  }
}

/* Columns j to j + count - 1 of B, and zeros up to WIDTH of them. */
static void copy_panel(const icl__view *b, int64_t j, int64_t count, int64_t depth, float *to) {
  if (b->dtype == ICL_BF16)
    copy_rows_of_panel(b, j, count, depth, to, ICL_BF16);
  else
    copy_rows_of_panel(b, j, count, depth, to, ICL_F32);
}

/* The same of a transposed B, a few rows of the panel at a time, so that they stay in L1. */
static void transpose_panel(const icl__view *b, int64_t j, int64_t count, int64_t depth, float *to) {
  enum { FEW = 64 };
  for (int64_t first = 0; first < depth; first += FEW) {
    int64_t length = depth - first < FEW ? depth - first : FEW;
    float *panel = to + first * WIDTH, row[FEW];
    for (int64_t c = 0; c < count; c++) {
      widen(b->dtype, element_at(b, j + c, first), row, length);
      for (int64_t k = 0; k < length; k++)
        panel[k * WIDTH + c] = row[k];
    }
    for (int64_t k = 0; k < length && count < WIDTH; k++)
      memset(panel + k * WIDTH + count, 0, (size_t)(WIDTH - count) * sizeof *panel);
  }
}

static int64_t depth_of(const icl__call *call) { return call->in[0].shape[!call->attr->i[MATMUL_TRANSPOSE_A]]; }

static void run_matmul(const icl__call *call) {
  const icl__view *a = &call->in[0], *b = &call->in[1];
  bool transpose_a = call->attr->i[MATMUL_TRANSPOSE_A], transpose_b = call->attr->i[MATMUL_TRANSPOSE_B];
  int64_t depth = depth_of(call), n = call->out.shape[1];
  share rows = part_of(call, call->out.shape[0]);
  float *panel = call->scratch;
  icl__view wide_a = *a;
  if (a->dtype == ICL_BF16) {
    wide_a.data = panel + depth * WIDTH;
    wide_a.pitch = icl__view_columns(a);
    widen_all(a, wide_a.data);
  }
  matrix left = matrix_of(&wide_a, transpose_a);
  for (int64_t j = 0; j < n; j += WIDTH) {
    matrix right = {(const float *)b->data + j, b->pitch, 1};
    if (transpose_b || b->dtype == ICL_BF16 || j + WIDTH > n) {
      (transpose_b ? transpose_panel : copy_panel)(b, j, n - j < WIDTH ? n - j : WIDTH, depth, panel);
      right = (matrix){panel, WIDTH, 1};
    }
    if (n - j > LANES)
      multiply_rows(&left, &right, depth, call, rows, j, 2);
    else
      multiply_rows(&left, &right, depth, call, rows, j, 1);
  }
}

bool ISA_NAME(icl__choose_matmul)(const icl__call *prototype, icl__choice *choice) {
  const icl__view *a = &prototype->in[0], *b = &prototype->in[1];
  icl_dtype to = prototype->out.dtype;
  if (prototype->op != ICL__OP_matmul || !is_lane_dtype(a->dtype) || !is_lane_dtype(b->dtype) ||
      (to != ICL_F32 && to != ICL_F64))
    return false;
  size_t floats = (size_t)(depth_of(prototype) * WIDTH + (a->dtype == ICL_BF16 ? icl__view_count(a) : 0));
  *choice = (icl__choice){.run = run_matmul, .workspace = floats * sizeof(float), .splits = true};
  return true;
}
