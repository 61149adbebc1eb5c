/* norm_sums.c - the reductions of batch norm: for each channel the sums of two terms over all rows.
 *
 * Sums are kept by lane (lines.h), in f32 for a number of lines, then added in f64. Those of x and its square are taken
 * around a pivot from the data itself, so that f32 holds them whatever the mean is. */
#include "backend/bn_sums.h"
#include "backend/cpu/kernels/lines.h"
#include "backend/cpu/kernels/elementwise.h"
#include "ops/attributes.h"
#include "ops/ops.h"

#include <float.h>

/* Lines that f32 adds up: squares have one sign, but what is left of gradients may be much smaller than its terms.
 * Lines whose terms are added to each other first. */
enum { LINES_OF_SQUARES = 256, LINES_OF_GRADIENTS = 64, FEW = GROUP };

/* Which two terms: x - pivot and its square; g and g (x - mean); the same only where a (x - mean) + b > 0. */
typedef enum { DEVIATION, SCALE, MASKED_SCALE } terms;

/* Rows of coefficients that the terms need: pivot; mean; mean, a, b. */
enum { MOST_COEFFICIENTS = 3 };

typedef struct {
  const void *x, *g;
  int64_t x_pitch, g_pitch; /* elements from line to line */
  int64_t length;           /* elements of a line */
  const float *coefficient[MOST_COEFFICIENTS];
  float *sum[2]; /* by lane */
} operands;

/* ---- a few registers of every line ---- */

typedef struct {
  vec coefficient[MOST_COEFFICIENTS];
} registers;

INLINE int64_t rows_needed(terms kind) { return kind == MASKED_SCALE ? 3 : 1; }

/* The terms of the register at column j of line i. Lanes that a part leaves out are 0. */
INLINE void find_terms(const operands *p, terms kind, icl_dtype dtype, const registers *c, int64_t i, int64_t j,
                       int64_t part, vec *first, vec *second) {
  vec deviation = read(dtype, p->x, i * p->x_pitch + j, part) - c->coefficient[0], g = deviation;
  if (kind != DEVIATION)
    g = read(dtype, p->g, i * p->g_pitch + j, part);
  if (kind == MASKED_SCALE)
    g = where_positive(c->coefficient[1] * deviation + c->coefficient[2], g);
  *first = g;
  *second = g * deviation;
}

/* Adds the terms of FEW lines: of gradients to each other first, so that fewer are added to a sum that has grown. One
 * column has GROUP sums, which do not wait for each other. */
INLINE void add_terms(terms kind, const vec f[FEW], const vec s[FEW], int v, int columns, vec first[GROUP],
                      vec second[GROUP]) {
  if (kind != DEVIATION) {
    first[v] += (f[0] + f[1]) + (f[2] + f[3]);
    second[v] += (s[0] + s[1]) + (s[2] + s[3]);
    return;
  }
  UNROLL(4)
  for (int k = 0; k < FEW; k++) {
    first[columns == 1 ? k : v] += f[k];
    second[columns == 1 ? k : v] += s[k];
  }
}

/* Columns j to j + columns * LANES - 1, or the first `part` of them, of all lines; columns: 1 or GROUP. */
INLINE void add_columns(const operands *p, terms kind, icl_dtype dtype, int64_t lines, int64_t j, int columns,
                        int64_t part) {
  vec first[GROUP] = {{0}}, second[GROUP] = {{0}}, f[FEW], s[FEW];
  registers c[GROUP];
  UNROLL(4)
  for (int v = 0; v < columns; v++)
    for (int k = 0; k < rows_needed(kind); k++)
      c[v].coefficient[k] = read(ICL_F32, p->coefficient[k], j + v * LANES, part);
  int64_t i = 0;
  for (; i + FEW <= lines; i += FEW)
    UNROLL(4)
  for (int v = 0; v < columns; v++) {
    UNROLL(4)
    for (int k = 0; k < FEW; k++)
      find_terms(p, kind, dtype, &c[v], i + k, j + v * LANES, part, &f[k], &s[k]);
    add_terms(kind, f, s, v, columns, first, second);
  }
  for (; i < lines; i++)
    UNROLL(4)
  for (int v = 0; v < columns; v++) {
    find_terms(p, kind, dtype, &c[v], i, j + v * LANES, part, &f[0], &s[0]);
    first[v] += f[0];
    second[v] += s[0];
  }
  UNROLL(4)
  for (int v = columns; v < GROUP; v++) {
    first[0] += first[v];
    second[0] += second[v];
  }
  UNROLL(4)
  for (int v = 0; v < columns; v++) {
    int64_t at = j + v * LANES;
    store(ICL_F32, p->sum[0], at, load(ICL_F32, p->sum[0], at) + first[v]);
    store(ICL_F32, p->sum[1], at, load(ICL_F32, p->sum[1], at) + second[v]);
  }
}

INLINE void add_lines(const operands *p, terms kind, icl_dtype dtype, int64_t lines) {
  int64_t j = 0;
  for (; j + GROUP * LANES <= p->length; j += GROUP * LANES)
    add_columns(p, kind, dtype, lines, j, GROUP, 0);
  for (; j + LANES <= p->length; j += LANES)
    add_columns(p, kind, dtype, lines, j, 1, 0);
  if (j < p->length)
    add_columns(p, kind, dtype, lines, j, 1, p->length - j);
}

#define ADD_LINES(name, kind)                                                                                          \
  static void name(const operands *p, icl_dtype dtype, int64_t lines) {                                                \
    if (dtype == ICL_BF16)                                                                                             \
      add_lines(p, kind, ICL_BF16, lines);                                                                             \
    else                                                                                                               \
      add_lines(p, kind, ICL_F32, lines);                                                                              \
  }
ADD_LINES(add_deviations, DEVIATION)
ADD_LINES(add_scaled, SCALE)
ADD_LINES(add_masked, MASKED_SCALE)

/* ---- a reduction: block after block, with its sums in scratch memory ---- */

typedef struct {
  void (*add)(const operands *p, icl_dtype dtype, int64_t lines);
  operands operands;
  icl_dtype dtype;
  int64_t channels, rows; /* of a line */
  int64_t lines, most;    /* since the sums were added to the totals; until they are */
  float *coefficient[MOST_COEFFICIENTS];
  double *total[2]; /* by lane */
} reduction;

/* Totals, sums and coefficients by lane, then the table of a call's own bn_sums. */
static size_t workspace(int64_t channels) {
  return (size_t)(2 * most_lanes(channels) + BN_SUMS_ROWS * channels) * sizeof(double) +
         (size_t)((2 + MOST_COEFFICIENTS) * most_lanes(channels)) * sizeof(float);
}

static int64_t lanes_of(const reduction *r) { return whole_registers(r->rows * r->channels); }

static void flush(reduction *r) {
  for (int k = 0; k < 2; k++)
    for (int64_t i = 0; i < lanes_of(r); i++) {
      r->total[k][i] += (double)r->operands.sum[k][i];
      r->operands.sum[k][i] = 0;
    }
  r->lines = 0;
}

/* `adjacent`: the rows of all images are. */
static void begin(reduction *r, const icl__call *call, bool adjacent) {
  r->dtype = call->in[0].dtype;
  r->channels = icl__view_columns(&call->in[0]);
  r->rows = adjacent ? rows_of_line(r->channels) : 1;
  int64_t most = most_lanes(r->channels);
  double *totals = call->scratch;
  float *lanes = (float *)(totals + 2 * most);
  for (int k = 0; k < 2; k++, totals += most, lanes += most) {
    r->total[k] = totals;
    r->operands.sum[k] = lanes;
    memset(totals, 0, (size_t)lanes_of(r) * sizeof *totals);
    memset(lanes, 0, (size_t)lanes_of(r) * sizeof *lanes);
  }
  for (int k = 0; k < MOST_COEFFICIENTS; k++, lanes += most)
    r->operands.coefficient[k] = r->coefficient[k] = lanes;
}

/* The sums of each channel, added to those that are there with `accumulate`. */
static void end(reduction *r, double *const sums[2], bool accumulate) {
  flush(r);
  for (int k = 0; k < 2; k++) {
    if (!accumulate)
      memset(sums[k], 0, (size_t)r->channels * sizeof(double));
    for (int64_t i = 0; i < r->rows; i++)
      for (int64_t c = 0; c < r->channels; c++)
        sums[k][c] += r->total[k][i * r->channels + c];
  }
}

/* Pitches are from row to row. */
static void add_rows(reduction *r, const char *x, int64_t x_pitch, const char *g, int64_t g_pitch, int64_t rows) {
  int64_t bytes = (int64_t)icl_dtype_bytes(r->dtype), lines = rows / r->rows, rest = rows % r->rows;
  operands *p = &r->operands;
  p->x_pitch = x_pitch * r->rows;
  p->g_pitch = g_pitch * r->rows;
  p->length = r->rows * r->channels;
  int64_t block = lines_of_block(p->length);
  for (int64_t i = 0, n; i < lines; i += n) {
    n = within(lines - i, 1, within(r->most - r->lines, 1, block));
    p->x = x + i * p->x_pitch * bytes;
    p->g = g + i * p->g_pitch * bytes;
    r->add(p, r->dtype, n);
    r->lines += n;
    if (r->lines == r->most)
      flush(r);
  }
  if (rest == 0)
    return;
  p->x = x + lines * p->x_pitch * bytes;
  p->g = g + lines * p->g_pitch * bytes;
  p->length = rest * r->channels;
  r->add(p, r->dtype, 1);
}

/* ---- sums of x and of squares of deviations ---- */

INLINE void add_row(float *sum, const void *x, int64_t count, icl_dtype dtype) {
  int64_t j = 0;
  for (; j + LANES <= count; j += LANES)
    store(ICL_F32, sum, j, load(ICL_F32, sum, j) + load(dtype, x, j));
  if (j < count)
    store_part(ICL_F32, sum, j, count - j, load_part(ICL_F32, sum, j, count - j) + load_part(dtype, x, j, count - j));
}

/* Begins sums of x, which is the sum of `count` views: around the mean of a few of its rows. Their number is a power of
 * two, so that the mean of equal numbers is that number. */
static void begin_sums(reduction *r, const icl__call *sums, bool adjacent, int count, const icl__view *addend) {
  enum { SAMPLES = 8 };
  begin(r, sums, adjacent);
  int64_t rows = icl__view_rows(addend), samples = SAMPLES;
  while (samples > rows)
    samples /= 2;
  float *pivot = r->coefficient[1]; /* which these sums do not need */
  memset(pivot, 0, (size_t)r->channels * sizeof *pivot);
  for (int64_t i = 0; i < samples; i++)
    for (int k = 0; k < count; k++)
      FOR_FLOATS(r->dtype, add_row, pivot, row_at(&addend[k], rows * i / samples), r->channels);
  for (int64_t c = 0; c < r->channels; c++)
    pivot[c] *= 1 / (float)(samples ? samples : 1);
  spread(pivot, r->channels, r->rows, r->coefficient[0]);
}

/* The same of a channel whose squares f32 does not hold, or whose pivot is far from its mean. */
INLINE void add_exactly(const icl__view *x, const icl__bn_sums *own, int64_t c, icl_dtype dtype) {
  int64_t rows = icl__view_rows(x);
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < rows; i++)
    sum += (double)load_one(dtype, row_at(x, i), c);
  for (int64_t i = 0; i < rows; i++) {
    double deviation = (double)load_one(dtype, row_at(x, i), c) - sum / (double)rows;
    squares += deviation * deviation;
  }
  own->sum[c] = sum;
  own->squares[c] = squares;
}

/* Moves the totals from the pivot to the mean. Where the pivot is further from the mean than twice the standard
 * deviation, too much has cancelled: the channel is added up anew. */
static void leave_pivot(const reduction *r, const icl__bn_sums *own, const icl__view *x) {
  const float *pivot = r->coefficient[1];
  double n = (double)icl__view_rows(x), one = 1 / n, *bad = own->count;
  for (int64_t c = 0; c < r->channels; c++) {
    double sum = own->sum[c], around = own->squares[c], moved = sum * sum * one, squares = around - moved;
    bad[c] = !(moved <= 4 * squares && around <= DBL_MAX);
    own->sum[c] = n * (double)pivot[c] + sum;
    own->squares[c] = squares;
  }
  for (int64_t c = 0; c < r->channels; c++)
    if (bad[c] != 0)
      FOR_FLOATS(r->dtype, add_exactly, x, own, c);
}

static void end_sums(reduction *r, const icl__call *sums, const icl__view *x) {
  icl__view table = {.data = r->coefficient[MOST_COEFFICIENTS - 1] + most_lanes(r->channels), .pitch = r->channels};
  icl__bn_sums own = icl__bn_sums_at(&table), all = icl__bn_sums_at(&sums->out);
  int64_t rows = icl__view_rows(x);
  end(r, (double *const[]){own.sum, own.squares}, false);
  if (rows > 0)
    leave_pivot(r, &own, x);
  for (int64_t c = 0; c < r->channels; c++)
    own.count[c] = (double)rows;
  if (!sums->accumulate)
    for (int k = 0; k < BN_SUMS_ROWS; k++)
      memset(row_at(&sums->out, k), 0, (size_t)r->channels * sizeof(double));
  icl__bn_sums_add(&all, &own, 0, r->channels);
}

static void run_sums(const icl__call *call) {
  const icl__view *x = &call->in[0];
  reduction r = {.add = add_deviations, .most = LINES_OF_SQUARES};
  begin_sums(&r, call, is_dense(x), 1, x);
  add_rows(&r, x->data, x->pitch, x->data, x->pitch, icl__view_rows(x));
  end_sums(&r, call, x);
}

/* ---- sums of g and of g (x - mean) ---- */

static void run_scale_sums(const icl__call *call) {
  const icl__view *g = &call->in[0], *x = &call->in[1], *table = &call->in[2];
  const int coefficient[] = {BN_MEAN, BN_A, BN_B};
  bool mask = call->attr->i[BN_MASK];
  reduction r = {.add = mask ? add_masked : add_scaled, .most = LINES_OF_GRADIENTS};
  begin(&r, call, is_dense(x) && is_dense(g));
  for (int k = 0; k < (mask ? 3 : 1); k++)
    spread(row_at(table, coefficient[k]), r.channels, r.rows, r.coefficient[k]);
  add_rows(&r, x->data, x->pitch, g->data, g->pitch, icl__view_rows(x));
  end(&r, (double *const[]){row_at(&call->out, BN_SCALE_SUM), row_at(&call->out, BN_SCALE_PRODUCTS)}, call->accumulate);
}

bool ISA_NAME(icl__choose_norm_sums)(const icl__call *prototype, icl__choice *choice) {
  const icl__view *in = prototype->in;
  if (prototype->out.dtype != ICL_F64 || !is_lane_dtype(in[0].dtype))
    return false;
  *choice = (icl__choice){.workspace = workspace(icl__view_columns(&in[0]))};
  if (prototype->op == ICL__OP_bn_sums)
    choice->run = run_sums;
  else if (prototype->op == ICL__OP_bn_scale_sums && in[1].dtype == in[0].dtype && in[2].dtype == ICL_F32)
    choice->run = run_scale_sums;
  return choice->run != NULL;
}

/* ---- a sum of tensors and its own sums, piece by piece, so that they are read from L1 ---- */

bool ISA_NAME(icl__can_add_bn_sums)(const icl__call *add, const icl__call *sums) {
  const icl__view *x = &sums->in[0], *y = &add->out;
  bool fits =
      is_lane_dtype(y->dtype) && x->dtype == y->dtype && is_dense(x) && is_dense(y) && sums->out.dtype == ICL_F64;
  for (int k = 0; k < add->inputs; k++)
    fits = fits && add->in[k].dtype == y->dtype && is_dense(&add->in[k]);
  return fits;
}

void ISA_NAME(icl__add_bn_sums)(const icl__call *add, const icl__call *sums) {
  const icl__view *y = &add->out;
  int64_t bytes = (int64_t)icl_dtype_bytes(y->dtype), all = icl__view_rows(y);
  reduction r = {.add = add_deviations, .most = LINES_OF_SQUARES};
  begin_sums(&r, sums, true, add->inputs, add->in);
  int64_t length = r.rows * r.channels, lines = lines_of_block(length), whole = rows_of_units(length, STRETCH_STEP);
  lines = lines > whole ? lines - lines % whole : lines;
  int64_t rows = lines * r.rows;
  stretch t = {.inputs = add->inputs, .period = 1, .halves = y->dtype == ICL_BF16 ? ~0u : 0};
  for (int k = 0; k < t.inputs; k++)
    t.whole[k] = ~INT64_C(0);
  for (int64_t i = 0; i < all; i += rows) {
    int64_t n = all - i < rows ? all - i : rows, first = i * r.channels * bytes;
    for (int k = 0; k < t.inputs; k++)
      t.in[k] = (const char *)add->in[k].data + first;
    t.out = (char *)y->data + first;
    t.count = n * r.channels;
    ISA_NAME(icl__run_stretch)(&t, ISA_NAME(icl__sum_stretch));
    add_rows(&r, t.out, r.channels, t.out, r.channels, n);
  }
  end_sums(&r, sums, y);
}
