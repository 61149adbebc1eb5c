/* norm_sums.c - the reductions of batch norm: for each channel the sums of two terms over all rows.
 *
 * Sums are kept by lane in f32 for up to LINES lines (lines.h), then added to the f64 result. */
#include "backend/cpu/kernels/lines.h"
#include "backend/cpu/kernels/tiles.h"
#include "ops/attributes.h"
#include "ops/ops.h"

enum { LINES = 512 };

/* Which two terms: x - pivot and its square; g and g (x - mean); the same only where a x + b > 0. */
typedef enum { DEVIATION, SCALE, MASKED_SCALE } terms;

/* Rows of coefficients that the terms need: pivot; mean; mean, a, b. */
enum { MOST_COEFFICIENTS = 3 };
enum { A, B, MEAN };

typedef struct {
  const void *x, *g;
  int64_t x_pitch, g_pitch; /* elements from line to line */
  int64_t length;           /* elements of a line */
  const float *coefficient[MOST_COEFFICIENTS];
  float *sum[2]; /* by lane */
} panel;

/* ---- a few registers of every line ---- */

typedef struct {
  vec coefficient[MOST_COEFFICIENTS];
} registers;

INLINE int64_t rows_needed(terms kind) { return kind == MASKED_SCALE ? 3 : 1; }

/* Adds the terms of the register at column j of line i. Lanes that a part leaves out are 0 and add nothing. */
INLINE void add_terms(const panel *p, terms kind, icl_dtype dtype, const registers *c, int64_t i, int64_t j,
                      int64_t part, vec *first, vec *second) {
  vec x = read(dtype, p->x, i * p->x_pitch + j, part);
  if (kind == DEVIATION) {
    vec deviation = x - c->coefficient[0];
    *first += deviation;
    *second += deviation * deviation;
    return;
  }
  vec g = read(dtype, p->g, i * p->g_pitch + j, part);
  if (kind == MASKED_SCALE)
    g = where_positive(x * c->coefficient[1] + c->coefficient[2], g);
  *first += g;
  *second += g * (x - c->coefficient[0]);
}

/* Columns j to j + columns * LANES - 1, or the first `part` of them, of all lines. GROUP registers are summed side by
 * side, which are those of one line or of several. */
INLINE void add_columns(const panel *p, terms kind, icl_dtype dtype, int64_t lines, int64_t j, int columns,
                        int64_t part) {
  vec first[GROUP] = {{0}}, second[GROUP] = {{0}};
  registers c[GROUP];
  UNROLL(4)
  for (int v = 0; v < columns; v++)
    for (int k = 0; k < rows_needed(kind); k++)
      c[v].coefficient[k] = read(ICL_F32, p->coefficient[k], j + v * LANES, part);
  int64_t i = 0, step = GROUP / columns;
  for (; i + step <= lines; i += step)
    UNROLL(4)
  for (int k = 0; k < GROUP; k++) {
    int v = k % columns;
    add_terms(p, kind, dtype, &c[v], i + k / columns, j + v * LANES, part, &first[k], &second[k]);
  }
  for (; i < lines; i++)
    UNROLL(4)
  for (int v = 0; v < columns; v++)
    add_terms(p, kind, dtype, &c[v], i, j + v * LANES, part, &first[v], &second[v]);
  UNROLL(4)
  for (int k = columns; k < GROUP; k++) {
    first[k % columns] += first[k];
    second[k % columns] += second[k];
  }
  UNROLL(4)
  for (int v = 0; v < columns; v++) {
    int64_t at = j + v * LANES;
    store(ICL_F32, p->sum[0], at, load(ICL_F32, p->sum[0], at) + first[v]);
    store(ICL_F32, p->sum[1], at, load(ICL_F32, p->sum[1], at) + second[v]);
  }
}

INLINE void add_lines(const panel *p, terms kind, icl_dtype dtype, int64_t lines) {
  int64_t j = 0;
  for (; j + GROUP * LANES <= p->length; j += GROUP * LANES)
    add_columns(p, kind, dtype, lines, j, GROUP, 0);
  for (; j + LANES <= p->length; j += LANES)
    add_columns(p, kind, dtype, lines, j, 1, 0);
  if (j < p->length)
    add_columns(p, kind, dtype, lines, j, 1, p->length - j);
}

#define ADD_LINES(name, kind)                                                                                          \
  static void name(const panel *p, icl_dtype dtype, int64_t lines) {                                                   \
    if (dtype == ICL_BF16)                                                                                             \
      add_lines(p, kind, ICL_BF16, lines);                                                                             \
    else                                                                                                               \
      add_lines(p, kind, ICL_F32, lines);                                                                              \
  }
ADD_LINES(add_deviations, DEVIATION)
ADD_LINES(add_scaled, SCALE)
ADD_LINES(add_masked, MASKED_SCALE)

/* ---- a reduction: panel after panel, with its sums in scratch memory ---- */

typedef struct {
  void (*add)(const panel *p, icl_dtype dtype, int64_t lines);
  panel panel;
  icl_dtype dtype;
  int64_t channels, rows; /* of a line */
  int64_t lines;          /* since the sums were added to the result */
  double *result[2];
} reduction;

static size_t workspace(int64_t channels) {
  return (size_t)((2 + MOST_COEFFICIENTS) * most_lanes(channels)) * sizeof(float);
}

static void clear_sums(reduction *r) {
  size_t bytes = (size_t)whole_registers(r->rows * r->channels) * sizeof(float);
  memset(r->panel.sum[0], 0, bytes);
  memset(r->panel.sum[1], 0, bytes);
  r->lines = 0;
}

static void flush(reduction *r) {
  for (int k = 0; k < 2; k++)
    for (int64_t i = 0; i < r->rows; i++) {
      const float *sum = r->panel.sum[k] + i * r->channels;
      for (int64_t c = 0; c < r->channels; c++)
        r->result[k][c] += (double)sum[c];
    }
  clear_sums(r);
}

/* `adjacent`: the rows of all images are. `coefficient`: rows of the table that the terms need, or the pivot. */
static void begin(reduction *r, const icl__call *call, bool adjacent, int count, const void *const *coefficient) {
  const icl__view *x = &call->in[0], *out = &call->out;
  r->dtype = x->dtype;
  r->channels = icl__view_columns(x);
  r->rows = adjacent ? rows_of_line(r->channels) : 1;
  float *lanes = call->scratch;
  for (int k = 0; k < 2; k++, lanes += most_lanes(r->channels)) {
    r->panel.sum[k] = lanes;
    r->result[k] = row_at(out, k);
    if (!call->accumulate)
      memset(r->result[k], 0, (size_t)r->channels * sizeof(double));
  }
  for (int k = 0; k < count; k++, lanes += most_lanes(r->channels)) {
    r->panel.coefficient[k] = lanes;
    spread(coefficient[k], r->channels, r->rows, lanes);
  }
  clear_sums(r);
}

/* Pitches are from row to row. */
static void add_rows(reduction *r, const char *x, int64_t x_pitch, const char *g, int64_t g_pitch, int64_t rows) {
  int64_t bytes = (int64_t)icl_dtype_bytes(r->dtype), lines = rows / r->rows, rest = rows % r->rows;
  panel *p = &r->panel;
  p->x_pitch = x_pitch * r->rows;
  p->g_pitch = g_pitch * r->rows;
  p->length = r->rows * r->channels;
  int64_t block = lines_of_block(p->length);
  for (int64_t i = 0, n; i < lines; i += n) {
    n = within(lines - i, 1, within(LINES - r->lines, 1, block));
    p->x = x + i * p->x_pitch * bytes;
    p->g = g + i * p->g_pitch * bytes;
    r->add(p, r->dtype, n);
    r->lines += n;
    if (r->lines == LINES)
      flush(r);
  }
  if (rest == 0)
    return;
  p->x = x + lines * p->x_pitch * bytes;
  p->g = g + lines * p->g_pitch * bytes;
  p->length = rest * r->channels;
  r->add(p, r->dtype, 1);
}

/* ---- calls ---- */

static void run_sums(const icl__call *call) {
  const icl__view *x = &call->in[0], *pivot = &call->in[1];
  reduction r = {.add = add_deviations};
  begin(&r, call, is_dense(x), 1, (const void *const[]){pivot->data});
  add_rows(&r, x->data, x->pitch, x->data, x->pitch, icl__view_rows(x));
  flush(&r);
}

static void run_scale_sums(const icl__call *call) {
  const icl__view *g = &call->in[0], *x = &call->in[1], *table = &call->in[2];
  bool mask = call->attr->i[BN_MASK];
  reduction r = {.add = mask ? add_masked : add_scaled};
  const void *const rows[] = {row_at(table, MEAN), row_at(table, A), row_at(table, B)};
  begin(&r, call, is_dense(x) && is_dense(g), mask ? 3 : 1, rows);
  add_rows(&r, x->data, x->pitch, g->data, g->pitch, icl__view_rows(x));
  flush(&r);
}

bool ISA_NAME(icl__choose_norm_sums)(const icl__call *prototype, icl__choice *choice) {
  const icl__view *in = prototype->in;
  if (prototype->out.dtype != ICL_F64 || !is_lane_dtype(in[0].dtype))
    return false;
  *choice = (icl__choice){.workspace = workspace(icl__view_columns(&in[0]))};
  if (prototype->op == ICL__OP_bn_sums && in[1].dtype == ICL_F32)
    choice->run = run_sums;
  else if (prototype->op == ICL__OP_bn_scale_sums && in[1].dtype == in[0].dtype && in[2].dtype == ICL_F32)
    choice->run = run_scale_sums;
  return choice->run != NULL;
}

/* ---- a sum of tensors and its own sums, piece by piece, so that they are read from L1 ---- */

bool ISA_NAME(icl__can_add_bn_sums)(const icl__call *add, const icl__call *sums) {
  const icl__view *x = &sums->in[0], *y = &add->out;
  bool fits = is_lane_dtype(y->dtype) && x->dtype == y->dtype && is_dense(x) && is_dense(y) &&
              sums->in[1].dtype == ICL_F32 && sums->out.dtype == ICL_F64;
  for (int k = 0; k < add->inputs; k++)
    fits = fits && add->in[k].dtype == y->dtype && is_dense(&add->in[k]);
  return fits;
}

void ISA_NAME(icl__add_bn_sums)(const icl__call *add, const icl__call *sums) {
  enum { PIECE = 4096 };
  const icl__view *y = &add->out, *pivot = &sums->in[1];
  int64_t bytes = (int64_t)icl_dtype_bytes(y->dtype), all = icl__view_rows(y);
  reduction r = {.add = add_deviations};
  begin(&r, sums, true, 1, (const void *const[]){pivot->data});
  int64_t length = r.rows * r.channels, lines = PIECE / length, whole = rows_of_units(length, TILE_STEP);
  lines = lines > whole ? lines - lines % whole : lines ? lines : 1;
  int64_t rows = lines * r.rows;
  tile t = {.inputs = add->inputs, .period = 1, .halves = y->dtype == ICL_BF16 ? ~0u : 0};
  for (int k = 0; k < t.inputs; k++)
    t.whole[k] = ~INT64_C(0);
  for (int64_t i = 0; i < all; i += rows) {
    int64_t n = all - i < rows ? all - i : rows, first = i * r.channels * bytes;
    for (int k = 0; k < t.inputs; k++)
      t.in[k] = (const char *)add->in[k].data + first;
    t.out = (char *)y->data + first;
    t.count = n * r.channels;
    ISA_NAME(icl__run_tile)(&t, ISA_NAME(icl__sum_tile));
    add_rows(&r, t.out, r.channels, t.out, r.channels, n);
  }
  flush(&r);
}
