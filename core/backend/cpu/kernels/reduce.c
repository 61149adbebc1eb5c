/* reduce.c - sums, maxima and means over axes, of f32 and bf16; sums of integers.
 *
 * x is a nest of axes, each kept or reduced. A group is what one position of the kept axes asks for: a row of adjacent
 * results, each over all positions of the reduced axes. Results are f32 over a few rows at a time, and f64 across. */
#include "backend/cpu/kernels/axes.h"
#include "backend/cpu/kernels/rows.h"
#include "backend/cpu/kernels/transpose.h"
#include "backend/cpu/kernels/vector.h"

#include <math.h>

#include "ops/attributes.h"
#include "ops/ops.h"

/* ---- the nest ---- */

typedef struct {
  int kept, reduced;
  axis keep[ICL_MAX_RANK], over[ICL_MAX_RANK];
  axis column; /* a kept axis whose elements are adjacent in x and in the result */
} nest;

static bool is_listed(const icl_attributes *attr, int axis_of_x) {
  for (int i = 0; i < attr->i[REDUCE_DIMS]; i++)
    if (attr->i[REDUCE_DIMS + 1 + i] == axis_of_x)
      return true;
  return false;
}

/* The axis of the result that axis d of x becomes; -1: reduced. `kept`: how many axes before d are kept. */
static int place_of(const icl__call *call, int d, int kept) {
  const icl__view *x = &call->in[0], *out = &call->out;
  switch (call->op) {
  case ICL__OP_sum_to:
    d -= x->rank - out->rank;
    return d < 0 || (out->shape[d] == 1 && x->shape[d + x->rank - out->rank] != 1) ? -1 : d;
  case ICL__OP_argmax:
    return call->attr->i[ARGMAX_DIM] == d ? -1 : kept;
  case ICL__OP_global_avg_pool:
    return d == 0 ? 0 : d == 3 ? 1 : -1;
  default:
    return is_listed(call->attr, d) ? -1 : call->attr->i[REDUCE_KEEPDIM] ? d : kept;
  }
}

/* A reduced axis has no step in the result; neighbours of one kind that are adjacent are one. */
static int axes_of(const icl__call *call, axis axes[ICL_MAX_RANK]) {
  const icl__view *x = &call->in[0];
  int count = 0, kept = 0;
  for (int d = 0; d < x->rank; d++) {
    int place = place_of(call, d, kept);
    int64_t to = place < 0 ? 0 : stride_of(&call->out, place);
    kept += place >= 0;
    count = append_axis(axes, count, (axis){x->shape[d], stride_of(x, d), to});
  }
  return count;
}

static nest nest_of(const icl__call *call) {
  axis axes[ICL_MAX_RANK];
  int count = axes_of(call, axes);
  nest n = {.column = {1, 0, 0}};
  if (count > 0 && axes[count - 1].from == 1 && axes[count - 1].to == 1)
    n.column = axes[--count];
  for (int i = 0; i < count; i++)
    if (axes[i].to)
      n.keep[n.kept++] = axes[i];
    else
      n.over[n.reduced++] = axes[i];
  if (n.reduced == 0)
    n.over[n.reduced++] = (axis){1, 0, 0};
  return n;
}

/* Steps `at` to the next position of some axes; false after the last. */
static bool next(const axis *axes, int count, int64_t *at) {
  for (int d = count - 1; d >= 0; d--) {
    if (++at[d] < axes[d].size)
      return true;
    at[d] = 0;
  }
  return false;
}

static int64_t offset_in_x(const axis *axes, int count, const int64_t *at) {
  int64_t offset = 0;
  for (int d = 0; d < count; d++)
    offset += at[d] * axes[d].from;
  return offset;
}

/* Computes the row of results from element `to` of the result on, which begins at element `from` of x. */
typedef void (*group_fn)(const icl__call *call, const nest *n, int64_t from, int64_t to);

static void each_group_of(nest n, const icl__call *call, group_fn group) {
  axis *split = n.kept > 0 ? &n.keep[0] : &n.column;
  share own = part_of(call, split->size);
  split->size = own.end - own.begin;
  int64_t at[ICL_MAX_RANK] = {0}, first_from = own.begin * split->from, first_to = own.begin * split->to;
  for (int d = 0; d < n.kept; d++)
    if (n.keep[d].size == 0)
      return;
  do {
    int64_t to = first_to;
    for (int d = 0; d < n.kept; d++)
      to += at[d] * n.keep[d].to;
    group(call, &n, first_from + offset_in_x(n.keep, n.kept, at), to);
  } while (next(n.keep, n.kept, at));
}

static void each_group(const icl__call *call, group_fn group) { each_group_of(nest_of(call), call, group); }

/* ---- rows of f32 or bf16 into one row ---- */

typedef enum { SUM, MAX } operation;
enum { BLOCK = 256, WIDE = 4 * LANES, FLUSH = 64 }; /* results at a time; columns at a time; rows that f32 adds up */

INLINE vec combine(operation op, vec sum, vec x) { return op == SUM ? sum + x : larger(x, sum); }
INLINE double combine_f64(operation op, double sum, double x) {
  return op == SUM ? sum + x : x > sum || x != x ? x : sum;
}

INLINE void set_identity(operation op, double *results, int64_t count) {
  for (int64_t k = 0; k < count; k++)
    results[k] = op == SUM ? 0 : -HUGE_VAL;
}

INLINE void take(operation op, double *results, vec v, int64_t lanes) {
  for (int64_t k = 0; k < lanes; k++)
    results[k] = combine_f64(op, results[k], (double)v[k]);
}

/* `count` registers of `lanes` columns each. */
INLINE void combine_columns(operation op, double *results, const void *x, int64_t at, int64_t rows, int64_t pitch,
                            int count, int64_t lanes, icl_dtype dtype) {
  for (int64_t first = 0; first < rows; first += FLUSH) {
    vec sum[4];
    int64_t end = first + FLUSH < rows ? first + FLUSH : rows;
    for (int v = 0; v < count; v++)
      sum[v] = load_part(dtype, x, at + first * pitch + v * LANES, lanes);
    for (int64_t i = first + 1; i < end; i++)
      for (int v = 0; v < count; v++)
        sum[v] = combine(op, sum[v], load_part(dtype, x, at + i * pitch + v * LANES, lanes));
    for (int v = 0; v < count; v++)
      take(op, results + v * LANES, sum[v], lanes);
  }
}

/* results[k] of op over column k of `rows` rows, combined with what is there. */
INLINE void combine_rows(operation op, double *results, const void *x, int64_t at, int64_t rows, int64_t pitch,
                         int64_t columns, icl_dtype dtype) {
  int64_t k = 0;
  for (; k + WIDE <= columns; k += WIDE)
    combine_columns(op, results + k, x, at + k, rows, pitch, 4, LANES, dtype);
  for (; k + LANES <= columns; k += LANES)
    combine_columns(op, results + k, x, at + k, rows, pitch, 1, LANES, dtype);
  if (k < columns)
    combine_columns(op, results + k, x, at + k, rows, pitch, 1, columns - k, dtype);
}

/* The same for short rows without a gap: as many of them as fill a block are one row, whose columns are then combined
 * by halves. A row of one element makes this the way along a contiguous axis. */
INLINE void combine_short_rows(operation op, double *results, const void *x, int64_t at, int64_t rows, int64_t columns,
                               icl_dtype dtype) {
  int64_t times = BLOCK / columns < rows ? BLOCK / columns : rows, full = rows * columns <= WIDE ? 0 : rows / times;
  if (full > 0) {
    double wide[BLOCK];
    set_identity(op, wide, times * columns);
    combine_rows(op, wide, x, at, full, times * columns, times * columns, dtype);
    combine_rows(op, wide, x, at + full * times * columns, 1, 0, (rows - full * times) * columns, dtype);
    for (int64_t left = times, half; left > 1; left -= half) {
      half = left / 2;
      for (int64_t k = 0; k < half * columns; k++)
        wide[k] = combine_f64(op, wide[k], wide[(left - half) * columns + k]);
    }
    for (int64_t k = 0; k < columns; k++)
      results[k] = combine_f64(op, results[k], wide[k]);
    return;
  }
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < columns; k++)
      results[k] = combine_f64(op, results[k], (double)load_one(dtype, x, at + i * columns + k));
}

/* `columns` results of a group, BLOCK at the most, from element `from` of x on. */
INLINE void combine_group(operation op, double *results, const icl__call *call, const nest *n, int64_t from,
                          int64_t columns, icl_dtype dtype) {
  int64_t at[ICL_MAX_RANK] = {0};
  int outer = n->reduced - 1;
  axis rows = n->over[outer];
  set_identity(op, results, columns);
  for (int d = 0; d < outer; d++)
    if (n->over[d].size == 0)
      return;
  do {
    int64_t x = from + offset_in_x(n->over, outer, at);
    if (columns < WIDE && rows.from == columns)
      combine_short_rows(op, results, call->in[0].data, x, rows.size, columns, dtype);
    else
      combine_rows(op, results, call->in[0].data, x, rows.size, rows.from, columns, dtype);
  } while (next(n->over, outer, at));
}

/* ---- results to memory ---- */

static void put_results(const icl__call *call, int64_t to, double *results, int64_t count, double factor) {
  const icl__view *out = &call->out;
  if (out->dtype == ICL_F32) {
    float *y = (float *)out->data + to;
    for (int64_t k = 0; k < count; k++)
      y[k] = (float)(results[k] * factor + (call->accumulate ? (double)y[k] : 0));
  } else if (out->dtype == ICL_F64) {
    double *y = (double *)out->data + to;
    for (int64_t k = 0; k < count; k++)
      y[k] = results[k] * factor + (call->accumulate ? y[k] : 0);
  } else { /* a maximum */
    uint16_t *y = (uint16_t *)out->data + to;
    for (int64_t k = 0; k < count; k++)
      y[k] = icl__to_bf16((float)results[k]);
  }
}

INLINE void reduce_group(operation op, const icl__call *call, const nest *n, int64_t from, int64_t to, double factor,
                         icl_dtype dtype) {
  for (int64_t k = 0; k < n->column.size; k += BLOCK) {
    double results[BLOCK];
    int64_t count = n->column.size - k < BLOCK ? n->column.size - k : BLOCK;
    combine_group(op, results, call, n, from + k, count, dtype);
    put_results(call, to + k, results, count, factor);
  }
}

/* ---- short rows of x, each into one result ---- */

/* Is all that is reduced along rows that f32 adds up? The first axis, which may be cut into ranges, is kept; with size
 * 1 it is not among the axes, and one row is summed as each of many. */
static bool has_short_rows(const icl__call *call, const nest *n) {
  bool one_axis = n->kept == 0 || (n->kept == 1 && n->keep[0].to == 1);
  return call->in[0].rank > 1 && place_of(call, 0, 0) >= 0 && one_axis && n->column.size == 1 && n->reduced == 1 &&
         n->over[0].from == 1 && n->over[0].size > 0 && n->over[0].size <= FLUSH;
}

/* LANES of them at a time, turned so that each has a lane. */
INLINE void reduce_short_rows(operation op, const icl__call *call, const nest *n, icl_dtype dtype) {
  axis rows = n->kept ? n->keep[0] : n->column;
  share own = part_of(call, rows.size);
  for (int64_t first = own.begin; first < own.end; first += LANES) {
    int64_t count = own.end - first < LANES ? own.end - first : LANES, columns;
    double results[LANES];
    vec so_far = {0};
    for (int64_t k = 0; k < n->over[0].size; k += columns) {
      vec r[LANES] = {{0}};
      columns = n->over[0].size - k < LANES ? n->over[0].size - k : LANES;
      for (int64_t i = 0; i < count; i++)
        r[i] = load_part(dtype, call->in[0].data, (first + i) * rows.from + k, columns);
      transpose(r);
      for (int64_t i = 0; i < columns; i++)
        so_far = k + i == 0 ? r[i] : combine(op, so_far, r[i]);
    }
    set_identity(op, results, LANES);
    take(op, results, so_far, LANES);
    put_results(call, first, results, count, 1);
  }
}

/* ---- sums, maxima and means ---- */

static void sum_group(const icl__call *call, const nest *n, int64_t from, int64_t to) {
  FOR_FLOATS(call->in[0].dtype, reduce_group, SUM, call, n, from, to, 1);
}
static void max_group(const icl__call *call, const nest *n, int64_t from, int64_t to) {
  FOR_FLOATS(call->in[0].dtype, reduce_group, MAX, call, n, from, to, 1);
}
static void mean_group(const icl__call *call, const nest *n, int64_t from, int64_t to) {
  double factor = 1.0 / ((double)call->in[0].shape[1] * call->in[0].shape[2]);
  FOR_FLOATS(call->in[0].dtype, reduce_group, SUM, call, n, from, to, factor);
}

INLINE void reduce(operation op, const icl__call *call, group_fn group) {
  nest n = nest_of(call);
  if (has_short_rows(call, &n))
    FOR_FLOATS(call->in[0].dtype, reduce_short_rows, op, call, &n);
  else
    each_group_of(n, call, group);
}

static void sum(const icl__call *call) { reduce(SUM, call, sum_group); }
static void max(const icl__call *call) { reduce(MAX, call, max_group); }
static void global_avg_pool(const icl__call *call) { each_group(call, mean_group); }

/* ---- sums of integers ---- */

#define INTEGER_SUM(name, type, value)                                                                                 \
  static void name##_group(const icl__call *call, const nest *n, int64_t from, int64_t to) {                           \
    const type *x = (const type *)call->in[0].data + from;                                                             \
    uint64_t *y = (uint64_t *)call->out.data + to; /* wraps around */                                                  \
    int64_t at[ICL_MAX_RANK] = {0};                                                                                    \
    int outer = n->reduced - 1;                                                                                        \
    axis rows = n->over[outer];                                                                                        \
    if (!call->accumulate)                                                                                             \
      memset(y, 0, (size_t)n->column.size * sizeof *y);                                                                \
    for (int d = 0; d < outer; d++)                                                                                    \
      if (n->over[d].size == 0)                                                                                        \
        return;                                                                                                        \
    do {                                                                                                               \
      const type *first = x + offset_in_x(n->over, outer, at);                                                         \
      for (int64_t i = 0; i < rows.size; i++)                                                                          \
        for (int64_t k = 0; k < n->column.size; k++) {                                                                 \
          type e = first[i * rows.from + k];                                                                           \
          y[k] += (uint64_t)(value);                                                                                   \
        }                                                                                                              \
    } while (next(n->over, outer, at));                                                                                \
  }                                                                                                                    \
  static void name(const icl__call *call) { each_group(call, name##_group); }
INTEGER_SUM(sum_u8, uint8_t, e)
INTEGER_SUM(sum_bool, uint8_t, e != 0)
INTEGER_SUM(sum_i32, int32_t, e)
INTEGER_SUM(sum_i64, int64_t, e)

/* ---- argmax: there is one reduced axis ---- */

INLINE bool leads(float x, float largest) { return x == largest || x != x; }

/* Is the largest among WIDE elements, `step` apart? */
INLINE bool holds(const void *x, int64_t at, int64_t step, float largest, icl_dtype dtype) {
  int found = 0;
  for (int64_t i = 0; i < WIDE; i++)
    found += leads(load_one(dtype, x, at + i * step), largest);
  return found > 0;
}

/* The largest first, then where it is. */
INLINE void find_in_row(const icl__call *call, const nest *n, int64_t from, int64_t to, icl_dtype dtype) {
  const void *x = call->in[0].data;
  int64_t i = 0, size = n->over[0].size, step = n->over[0].from;
  double largest;
  combine_group(MAX, &largest, call, n, from, 1, dtype);
  while (i + WIDE < size && !holds(x, from + i * step, step, (float)largest, dtype))
    i += WIDE;
  while (i + 1 < size && !leads(load_one(dtype, x, from + i * step), (float)largest))
    i++;
  ((int64_t *)call->out.data)[to] = i;
}

INLINE void find_in_columns(const icl__call *call, const nest *n, int64_t from, int64_t to, icl_dtype dtype) {
  for (int64_t first = 0; first < n->column.size; first += BLOCK) {
    float largest[BLOCK];
    int32_t position[BLOCK];
    int64_t count = n->column.size - first < BLOCK ? n->column.size - first : BLOCK;
    for (int64_t k = 0; k < count; k++) {
      largest[k] = load_one(dtype, call->in[0].data, from + first + k);
      position[k] = 0;
    }
    for (int32_t i = 1; i < n->over[0].size; i++)
      for (int64_t k = 0; k < count; k++) {
        float x = load_one(dtype, call->in[0].data, from + first + k + i * n->over[0].from);
        bool larger_yet = x > largest[k] || (x != x && largest[k] == largest[k]);
        largest[k] = larger_yet ? x : largest[k];
        position[k] = larger_yet ? i : position[k];
      }
    for (int64_t k = 0; k < count; k++)
      ((int64_t *)call->out.data)[to + first + k] = position[k];
  }
}

static void argmax_group(const icl__call *call, const nest *n, int64_t from, int64_t to) {
  if (n->column.size == 1)
    FOR_FLOATS(call->in[0].dtype, find_in_row, call, n, from, to);
  else
    FOR_FLOATS(call->in[0].dtype, find_in_columns, call, n, from, to);
}

static void argmax(const icl__call *call) { each_group(call, argmax_group); }

/* ---- choosing ---- */

static icl__kernel sum_of(icl_dtype dtype) {
  switch (dtype) {
  case ICL_U8:
    return sum_u8;
  case ICL_BOOL:
    return sum_bool;
  case ICL_I32:
    return sum_i32;
  case ICL_I64:
    return sum_i64;
  default:
    return is_lane_dtype(dtype) ? sum : NULL;
  }
}

/* Parts of short rows would be added in another order than the whole, and results depend on how many there are. */
static bool has_short_columns(const icl__call *call) {
  nest n = nest_of(call);
  return n.kept == 0 && n.column.size < WIDE;
}

bool ISA_NAME(icl__choose_reduce)(const icl__call *prototype, icl__choice *choice) {
  icl_dtype dtype = prototype->in[0].dtype;
  choice->splits = icl__view_count(&prototype->out) > 1;
  switch (prototype->op) {
  case ICL__OP_sum:
  case ICL__OP_sum_to:
    choice->run = sum_of(dtype);
    choice->splits = choice->splits && !has_short_columns(prototype);
    break;
  case ICL__OP_max:
    choice->run = is_lane_dtype(dtype) ? max : NULL;
    break;
  case ICL__OP_argmax:
    choice->run = is_lane_dtype(dtype) ? argmax : NULL;
    break;
  case ICL__OP_global_avg_pool:
    choice->run = is_lane_dtype(dtype) ? global_avg_pool : NULL;
    break;
  default:
    break;
  }
  return choice->run != NULL;
}
