/* along.c - what goes along one axis: running sums, order, elements chosen by their position.
 *
 * Series that begin beside each other in a row are worked on together, a group, so that memory is read in rows whatever
 * the axis is; along the last axis a group is one series. */
#include "backend/cpu/kernels/rows.h"
#include "backend/cpu/kernels/vector.h"

#include "ops/attributes.h"
#include "ops/ops.h"

enum { GROUP = 16 }; /* series of a group at most */

/* ---- where series lie ---- */

/* The elements of a series are `step` apart. `inner` series begin in each block, in rows of `columns`. */
typedef struct {
  int64_t size, step, inner, columns, pitch, block;
} series;

static series series_of(const icl__view *v, int dim) {
  bool last = dim == v->rank - 1;
  series s = {v->shape[dim], stride_of(v, dim), 1, last ? 1 : icl__view_columns(v), v->pitch, v->pitch};
  for (int d = dim + 1; d < v->rank; d++)
    s.inner *= v->shape[d];
  if (!last)
    s.block = s.size * s.step;
  return s;
}

/* The element that series i begins with. */
static int64_t begin_of(const series *s, int64_t i) {
  return i / s->inner * s->block + i % s->inner / s->columns * s->pitch + i % s->inner % s->columns;
}

/* A group begins at series `first` of the operands. */
typedef void (*group_fn)(const icl__call *call, int64_t first, int64_t count);

/* `out` and the inputs differ in the size of the axis alone, so their series have the same numbers. */
static void each_group(const icl__call *call, group_fn group) {
  int dim = call->attr->i[ALONG_DIM];
  series s = series_of(&call->out, dim);
  int64_t blocks = icl__count(dim, call->out.shape);
  share own = part_of(call, blocks * s.inner);
  for (int64_t i = own.begin, count; i < own.end; i += count) {
    int64_t left = s.columns - i % s.inner % s.columns;
    count = left < own.end - i ? left : own.end - i;
    count = count < GROUP ? count : GROUP;
    group(call, i, count);
  }
}

/* ---- cumsum ---- */

/* Sums are kept in `wide`; `value` is element `e` of x as one. */
#define CUMSUM(name, type, wide, result, value)                                                                        \
  static void name##_group(const icl__call *call, int64_t first, int64_t count) {                                      \
    series from = series_of(&call->in[0], call->attr->i[ALONG_DIM]);                                                   \
    series to = series_of(&call->out, call->attr->i[ALONG_DIM]);                                                       \
    const type *x = (const type *)call->in[0].data + begin_of(&from, first);                                           \
    result *y = (result *)call->out.data + begin_of(&to, first);                                                       \
    bool reverse = call->attr->i[CUMSUM_REVERSE];                                                                      \
    wide sums[GROUP] = {0};                                                                                            \
    for (int64_t k = 0; k < from.size; k++) {                                                                          \
      int64_t at = reverse ? from.size - 1 - k : k;                                                                    \
      for (int64_t j = 0; j < count; j++) {                                                                            \
        type e = x[at * from.step + j];                                                                                \
        sums[j] += (wide)(value);                                                                                      \
        y[at * to.step + j] = (result)sums[j];                                                                         \
      }                                                                                                                \
    }                                                                                                                  \
  }                                                                                                                    \
  static void name(const icl__call *call) { each_group(call, name##_group); }
CUMSUM(cumsum_f32, float, double, float, e)
CUMSUM(cumsum_bf16, uint16_t, double, float, icl__from_bf16(e))
CUMSUM(cumsum_f64, double, double, double, e)
CUMSUM(cumsum_u8, uint8_t, uint64_t, int64_t, e)
CUMSUM(cumsum_bool, uint8_t, uint64_t, int64_t, e != 0)
CUMSUM(cumsum_i32, int32_t, uint64_t, int64_t, e)
CUMSUM(cumsum_i64, int64_t, uint64_t, int64_t, e)

static icl__kernel cumsum_of(icl_dtype dtype) {
  static const icl__kernel kernels[ICL_DTYPE_COUNT] = {
      [ICL_F32] = cumsum_f32,   [ICL_BF16] = cumsum_bf16, [ICL_F64] = cumsum_f64, [ICL_U8] = cumsum_u8,
      [ICL_BOOL] = cumsum_bool, [ICL_I32] = cumsum_i32,   [ICL_I64] = cumsum_i64,
  };
  return kernels[dtype];
}

/* ---- argsort ---- */

/* An element and its position as one number: these are in the order of the result, and no two are equal. */
typedef uint64_t entry;
enum { POSITION_BITS = 32, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

/* Floats in the order of unsigned integers: -0 is 0, and NaN the largest. */
INLINE uint32_t rank_of(float x) {
  union {
    float f;
    uint32_t u;
  } bits = {x + 0.0f};
  if (x != x)
    return UINT32_MAX;
  return bits.u >> 31 ? ~bits.u : bits.u | 1u << 31;
}

INLINE entry entry_of(icl_dtype dtype, const void *x, int64_t place, int64_t position, bool descending) {
  uint32_t rank = rank_of(load_one(dtype, x, place));
  return (entry)(descending ? ~rank : rank) << POSITION_BITS | (entry)position;
}

/* Puts an entry into its place among the first `length`, of which `count` are there; returns how many are then. */
INLINE int64_t insert(entry *sorted, int64_t count, int64_t length, entry e) {
  if (count == length) {
    if (length == 0 || e > sorted[length - 1])
      return count;
    count--;
  }
  int64_t i = count;
  for (; i > 0 && sorted[i - 1] > e; i--)
    sorted[i] = sorted[i - 1];
  sorted[i] = e;
  return count + 1;
}

/* Sorts by one digit of the elements, equals in their order; false if all have the same. */
static bool sort_digit(const entry *from, entry *to, int64_t count, int shift) {
  int64_t place[DIGITS] = {0}, sum = 0;
  for (int64_t i = 0; i < count; i++)
    place[from[i] >> shift & (DIGITS - 1)]++;
  if (place[from[0] >> shift & (DIGITS - 1)] == count)
    return false;
  for (int d = 0; d < DIGITS; d++) {
    int64_t size = place[d];
    place[d] = sum;
    sum += size;
  }
  for (int64_t i = 0; i < count; i++)
    to[place[from[i] >> shift & (DIGITS - 1)]++] = from[i];
  return true;
}

/* Entries come in the order of their positions. Returns the array that holds the result. */
static entry *sort_entries(entry *entries, entry *other, int64_t count) {
  for (int shift = POSITION_BITS; shift < 64; shift += DIGIT_BITS)
    if (sort_digit(entries, other, count, shift)) {
      entry *sorted = other;
      other = entries;
      entries = sorted;
    }
  return entries;
}

enum { INSERTED = 32 }; /* results up to which entries are inserted one by one */

INLINE void argsort_series(const icl__call *call, int64_t number, icl_dtype dtype) {
  series from = series_of(&call->in[0], call->attr->i[ALONG_DIM]);
  series to = series_of(&call->out, call->attr->i[ALONG_DIM]);
  int64_t begin = begin_of(&from, number), *y = (int64_t *)call->out.data + begin_of(&to, number);
  bool descending = call->attr->i[ARGSORT_DESCENDING];
  entry *sorted = call->scratch;
  if (to.size <= INSERTED) {
    for (int64_t k = 0, count = 0; k < from.size; k++)
      count = insert(sorted, count, to.size, entry_of(dtype, call->in[0].data, begin + k * from.step, k, descending));
  } else {
    for (int64_t k = 0; k < from.size; k++)
      sorted[k] = entry_of(dtype, call->in[0].data, begin + k * from.step, k, descending);
    sorted = sort_entries(sorted, sorted + from.size, from.size);
  }
  for (int64_t k = 0; k < to.size; k++)
    y[k * to.step] = (int64_t)(uint32_t)sorted[k];
}

static void argsort_group(const icl__call *call, int64_t first, int64_t count) {
  for (int64_t i = first; i < first + count; i++)
    FOR_FLOATS(call->in[0].dtype, argsort_series, call, i);
}

static void argsort(const icl__call *call) { each_group(call, argsort_group); }

static size_t argsort_bytes(const icl__call *call) {
  int32_t size = call->in[0].shape[call->attr->i[ALONG_DIM]];
  return 2 * (size_t)size * sizeof(entry);
}

/* ---- gather_along ---- */

static int64_t position_at(const int64_t *index, int64_t i, int64_t size) { return within(index[i], 0, size - 1); }

#define GATHER(type)                                                                                                   \
  static void gather_##type##_group(const icl__call *call, int64_t first, int64_t count) {                             \
    int dim = call->attr->i[ALONG_DIM];                                                                                \
    series from = series_of(&call->in[0], dim), at = series_of(&call->in[1], dim), to = series_of(&call->out, dim);    \
    const type *x = (const type *)call->in[0].data + begin_of(&from, first);                                           \
    const int64_t *index = (const int64_t *)call->in[1].data + begin_of(&at, first);                                   \
    type *y = (type *)call->out.data + begin_of(&to, first);                                                           \
    for (int64_t k = 0; k < to.size; k++)                                                                              \
      for (int64_t j = 0; j < count; j++)                                                                              \
        y[k * to.step + j] = x[position_at(index, k * at.step + j, from.size) * from.step + j];                        \
  }                                                                                                                    \
  static void gather_##type(const icl__call *call) { each_group(call, gather_##type##_group); }
GATHER(uint8_t)
GATHER(uint16_t)
GATHER(uint32_t)
GATHER(uint64_t)

static icl__kernel gather_of(icl_dtype dtype) {
  switch (icl_dtype_bytes(dtype)) {
  case 1:
    return gather_uint8_t;
  case 2:
    return gather_uint16_t;
  case 4:
    return gather_uint32_t;
  default:
    return gather_uint64_t;
  }
}

/* ---- gather_along_grad: sums in f64, of a group at a time ---- */

static size_t sums_bytes(const icl__call *call) {
  series to = series_of(&call->out, call->attr->i[ALONG_DIM]);
  return (size_t)(to.size * (to.columns < GROUP ? to.columns : GROUP)) * sizeof(double);
}

INLINE void add_group(const icl__call *call, int64_t first, int64_t count, icl_dtype dtype) {
  int dim = call->attr->i[ALONG_DIM];
  series from = series_of(&call->in[0], dim), at = series_of(&call->in[1], dim), to = series_of(&call->out, dim);
  const int64_t *index = (const int64_t *)call->in[1].data + begin_of(&at, first);
  int64_t g = begin_of(&from, first), y = begin_of(&to, first);
  double *sums = call->scratch;
  memset(sums, 0, (size_t)(to.size * count) * sizeof *sums);
  for (int64_t k = 0; k < from.size; k++)
    for (int64_t j = 0; j < count; j++)
      sums[position_at(index, k * at.step + j, to.size) * count + j] +=
          (double)load_one(dtype, call->in[0].data, g + k * from.step + j);
  for (int64_t k = 0; k < to.size; k++)
    for (int64_t j = 0; j < count; j++)
      store_one(dtype, call->out.data, y + k * to.step + j, (float)sums[k * count + j]);
}

static void gather_along_grad_group(const icl__call *call, int64_t first, int64_t count) {
  FOR_FLOATS(call->out.dtype, add_group, call, first, count);
}

static void gather_along_grad(const icl__call *call) { each_group(call, gather_along_grad_group); }

bool ISA_NAME(icl__choose_along)(const icl__call *prototype, icl__choice *choice) {
  icl_dtype dtype = prototype->in[0].dtype;
  choice->splits = true;
  switch (prototype->op) {
  case ICL__OP_cumsum:
    choice->run = cumsum_of(dtype);
    break;
  case ICL__OP_argsort:
    choice->run = is_lane_dtype(dtype) ? argsort : NULL;
    choice->workspace = argsort_bytes(prototype);
    break;
  case ICL__OP_gather_along:
    choice->run = gather_of(dtype);
    break;
  case ICL__OP_gather_along_grad:
    choice->run = is_lane_dtype(dtype) ? gather_along_grad : NULL;
    choice->workspace = sums_bytes(prototype);
    break;
  default:
    break;
  }
  return choice->run != NULL;
}
