/* amx_convolve.c - convolutions of images, and their input gradients, by Intel's unit for products of bf16 matrices
 * (amx_unit.h): of bf16 images, and of f32 ones as sums of two terms.
 *
 * The unit multiplies 16 pixels by 32 channels each with weights of those and 16 made channels. What it reads is copied
 * first: for every slice of 32 channels the pixels of an image row by row, with the zeros around them, so that all
 * pixels which a tap reads follow one another; results between the end of a row and the beginning of the next are
 * thrown away. With a stride, rows and columns that leave the same remainder have planes of their own. Of up to 16
 * channels half a slice is copied, and two taps that are neighbours are multiplied at once.
 *
 * Copied images: [piece][term][slice][plane][pixel][channel]. Prepared weights: [group][phase][panel of 32 made
 * channels][slice][step][term][one or two registers]; a step is one or two taps. */
#include "backend/cpu/kernels/amx_unit.h"
#include "backend/cpu/kernels/portion.h"
#include "backend/cpu/kernels/scan.h"

enum {
  KERNEL = 7,        /* taps along an axis, at most */
  DEPTH = 2 * UNIT,  /* channels of a whole slice */
  PANEL = 2 * UNIT,  /* made channels */
  BLOCK = 4 * UNIT,  /* pixels that are copied for, at least */
  SMALL = 768 << 10, /* bytes of weights that stay in a cache beside images */
};

typedef struct {
  icl_dtype dtype;               /* of images */
  int32_t terms;                 /* that a value is the sum of */
  scan scan[2];                  /* down, across */
  int32_t merged, groups;        /* groups of the layer in one of these; of these */
  int32_t depth, made;           /* channels of one that are read, that are made */
  int32_t slices, values;        /* values of a pixel in a slice: 16 or 32 */
  int32_t registers;             /* registers of made channels */
  int32_t remainders[2], planes; /* of a stride, that there are taps for; planes of all of them */
  int32_t further[2];            /* how far the last tap is from the first in a plane */
  int32_t across, pitch;         /* pixels of a phase in a row; pixels of a row in a plane */
  int32_t rows, pieces;          /* of a phase in a piece of an image, the last may have fewer; of an image */
  int32_t pixels;                /* of a plane of a piece */
  int64_t term;                  /* values of a term of a piece */
  int32_t at_once;               /* pieces that are copied together */
} problem;

/* What a product reads: one or two taps, from a pixel on. */
typedef struct {
  int32_t pixel, tap[2]; /* tap[1] is -1 where there is none */
} step;

/* ---- sizes ---- */

static int64_t values_of_piece(const problem *l) { return l->terms * l->term; }

static void set_rows(problem *l, int32_t rows) {
  l->rows = rows;
  l->pixels = ceiling((rows - 1) * l->pitch + l->across, BLOCK) * BLOCK + l->further[0] * l->pitch + l->further[1] + 1;
  l->term = (int64_t)l->slices * l->planes * l->pixels * l->values;
}

/* Steps of a phase, in the order of their taps. */
static int steps_of(const problem *l, int32_t phase, step steps[KERNEL * KERNEL]) {
  const scan *down = &l->scan[0], *right = &l->scan[1];
  int count = 0;
  for (int32_t tap = 0; tap < down->kernel * right->kernel; tap++) {
    int32_t y = phase / right->step + tap / right->kernel - down->lead,
            x = phase % right->step + tap % right->kernel - right->lead;
    if (y % down->step || x % right->step)
      continue;
    y = y / down->step + down->before;
    x = x / right->step + right->before;
    int32_t plane = y % down->advance * l->remainders[1] + x % right->advance;
    int32_t pixel = plane * l->pixels + y / down->advance * l->pitch + x / right->advance;
    step *last = count ? &steps[count - 1] : NULL;
    if (l->values == UNIT && last && last->tap[1] < 0 && last->pixel + 1 == pixel)
      last->tap[1] = tap;
    else
      steps[count++] = (step){pixel, {tap, -1}};
  }
  return count;
}

static int32_t phases_of(const problem *l) { return l->scan[0].step * l->scan[1].step; }

/* Registers of a group's weights before those of a phase; with the number of phases, all of them. */
static int64_t weights_before(const problem *l, int32_t phase) {
  step steps[KERNEL * KERNEL];
  int64_t count = 0;
  for (int32_t p = 0; p < phase; p++)
    count += steps_of(l, p, steps);
  return count * l->slices * l->terms * l->registers;
}

/* A piece fits a quarter of a cache, as do all that are copied together, but where weights do not stay in one they meet
 * many pixels each time. */
static problem problem_of(const icl__conv_shape *s) {
  enum { CACHE = 1 << 20 };
  bool back = s->direction == ICL__CONV_INPUT;
  int64_t fits = (int64_t)(s->cache ? s->cache : CACHE) / 4 / (int64_t)sizeof(uint16_t);
  int32_t in = s->x[2] / s->groups, out = s->y[2] / s->groups, merged = merged_groups(s->groups, in, out, UNIT);
  problem l = {.dtype = s->dtype,
               .terms = terms_of(s->dtype),
               .scan = {scan_of(s, 0), scan_of(s, 1)},
               .merged = merged,
               .groups = s->groups / merged,
               .depth = merged * (back ? out : in),
               .made = merged * (back ? in : out)};
  l.slices = ceiling(l.depth, DEPTH);
  l.values = l.depth <= UNIT ? UNIT : DEPTH;
  l.registers = ceiling(l.made, UNIT);
  for (int d = 0; d < 2; d++) {
    const scan *a = &l.scan[d];
    l.remainders[d] = smaller(a->advance, a->reach + a->before + 1);
    l.further[d] = (a->reach + a->before) / a->advance;
  }
  l.planes = l.remainders[0] * l.remainders[1];
  l.across = pixels_of(&l.scan[1]);
  l.pitch = l.across + l.further[1];
  int32_t rows = pixels_of(&l.scan[0]);
  set_rows(&l, rows);
  while (l.rows > 1 && values_of_piece(&l) > fits)
    set_rows(&l, ceiling(l.rows, 2));
  l.pieces = ceiling(rows, l.rows);
  int64_t weights = weights_before(&l, phases_of(&l)) * UNIT_BYTES, all = (int64_t)s->images * l.pieces;
  int64_t most = (weights > SMALL && weights / 4 > fits ? weights / 4 : fits) / values_of_piece(&l);
  l.at_once = (int32_t)(most < 1 ? 1 : most < all ? most : all);
  return l;
}

/* ---- copies of images ---- */

INLINE void split_pixel(const float *from, int32_t channels, int32_t values, uint16_t *to, int64_t term) {
  for (int32_t c = 0; c < values; c += LANES) {
    vec_half terms[2];
    split(load_part(ICL_F32, from, c, larger_of(smaller(channels - c, LANES), 0)), terms);
    memcpy(to + c, &terms[0], sizeof terms[0]);
    memcpy(to + term + c, &terms[1], sizeof terms[1]);
  }
}

INLINE void copy_pixel(const uint16_t *from, int32_t channels, int32_t values, uint16_t *to) {
  if (channels >= values) {
    memcpy(to, from, (size_t)values * sizeof *to);
    return;
  }
  memset(to, 0, (size_t)values * sizeof *to);
  memcpy(to, from, (size_t)channels * sizeof *to);
}

/* `count` pixels that are `pitch` values apart, from value `first` on. */
INLINE void copy_pixels(const void *images, int64_t first, int64_t pitch, int32_t count, int32_t channels,
                        int32_t values, uint16_t *to, int64_t term, icl_dtype dtype) {
  for (int32_t i = 0; i < count; i++, first += pitch, to += values)
    if (dtype == ICL_F32)
      split_pixel((const float *)images + first, channels, values, to, term);
    else
      copy_pixel((const uint16_t *)images + first, channels, values, to);
}

static void copy_zeros(const problem *l, int64_t pixels, uint16_t *to) {
  for (int32_t term = 0; term < l->terms; term++, to += l->term)
    memset(to, 0, (size_t)(pixels * l->values) * sizeof *to);
}

/* A row of a plane from value `first` of images on; the row is outside of an image where they are NULL. */
static void copy_row(const problem *l, const void *images, int64_t first, int64_t pixel, int32_t shift,
                     int32_t channels, uint16_t *to) {
  const scan *a = &l->scan[1];
  places at = {l->pitch, l->pitch};
  if (images)
    at = places_inside(l->pitch, a->advance, shift, a->from);
  copy_zeros(l, at.first, to);
  if (at.first < at.end) {
    int32_t count = at.end - at.first;
    int64_t pitch = a->advance * pixel;
    uint16_t *own = to + (int64_t)at.first * l->values;
    first += ((int64_t)at.first * a->advance + shift) * pixel;
    if (l->values == UNIT)
      FOR_FLOATS(l->dtype, copy_pixels, images, first, pitch, count, channels, UNIT, own, l->term);
    else
      FOR_FLOATS(l->dtype, copy_pixels, images, first, pitch, count, channels, DEPTH, own, l->term);
  }
  copy_zeros(l, l->pitch - at.end, to + (int64_t)at.end * l->values);
}

/* Channels from `channel` on of a piece that begins with row `begin` of every phase. */
static void copy_piece(const problem *l, const void *images, int32_t image, int32_t begin, int64_t channel,
                       uint16_t *to) {
  const scan *y = &l->scan[0], *x = &l->scan[1];
  int64_t pixel = (int64_t)l->groups * l->depth, plane_values = (int64_t)l->pixels * l->values;
  int32_t rows = l->rows + l->further[0];
  for (int32_t slice = 0; slice < l->slices; slice++)
    for (int32_t plane = 0; plane < l->planes; plane++, to += plane_values) {
      for (int32_t i = 0; i < rows; i++) {
        int32_t row = (begin + i) * y->advance + plane / l->remainders[1] - y->before;
        int64_t first = ((int64_t)image * y->from + row) * x->from * pixel + channel + slice * DEPTH;
        copy_row(l, row < 0 || row >= y->from ? NULL : images, first, pixel, plane % l->remainders[1] - x->before,
                 l->depth - slice * DEPTH, to + (int64_t)i * l->pitch * l->values);
      }
      int64_t used = (int64_t)rows * l->pitch;
      copy_zeros(l, l->pixels - used, to + used * l->values);
    }
}

/* ---- products ---- */

/* Pixels that follow one another in a piece of a phase, and one panel. */
typedef struct {
  icl_dtype dtype;      /* of images */
  const uint16_t *from; /* the first pixel that the first tap of plane 0 reads */
  size_t pixel;         /* bytes */
  int64_t slice, term;  /* bytes to the next one */
  int slices, steps;
  const step *step;
  const uint32_t *weights;
  float *sums; /* [pixel][made channel] */
} product;

/* 16 pixels by half a panel, whose weights are in register 6 and the rests of those in 7; n is a digit. */
#define MULTIPLY_PIXELS(n, upper, rest)                                                                                \
  do {                                                                                                                 \
    if (terms == 2) {                                                                                                  \
      UNIT_LOAD(rest, at + m->term + n * UNIT * m->pixel, m->pixel);                                                   \
      UNIT_MULTIPLY(n, rest, 6);                                                                                       \
    }                                                                                                                  \
    UNIT_LOAD(upper, at + n * UNIT * m->pixel, m->pixel);                                                              \
    UNIT_MULTIPLY(n, upper, 6);                                                                                        \
    if (terms == 2)                                                                                                    \
      UNIT_MULTIPLY(n, upper, 7);                                                                                      \
  } while (0)

/* 32 pixels and a whole panel, the sums row by row, or 64 pixels and half of one. */
INLINE void multiply(const product *m, int width, icl_dtype dtype) {
  int terms = terms_of(dtype);
  const char *slice = (const char *)m->from;
  const uint32_t *w = m->weights;
  UNIT_ZERO(0);
  UNIT_ZERO(1);
  UNIT_ZERO(2);
  UNIT_ZERO(3);
  for (int s = 0; s < m->slices; s++, slice += m->slice)
    for (int i = 0; i < m->steps; i++, w += terms * width * UNIT) {
      const char *at = slice + (size_t)m->step[i].pixel * m->pixel;
      if (width == PANEL) {
        operand pixels = {at, at + UNIT * m->pixel, m->pixel, m->term},
                panel = {w, w + UNIT_VALUES, UNIT_ROW, 2 * UNIT_BYTES};
        multiply_terms(pixels, panel, 2, dtype);
        continue;
      }
      UNIT_LOAD(6, w, UNIT_ROW);
      if (terms == 2)
        UNIT_LOAD(7, w + UNIT_VALUES, UNIT_ROW);
      MULTIPLY_PIXELS(0, 4, 5);
      MULTIPLY_PIXELS(1, 5, 4);
      MULTIPLY_PIXELS(2, 4, 5);
      MULTIPLY_PIXELS(3, 5, 4);
    }
}

INLINE void store_sums(float *sums, int width) {
  size_t row = (size_t)width * sizeof *sums, next = width == PANEL ? UNIT : UNIT_VALUES;
  UNIT_STORE(0, sums, row);
  UNIT_STORE(1, sums + next, row);
  UNIT_STORE(2, sums + 2 * UNIT_VALUES, row);
  UNIT_STORE(3, sums + 2 * UNIT_VALUES + next, row);
}

/* Where results go: rows of a piece in one phase. */
typedef struct {
  void *images;
  int64_t first;       /* the first pixel's first channel of the panel */
  int64_t row, column; /* values to the next one */
  int32_t rows, across, pitch, channels;
} target;

/* `count` pixels of sums, the first of them in some row and column. */
INLINE void put(const target *t, const float *sums, int count, int width, int32_t row, int32_t column,
                icl_dtype dtype) {
  for (int i = 0; i < count && row < t->rows; i++, sums += width) {
    int64_t to = t->first + row * t->row + column * t->column;
    if (column < t->across)
      for (int c = 0; c < width; c += LANES)
        if (c < t->channels)
          store_part(dtype, t->images, to + c, smaller(t->channels - c, LANES), load(ICL_F32, sums, c));
    if (++column == t->pitch) {
      column = 0;
      row++;
    }
  }
}

/* Results wait for the next product, so that the unit has work while they are rounded. */
INLINE void make_piece(product *m, const target *t, int width, icl_dtype dtype) {
  _Alignas(64) float sums[2][BLOCK * UNIT];
  int count = BLOCK * UNIT / width;
  int32_t all = (t->rows - 1) * t->pitch + t->across, row = 0, column = 0;
  for (int32_t first = 0, block = 0; first < all; first += count, block++) {
    multiply(m, width, dtype);
    if (block) {
      put(t, sums[(block - 1) % 2], count, width, row, column, dtype);
      column += count;
      row += column / t->pitch;
      column %= t->pitch;
    }
    store_sums(sums[block % 2], width);
    m->from += (size_t)count * m->pixel / sizeof *m->from;
  }
  put(t, sums[(ceiling(all, count) - 1) % 2], count, width, row, column, dtype);
}

NOINLINE void make_whole(product *m, const target *t) { FOR_FLOATS(m->dtype, make_piece, m, t, PANEL); }
NOINLINE void make_half(product *m, const target *t) { FOR_FLOATS(m->dtype, make_piece, m, t, UNIT); }

/* One phase of `count` pieces, which begin with piece `first` of all images. */
static void make_phase(const problem *l, int32_t phase, int32_t first, int32_t count, const uint16_t *copies,
                       const uint32_t *weights, void *to, int64_t channel) {
  const scan *y = &l->scan[0], *x = &l->scan[1];
  step steps[KERNEL * KERNEL];
  int64_t pixel = (int64_t)l->groups * l->made, row = x->to * pixel;
  int32_t down = phase / x->step, right = phase % x->step, all = pixels_of_phase(y, down);
  product m = {.dtype = l->dtype,
               .pixel = (size_t)l->values * sizeof *copies,
               .slice = (int64_t)l->planes * l->pixels * l->values * (int64_t)sizeof *copies,
               .term = l->term * (int64_t)sizeof *copies,
               .slices = l->slices,
               .steps = steps_of(l, phase, steps),
               .step = steps};
  target t = {.images = to,
              .row = y->step * row,
              .column = x->step * pixel,
              .across = pixels_of_phase(x, right),
              .pitch = l->pitch};
  for (int32_t at = 0; at < l->registers; at += 2) {
    t.channels = l->made - at * UNIT;
    m.weights = weights + (int64_t)at * l->slices * m.steps * l->terms * UNIT_VALUES;
    for (int32_t p = 0; p < count && t.across > 0; p++) {
      int32_t image = (first + p) / l->pieces, begin = (first + p) % l->pieces * l->rows;
      m.from = copies + p * values_of_piece(l);
      t.rows = smaller(all - begin, l->rows);
      t.first =
          (((int64_t)image * y->to + begin * y->step + down) * x->to + right) * pixel + channel + (int64_t)at * UNIT;
      if (t.rows > 0)
        (t.channels > UNIT ? make_whole : make_half)(&m, &t);
    }
  }
}

static void convolve(const icl__conv_shape *s, const void *from, const float *weights, void *to, float *scratch,
                     int part, int parts) {
  problem l = problem_of(s);
  uint16_t *copies = (uint16_t *)scratch;
  portion own = {part, parts, false};
  int32_t all = s->images * l.pieces, end = (int32_t)end_pixel(own, all);
  int64_t group_weights = weights_before(&l, phases_of(&l)) * UNIT_VALUES;
  for (int32_t first = (int32_t)first_pixel(own, all), count; first < end; first += count) {
    count = smaller(end - first, l.at_once);
    for (int32_t group = 0; group < l.groups; group++) {
      for (int32_t p = 0; p < count; p++)
        copy_piece(&l, from, (first + p) / l.pieces, (first + p) % l.pieces * l.rows, (int64_t)group * l.depth,
                   copies + p * values_of_piece(&l));
      const uint32_t *of_group = (const uint32_t *)weights + group * group_weights;
      unit_begin();
      for (int32_t phase = 0; phase < phases_of(&l); phase++)
        make_phase(&l, phase, first, count, copies, of_group + weights_before(&l, phase) * UNIT_VALUES, to,
                   (int64_t)group * l.made);
      unit_end();
    }
  }
}

/* ---- weights ---- */

/* Weights of 32 values that are read, and 16 channels from `made` on. Merged groups have weights with their own
 * channels only. */
static void fill_register(const icl__conv_shape *s, const problem *l, const float *hwio, const step *taps,
                          int32_t slice, int32_t made, float square[DEPTH][UNIT]) {
  bool back = s->direction == ICL__CONV_INPUT;
  int32_t depth = l->depth / l->merged, out = l->made / l->merged, in = s->x[2] / s->groups,
          last = s->kernel[0] * s->kernel[1] - 1;
  memset(square, 0, DEPTH * UNIT * sizeof(float));
  for (int k = 0; k < DEPTH; k++) {
    int32_t tap = taps->tap[0], read = slice * DEPTH + k;
    if (l->values == UNIT) {
      tap = taps->tap[k / UNIT];
      read = k % UNIT;
    }
    if (tap < 0 || read >= l->depth)
      continue;
    int32_t own = read / depth * out, begin = larger_of(own, made), end = smaller(own + out, made + UNIT);
    const float *matrix = hwio + (int64_t)(back ? last - tap : tap) * in * s->y[2];
    for (int32_t c = begin; c < end; c++)
      square[k][c - made] =
          back ? matrix[(int64_t)(c - own) * s->y[2] + read] : matrix[(int64_t)(read % depth) * s->y[2] + c];
  }
}

/* Rows in pairs, the terms `term` numbers apart. */
INLINE void round_pairs(float square[DEPTH][UNIT], uint32_t *to, int64_t term, icl_dtype images) {
  for (int k = 0; k < UNIT; k++)
    for (int c = 0; c < UNIT; c += LANES, to += LANES) {
      vec_bits pairs[2];
      split_pairs(load(ICL_F32, square[2 * k], c), load(ICL_F32, square[2 * k + 1], c), pairs);
      for (int i = 0; i < terms_of(images); i++)
        memcpy(to + i * term, &pairs[i], sizeof pairs[i]);
    }
}

static void prepare(const icl__conv_shape *s, const float *hwio, float *weights, int part, int parts) {
  problem l = problem_of(s);
  step steps[KERNEL * KERNEL];
  float square[DEPTH][UNIT];
  int64_t group_weights = weights_before(&l, phases_of(&l)) * UNIT_VALUES, all = (int64_t)l.groups * l.registers;
  for (int64_t n = all * part / parts; n < all * (part + 1) / parts; n++) {
    int32_t group = (int32_t)(n / l.registers), at = (int32_t)(n % l.registers), panel = at / 2 * 2,
            wide = smaller(l.registers - panel, 2);
    bool back = s->direction == ICL__CONV_INPUT;
    const float *from = hwio + group * (back ? l.depth : l.made);
    for (int32_t phase = 0; phase < phases_of(&l); phase++) {
      int count = steps_of(&l, phase, steps);
      uint32_t *to = (uint32_t *)weights + group * group_weights + weights_before(&l, phase) * UNIT_VALUES;
      to += ((int64_t)panel * l.slices * count * l.terms + at - panel) * UNIT_VALUES;
      for (int32_t slice = 0; slice < l.slices; slice++)
        for (int i = 0; i < count; i++, to += l.terms * wide * UNIT_VALUES) {
          fill_register(s, &l, from, &steps[i], slice, at * UNIT, square);
          FOR_FLOATS(l.dtype, round_pairs, square, to, (int64_t)wide * UNIT_VALUES);
        }
    }
  }
}

static size_t weights(const icl__conv_shape *s) {
  problem l = problem_of(s);
  return (size_t)l.groups * (size_t)weights_before(&l, phases_of(&l)) * UNIT_VALUES;
}

static size_t scratch_floats(const icl__conv_shape *s) {
  problem l = problem_of(s);
  return (size_t)l.at_once * (size_t)values_of_piece(&l) / 2;
}

static bool fits(const icl__conv_shape *s) {
  return s->direction != ICL__CONV_WEIGHT && is_lane_dtype(s->dtype) && s->kernel[0] <= KERNEL &&
         s->kernel[1] <= KERNEL;
}

const icl__conv_kernel ISA_NAME(icl__amx_convolve) = {
    .name = "amx",
    .fits = fits,
    .weights = weights,
    .scratch = scratch_floats,
    .prepare = prepare,
    .convolve = convolve,
};
