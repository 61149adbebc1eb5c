/* amx_gradient.c - weight gradients by Intel's unit for products of bf16 matrices (amx_unit.h): of bf16 images, and of
 * f32 ones as sums of two terms.
 *
 * A gradient is a product of two matrices for every tap: made channels by pixels, and pixels by read channels. The unit
 * takes its second matrix in pairs of rows, so a pair of pixels is one number of 32 bits. The pixels of a pair lie
 * above one another: then a tap that moves across moves from one pair to the next one, and there are two planes of
 * pairs for taps that move down, one that begins with an even row and one with an odd row. With a stride, rows and
 * columns that leave the same remainder have planes of their own. Thus every tap reads pairs as they follow one
 * another, whatever the width of the images; where a row ends its pairs are zeros on the other side.
 *
 * Packed x: [piece][term][slice of 16 channels][plane][pair][16 pairs of numbers]. Packed gradients of y, turned:
 * [slice of 16 channels][piece][step of 16 pairs][term][channel][16 pairs of numbers]. A weight gradient, until it is
 * finished: [group][slice of y][slice of x][tap][channel of y][channel of x]. */
#include "backend/cpu/kernels/amx_unit.h"
#include "backend/cpu/kernels/scan.h"
#include "backend/cpu/kernels/transpose.h"

typedef struct {
  icl_dtype dtype;                /* of images */
  int32_t terms;                  /* that a number is the sum of */
  int64_t bytes;                  /* of a number in images */
  int32_t merged, groups;         /* groups of the layer in one of these; of these */
  int32_t channels[2], slices[2]; /* of one: of x, of y; slices of 16 */
  int32_t taps, reach[2];         /* down, across: how far the last tap is from the first in a plane */
  int32_t remainders[2], planes;  /* of a stride, that there are taps for; planes of all of them */
  int32_t pitch;                  /* pairs of a row of a plane */
  int32_t rows, pieces;           /* of pairs in a piece of an image, the last may have fewer; of an image */
  int32_t steps, pairs;           /* of a piece: products over 16 pairs; pairs of a plane that they reach */
  int32_t at_once;                /* pieces that are packed together */
} problem;

/* ---- sizes ---- */

/* Numbers of 32 bits: in a term of a piece; in a piece; in the steps of a slice of one. */
static int64_t term_of_x(const problem *l) { return (int64_t)l->slices[0] * l->planes * l->pairs * UNIT; }
static int64_t packed_x(const problem *l) { return l->terms * term_of_x(l); }
static int64_t slice_of_y(const problem *l) { return (int64_t)l->steps * l->terms * UNIT_VALUES; }
static int64_t packed_y(const problem *l) { return l->slices[1] * slice_of_y(l); }

static size_t gradient_floats(const problem *l) {
  return (size_t)l->groups * (size_t)l->slices[0] * (size_t)l->slices[1] * (size_t)l->taps * UNIT_VALUES;
}

static void set_rows(problem *l, int32_t rows, int32_t across) {
  l->rows = rows;
  l->steps = ceiling((rows - 1) * l->pitch + across, UNIT);
  l->pairs = l->steps * UNIT + l->reach[0] / 2 * l->pitch + l->reach[1];
}

/* A piece fits half of a cache; so do all that are packed together, but as many are as make it worth while to fetch
 * and store large gradients. */
static problem problem_of(const icl__conv_shape *s) {
  enum { CACHE = 1 << 20, WORTH = 4 };
  int64_t fits = (int64_t)(s->cache ? s->cache : CACHE) / 2 / (int64_t)sizeof(float);
  problem l = {.dtype = s->dtype,
               .terms = terms_of(s->dtype),
               .bytes = (int64_t)icl_dtype_bytes(s->dtype),
               .merged = merged_groups(s->groups, s->x[2] / s->groups, s->y[2] / s->groups, UNIT),
               .taps = s->kernel[0] * s->kernel[1]};
  l.groups = s->groups / l.merged;
  for (int i = 0; i < 2; i++) {
    l.channels[i] = (i ? s->y : s->x)[2] / l.groups;
    l.slices[i] = ceiling(l.channels[i], UNIT);
    l.reach[i] = (s->kernel[i] - 1) / s->stride[i];
    l.remainders[i] = smaller(s->kernel[i], s->stride[i]);
  }
  l.planes = l.remainders[0] * l.remainders[1] * (l.reach[0] ? 2 : 1);
  l.pitch = s->y[1] + l.reach[1];
  set_rows(&l, ceiling(s->y[0], 2), s->y[1]);
  while (l.rows > 1 && packed_x(&l) + packed_y(&l) > fits)
    set_rows(&l, ceiling(l.rows, 2), s->y[1]);
  l.pieces = ceiling(ceiling(s->y[0], 2), l.rows);
  int64_t worth = (int64_t)gradient_floats(&l) / l.groups / WORTH;
  int64_t most = (worth > fits ? worth : fits) / (packed_x(&l) + packed_y(&l)), all = (int64_t)s->images * l.pieces;
  l.at_once = (int32_t)(most < 1 ? 1 : most < all ? most : all);
  return l;
}

/* ---- packing ---- */

/* As many numbers as a slice has, of either dtype. */
static const float zeros[UNIT];
static const char *const nothing = (const char *)zeros;

/* A row of pixels of some channels; a row outside of the images is one pixel of zeros. */
typedef struct {
  const char *first;
  int64_t pixel; /* bytes to the next one */
} row;

static row row_of(const problem *l, const void *images, const int32_t size[3], int32_t image, int32_t at,
                  int32_t channel) {
  if (at < 0 || at >= size[0])
    return (row){nothing, 0};
  int64_t pixel = ((int64_t)image * size[0] + at) * size[1];
  return (row){(const char *)images + (pixel * size[2] + channel) * l->bytes, size[2] * l->bytes};
}

/* Pairs of every term, of channels from `c` on of `channels`, as many as a register has. */
INLINE void load_pairs(const char *above, const char *below, int32_t c, int32_t channels, icl_dtype dtype,
                       vec_bits pairs[2]) {
  int32_t lanes = smaller(channels - c, LANES);
  if (lanes <= 0) {
    pairs[0] = pairs[1] = (vec_bits){0};
    return;
  }
  vec upper = load_part(dtype, above, c, lanes), lower = load_part(dtype, below, c, lanes);
  if (dtype == ICL_F32)
    split_pairs(upper, lower, pairs);
  else
    pairs[0] = pair_up(upper, lower);
}

/* The terms are `term` numbers apart. */
INLINE void pack_pixels(row above, row below, int32_t count, int64_t step, int32_t channels, uint32_t *to, int64_t term,
                        icl_dtype dtype) {
  for (int32_t i = 0; i < count; i++, to += UNIT)
    UNROLL(4)
  for (int32_t c = 0; c < UNIT; c += LANES) {
    vec_bits pairs[2];
    load_pairs(above.first + i * step * above.pixel, below.first + i * step * below.pixel, c, channels, dtype, pairs);
    for (int t = 0; t < terms_of(dtype); t++)
      memcpy(to + t * term + c, &pairs[t], sizeof pairs[t]);
  }
}

static void pack_zeros(const problem *l, int64_t pairs, uint32_t *to) {
  for (int32_t term = 0; term < l->terms; term++, to += term_of_x(l))
    memset(to, 0, (size_t)pairs * UNIT_ROW);
}

/* One row of pairs: pixels `shift` columns from where the stride leads, zeros where there are none. */
static void pack_row(const icl__conv_shape *s, const problem *l, row above, row below, int32_t shift, int32_t channels,
                     uint32_t *to) {
  int32_t step = s->stride[1];
  places at = places_inside(l->pitch, step, shift, s->x[1]);
  int32_t count = at.end - at.first;
  uint32_t *own = to + (int64_t)at.first * UNIT;
  pack_zeros(l, at.first, to);
  above.first += ((int64_t)at.first * step + shift) * above.pixel;
  below.first += ((int64_t)at.first * step + shift) * below.pixel;
  if (channels >= UNIT)
    FOR_FLOATS(l->dtype, pack_pixels, above, below, count, step, UNIT, own, term_of_x(l));
  else
    FOR_FLOATS(l->dtype, pack_pixels, above, below, count, step, channels, own, term_of_x(l));
  pack_zeros(l, l->pitch - at.end, to + (int64_t)at.end * UNIT);
}

/* Channels from `channel` on of a piece that begins with row `begin` of pairs. */
static void pack_x(const icl__conv_shape *s, const problem *l, const void *x, int32_t image, int32_t begin,
                   int32_t channel, uint32_t *to) {
  int32_t rows = l->rows + l->reach[0] / 2, parities = l->reach[0] ? 2 : 1;
  int64_t used = (int64_t)rows * l->pitch;
  for (int32_t slice = 0; slice < l->slices[0]; slice++)
    for (int32_t plane = 0; plane < l->planes; plane++, to += (int64_t)l->pairs * UNIT) {
      int32_t remainder = plane / parities, first = channel + slice * UNIT;
      for (int32_t i = 0; i < rows; i++) {
        int32_t pair = 2 * (begin + i) + plane % parities;
        int32_t at = pair * s->stride[0] + remainder / l->remainders[1] - s->padding[0];
        pack_row(s, l, row_of(l, x, s->x, image, at, first), row_of(l, x, s->x, image, at + s->stride[0], first),
                 remainder % l->remainders[1] - s->padding[1], l->channels[0] - slice * UNIT,
                 to + (int64_t)i * l->pitch * UNIT);
      }
      pack_zeros(l, l->pairs - used, to + used * UNIT);
    }
}

INLINE void store_turned(vec r[LANES], uint32_t *to) {
  transpose(r);
  UNROLL(16)
  for (int i = 0; i < LANES; i++)
    memcpy(to + i * UNIT, &r[i], sizeof r[i]);
}

/* 16 pairs of pixels, turned: a row for every channel; the rests behind them. */
INLINE void turn_pairs(const char *const above[UNIT], const char *const below[UNIT], int64_t channel, int32_t channels,
                       uint32_t *to, icl_dtype dtype) {
  for (int32_t c = 0; c < UNIT; c += LANES)
    for (int32_t p = 0; p < UNIT; p += LANES) {
      vec r[2][LANES];
      UNROLL(16)
      for (int i = 0; i < LANES; i++) {
        const char *upper = above[p + i], *lower = below[p + i];
        vec_bits pairs[2];
        load_pairs(upper ? upper + channel : nothing, lower ? lower + channel : nothing, c, channels, dtype, pairs);
        r[0][i] = (vec)pairs[0];
        if (dtype == ICL_F32)
          r[1][i] = (vec)pairs[1];
      }
      store_turned(r[0], to + c * UNIT + p);
      if (dtype == ICL_F32)
        store_turned(r[1], to + UNIT_VALUES + c * UNIT + p);
    }
}

/* The slices of a step are `slice` numbers apart. */
static void pack_gy(const icl__conv_shape *s, const problem *l, const void *gy, int32_t image, int32_t begin,
                    int32_t channel, int64_t slice, uint32_t *to) {
  const char *above[UNIT], *below[UNIT];
  int32_t i = 0, x = 0; /* row of pairs, column */
  for (int32_t step = 0; step < l->steps; step++, to += l->terms * UNIT_VALUES) {
    for (int k = 0; k < UNIT; k++) {
      int32_t y = 2 * (begin + i);
      bool inside = i < l->rows && x < s->y[1] && y < s->y[0];
      int64_t pixel = ((int64_t)image * s->y[0] + y) * s->y[1] + x;
      above[k] = inside ? (const char *)gy + pixel * s->y[2] * l->bytes : NULL;
      below[k] = inside && y + 1 < s->y[0] ? above[k] + (int64_t)s->y[1] * s->y[2] * l->bytes : NULL;
      if (++x == l->pitch) {
        x = 0;
        i++;
      }
    }
    for (int32_t c = 0; c < l->slices[1]; c++) {
      int32_t channels = l->channels[1] - c * UNIT;
      int64_t at = (channel + (int64_t)c * UNIT) * l->bytes;
      if (channels >= UNIT)
        FOR_FLOATS(l->dtype, turn_pairs, above, below, at, UNIT, to + c * slice);
      else
        FOR_FLOATS(l->dtype, turn_pairs, above, below, at, channels, to + c * slice);
    }
  }
}

/* ---- products ---- */

/* One or two slices of y, and a few columns, which are a tap and a slice of x each. */
typedef struct {
  icl_dtype dtype; /* of images */
  const uint32_t *y[2], *x[4];
  float *sum[4]; /* of y[0] with each column, then of y[1] */
  int32_t pieces, steps;
  int64_t piece, term; /* from one of x to the next */
  bool accumulate;
} product;

#define BEGIN_SUM(n)                                                                                                   \
  do {                                                                                                                 \
    if (m->accumulate)                                                                                                 \
      UNIT_LOAD(n, m->sum[n], UNIT_ROW);                                                                               \
    else                                                                                                               \
      UNIT_ZERO(n);                                                                                                    \
  } while (0)

/* Sums 0 and 1 are of the first slice, 2 and 3 of the second one. */
INLINE void correlate_two(const product *m, int columns, icl_dtype dtype) {
  BEGIN_SUM(0);
  BEGIN_SUM(2);
  if (columns > 1) {
    BEGIN_SUM(1);
    BEGIN_SUM(3);
  }
  int64_t from = 0;
  for (int32_t piece = 0; piece < m->pieces; piece++) {
    int64_t at = piece * m->piece;
    for (int32_t step = 0; step < m->steps; step++, at += UNIT_VALUES, from += terms_of(dtype) * UNIT_VALUES) {
      operand y = {m->y[0] + from, m->y[1] + from, UNIT_ROW, UNIT_BYTES},
              x = {m->x[0] + at, m->x[columns - 1] + at, UNIT_ROW, m->term * (int64_t)sizeof *m->x[0]};
      multiply_terms(y, x, columns, dtype);
    }
  }
  UNIT_STORE(0, m->sum[0], UNIT_ROW);
  UNIT_STORE(2, m->sum[2], UNIT_ROW);
  if (columns > 1) {
    UNIT_STORE(1, m->sum[1], UNIT_ROW);
    UNIT_STORE(3, m->sum[3], UNIT_ROW);
  }
}

/* Does something for each column that there is, with the registers of its terms; n is a digit. */
#define EACH_COLUMN(DO)                                                                                                \
  DO(0, 6, 7);                                                                                                         \
  if (columns > 1)                                                                                                     \
    DO(1, 7, 6);                                                                                                       \
  if (columns > 2)                                                                                                     \
    DO(2, 6, 7);                                                                                                       \
  if (columns > 3)                                                                                                     \
  DO(3, 7, 6)
#define BEGIN_COLUMN(n, upper, rest) BEGIN_SUM(n)
#define ADD_COLUMN(n, upper, rest)                                                                                     \
  do {                                                                                                                 \
    if (terms == 2) {                                                                                                  \
      UNIT_LOAD(rest, m->x[n] + m->term + at, UNIT_ROW);                                                               \
      UNIT_MULTIPLY(n, 4, rest);                                                                                       \
    }                                                                                                                  \
    UNIT_LOAD(upper, m->x[n] + at, UNIT_ROW);                                                                          \
    UNIT_MULTIPLY(n, 4, upper);                                                                                        \
    if (terms == 2)                                                                                                    \
      UNIT_MULTIPLY(n, 5, upper);                                                                                      \
  } while (0)
#define END_COLUMN(n, upper, rest) UNIT_STORE(n, m->sum[n], UNIT_ROW)

INLINE void correlate_one(const product *m, int columns, icl_dtype dtype) {
  int terms = terms_of(dtype);
  EACH_COLUMN(BEGIN_COLUMN);
  const uint32_t *only = m->y[0];
  for (int32_t piece = 0; piece < m->pieces; piece++) {
    int64_t at = piece * m->piece;
    for (int32_t step = 0; step < m->steps; step++, at += UNIT_VALUES, only += terms * UNIT_VALUES) {
      UNIT_LOAD(4, only, UNIT_ROW);
      if (terms == 2)
        UNIT_LOAD(5, only + UNIT_VALUES, UNIT_ROW);
      EACH_COLUMN(ADD_COLUMN);
    }
  }
  EACH_COLUMN(END_COLUMN);
}

NOINLINE void correlate_2x2(const product *m) { FOR_FLOATS(m->dtype, correlate_two, m, 2); }
NOINLINE void correlate_2x1(const product *m) { FOR_FLOATS(m->dtype, correlate_two, m, 1); }
NOINLINE void correlate_1x4(const product *m) { FOR_FLOATS(m->dtype, correlate_one, m, 4); }
NOINLINE void correlate_1x3(const product *m) { FOR_FLOATS(m->dtype, correlate_one, m, 3); }
NOINLINE void correlate_1x2(const product *m) { FOR_FLOATS(m->dtype, correlate_one, m, 2); }
NOINLINE void correlate_1x1(const product *m) { FOR_FLOATS(m->dtype, correlate_one, m, 1); }

/* Where the pairs of a tap begin, behind those of its slice. */
static int64_t start_of(const icl__conv_shape *s, const problem *l, int32_t tap) {
  int32_t y = tap / s->kernel[1], x = tap % s->kernel[1], down = y / s->stride[0];
  int32_t remainder = y % s->stride[0] * l->remainders[1] + x % s->stride[1];
  int32_t plane = l->reach[0] ? 2 * remainder + down % 2 : remainder;
  return ((int64_t)plane * l->pairs + down / 2 * l->pitch + x / s->stride[1]) * UNIT;
}

/* All taps of `wide` slices of x from `slice` on, and `high` slices of y from y[0] on; columns in even portions, since
 * a product takes as long as several that do not wait for one another. */
static void correlate_slices(const icl__conv_shape *s, const problem *l, product *m, const uint32_t *x, int32_t slice,
                             int32_t wide, int32_t high, float *gradient) {
  static void (*const correlate[3][5])(const product *) = {
      [1] = {NULL, correlate_1x1, correlate_1x2, correlate_1x3, correlate_1x4},
      [2] = {NULL, correlate_2x1, correlate_2x2}};
  int64_t next = (int64_t)l->slices[0] * l->taps * UNIT_VALUES;
  int32_t all = l->taps * wide, portions = ceiling(all, high == 1 ? 4 : 2);
  for (int32_t portion = 0; portion < portions; portion++) {
    int32_t first = all * portion / portions, columns = all * (portion + 1) / portions - first;
    for (int32_t c = 0; c < columns; c++) {
      int32_t tap = (first + c) / wide, of = slice + (first + c) % wide;
      m->x[c] = x + (int64_t)of * l->planes * l->pairs * UNIT + start_of(s, l, tap);
      m->sum[c] = gradient + ((int64_t)of * l->taps + tap) * UNIT_VALUES;
      if (high == 2)
        m->sum[c + 2] = m->sum[c] + next;
    }
    correlate[high][columns](m);
  }
}

/* Two slices of x stay in a cache while they meet all of y. */
static void correlate_group(const icl__conv_shape *s, const problem *l, int32_t pieces, const uint32_t *x,
                            const uint32_t *y, float *gradient, bool accumulate) {
  int64_t slice = pieces * slice_of_y(l), made = (int64_t)l->slices[0] * l->taps * UNIT_VALUES;
  product m = {.dtype = l->dtype,
               .pieces = pieces,
               .steps = l->steps,
               .piece = packed_x(l),
               .term = term_of_x(l),
               .accumulate = accumulate};
  for (int32_t i = 0; i < l->slices[0]; i += 2)
    for (int32_t j = 0; j < l->slices[1]; j += 2) {
      m.y[0] = y + j * slice;
      m.y[1] = m.y[0] + slice;
      correlate_slices(s, l, &m, x, i, smaller(l->slices[0] - i, 2), smaller(l->slices[1] - j, 2), gradient + j * made);
    }
}

static void differentiate(const icl__conv_shape *s, const void *x, const void *gy, float *gradients, bool accumulate,
                          float *scratch) {
  problem l = problem_of(s);
  int32_t all = s->images * l.pieces;
  uint32_t *from = (uint32_t *)scratch, *made = from + l.at_once * packed_x(&l);
  for (int32_t first = 0, count; first < all; first += count) {
    count = smaller(all - first, l.at_once);
    int64_t slice = count * slice_of_y(&l);
    for (int32_t group = 0; group < l.groups; group++) {
      for (int32_t p = 0; p < count; p++) {
        int32_t image = (first + p) / l.pieces, begin = (first + p) % l.pieces * l.rows;
        pack_x(s, &l, x, image, begin, group * l.channels[0], from + p * packed_x(&l));
        pack_gy(s, &l, gy, image, begin, group * l.channels[1], slice, made + p * slice_of_y(&l));
      }
      unit_begin();
      correlate_group(s, &l, count, from, made, gradients + gradient_floats(&l) / (size_t)l.groups * (size_t)group,
                      accumulate || first > 0);
      unit_end();
    }
  }
}

/* ---- sums of threads ---- */

/* The sum of `count` registers, turned: a row for every channel of x. */
INLINE void turn_sums(const float *from, int count, size_t stride, float to[UNIT][UNIT]) {
  for (int y = 0; y < UNIT; y += LANES)
    for (int x = 0; x < UNIT; x += LANES) {
      vec r[LANES];
      UNROLL(16)
      for (int i = 0; i < LANES; i++)
        r[i] = load(ICL_F32, from, (y + i) * UNIT + x);
      for (int t = 1; t < count; t++)
        UNROLL(16)
      for (int i = 0; i < LANES; i++)
        r[i] += load(ICL_F32, from + (size_t)t * stride, (y + i) * UNIT + x);
      transpose(r);
      UNROLL(16)
      for (int i = 0; i < LANES; i++)
        store(ICL_F32, to[x + i], y, r[i]);
    }
}

/* Of merged groups the diagonal blocks are kept. */
static void finish(const icl__conv_shape *s, const float *gradients, int count, size_t stride, float *hwio, int part,
                   int parts) {
  problem l = problem_of(s);
  int32_t in = l.channels[0] / l.merged, out = l.channels[1] / l.merged;
  int64_t all = (int64_t)l.groups * l.taps * l.slices[0];
  for (int64_t n = all * part / parts; n < all * (part + 1) / parts; n++) {
    int64_t group = n / l.slices[0] / l.taps, tap = n / l.slices[0] % l.taps;
    int32_t first = (int32_t)(n % l.slices[0]) * UNIT;
    for (int32_t slice = 0; slice < l.slices[1]; slice++) {
      float sum[UNIT][UNIT];
      int64_t at = ((group * l.slices[1] + slice) * l.slices[0] + n % l.slices[0]) * l.taps + tap;
      turn_sums(gradients + at * UNIT_VALUES, count, stride, sum);
      for (int32_t i = first; i < smaller(first + UNIT, l.channels[0]); i++) {
        int32_t own = i / in * out, begin = larger_of(own, slice * UNIT), end = smaller(own + out, (slice + 1) * UNIT);
        float *to = hwio + (tap * in + i % in) * s->y[2] + group * l.channels[1];
        if (begin < end)
          memcpy(to + begin, sum[i - first] + begin - slice * UNIT, (size_t)(end - begin) * sizeof *to);
      }
    }
  }
}

static size_t weights(const icl__conv_shape *s) {
  problem l = problem_of(s);
  return gradient_floats(&l);
}

static size_t scratch_floats(const icl__conv_shape *s) {
  problem l = problem_of(s);
  return (size_t)l.at_once * (size_t)(packed_x(&l) + packed_y(&l));
}

static bool fits(const icl__conv_shape *s) { return s->direction == ICL__CONV_WEIGHT && is_lane_dtype(s->dtype); }

const icl__conv_kernel ISA_NAME(icl__amx_gradient) = {
    .name = "amx",
    .fits = fits,
    .weights = weights,
    .scratch = scratch_floats,
    .differentiate = differentiate,
    .finish = finish,
};
