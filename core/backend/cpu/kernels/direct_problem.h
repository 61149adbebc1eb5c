/* direct_problem.h - what direct.c sums up: which pixels and taps make a pixel, where they lie, and in what portions
 * they are worked on.
 *
 * f32 images that need no zeros around them are read as they lie; of others a strip of rows is copied first, one group
 * of channels of it, with its zeros.
 *
 * With a stride the pixels of an input gradient have phases: pixels whose places leave the same remainder are made by
 * the same taps. Narrow groups are merged: as many as a register has lanes for, where they have 1, 2, 4 or 8 channels
 * on both sides (direct_groups.h), until they have up to 8 channels otherwise: then the matrix of their weights is zero
 * outside its diagonal blocks. */
#ifndef ICL_BACKEND_CPU_KERNELS_DIRECT_PROBLEM_H
#define ICL_BACKEND_CPU_KERNELS_DIRECT_PROBLEM_H

#include "backend/cpu/kernels/portion.h"
#include "backend/cpu/kernels/scan.h"
#include "backend/cpu/kernels/vector.h"

enum {
  KERNEL = 7,           /* taps along an axis, at most */
  NARROW = 8,           /* channels of merged groups, at most */
  CACHED = 1 << 15,     /* floats that are worked on together: half of a cache of 256 KB */
  BLOCK = 512,          /* pixels that are worked on together, at most */
  FEW = 48,             /* and at least, where there are as many */
  GRADIENT_BLOCK = 128, /* the same for a weight gradient, whose pixels pass through a cache of 32 KB */
};

/* ---- the whole ---- */

typedef struct {
  icl_dtype dtype;
  scan scan[2]; /* down, across */
  int32_t images, taps;
  int32_t merged, groups; /* groups of the layer in one of these; of these */
  int32_t depth, made;    /* channels of a group that are read, that are made */
  int32_t shuffled;       /* channels of a group of the layer, on either side, if they are; else 0 */
  bool copied;
  int32_t strip_images, strip_rows; /* whole images, or rows of one; rows are those of a phase */
  int32_t block;                    /* pixels */
} problem;

static inline void choose_strip(problem *l) {
  const scan *y = &l->scan[0], *x = &l->scan[1];
  int32_t rows = pixels_of(y), across = pixels_of(x), few = ceiling(FEW, across);
  l->strip_images = l->images;
  l->strip_rows = rows;
  if (!l->copied)
    return;
  int64_t line = (int64_t)extent(x, across) * l->depth, fit = (CACHED / line - extent(y, 1)) / y->advance + 1;
  if (rows <= few || rows <= fit) {
    int64_t images = CACHED / (line * extent(y, rows)), least = ceiling(FEW, rows * across);
    images = images < least ? least : images;
    l->strip_images = images < l->images ? (int32_t)images : l->images;
  } else {
    l->strip_images = 1;
    l->strip_rows = (int32_t)(fit < few ? few : fit);
  }
}

static inline problem problem_of(const icl__conv_shape *s) {
  bool back = s->direction == ICL__CONV_INPUT;
  int32_t in = s->x[2] / s->groups, out = s->y[2] / s->groups;
  bool shuffles = s->groups > 1 && in == out && in <= NARROW && in < LANES && LANES % in == 0;
  int32_t merged = merged_groups(s->groups, in, out, shuffles ? LANES : NARROW);
  problem l = {.dtype = s->dtype,
               .scan = {scan_of(s, 0), scan_of(s, 1)},
               .images = s->images,
               .taps = s->kernel[0] * s->kernel[1],
               .merged = merged,
               .groups = s->groups / merged,
               .depth = merged * (back ? out : in),
               .made = merged * (back ? in : out),
               .shuffled = shuffles ? in : 0};
  l.copied = shuffles || s->dtype != ICL_F32 || needs_zeros(&l.scan[0]) || needs_zeros(&l.scan[1]);
  int32_t fit = CACHED / l.depth;
  l.block = fit < FEW ? FEW : smaller(fit, BLOCK);
  choose_strip(&l);
  return l;
}

/* ---- strips ---- */

typedef struct {
  int32_t image, images, row, rows; /* the first, how many; rows are those of a phase */
} strip;

/* The strip after `at`, the first after one that is all zero. Returns false at the end. */
static inline bool next_strip(const problem *l, strip *at) {
  int32_t rows = pixels_of(&l->scan[0]);
  at->row += at->rows;
  if (at->row >= rows)
    *at = (strip){.image = at->image + at->images};
  at->images = smaller(l->strip_images, l->images - at->image);
  at->rows = smaller(l->strip_rows, rows - at->row);
  return at->images > 0;
}

/* Images that are read: pixel (n, y, x) of a group begins at data[n * image + y * row + x * pixel]. Zeros before an
 * axis count as pixels. */
typedef struct {
  const float *data;
  int64_t image, row, pixel;
} source;

INLINE void copy_pixels(float *to, const void *from, int64_t first, int64_t pitch, int32_t count, int32_t channels,
                        icl_dtype dtype) {
  for (int32_t i = 0; i < count; i++, first += pitch, to += channels) {
    int32_t c = 0;
    for (; c + LANES <= channels; c += LANES)
      store(ICL_F32, to, c, load(dtype, from, first + c));
    if (c < channels)
      store_part(ICL_F32, to, c, channels - c, load_part(dtype, from, first + c, channels - c));
  }
}

static inline source copy_strip(const problem *l, const strip *at, const void *images, int32_t group, float *to) {
  const scan *y = &l->scan[0], *x = &l->scan[1];
  int32_t high = extent(y, at->rows), wide = extent(x, pixels_of(x)), inside = smaller(x->from, wide - x->before);
  int64_t pitch = (int64_t)l->groups * l->depth, before = x->before * l->depth, pixels = (int64_t)inside * l->depth;
  source copy = {to, (int64_t)high * wide * l->depth, (int64_t)wide * l->depth, l->depth};
  for (int32_t n = at->image; n < at->image + at->images; n++)
    for (int32_t i = 0; i < high; i++, to += copy.row) {
      int32_t row = at->row * y->advance - y->before + i;
      int64_t copied = row < 0 || row >= y->from || inside <= 0 ? 0 : before + pixels;
      memset(to, 0, (size_t)(copied ? before : 0) * sizeof *to);
      memset(to + copied, 0, (size_t)(copy.row - copied) * sizeof *to);
      if (copied)
        FOR_FLOATS(l->dtype, copy_pixels, to + before, images,
                   ((int64_t)n * y->from + row) * x->from * pitch + (int64_t)group * l->depth, pitch, inside, l->depth);
    }
  return copy;
}

static inline source read_strip(const problem *l, const strip *at, const void *images, int32_t group, float *scratch) {
  if (l->copied)
    return copy_strip(l, at, images, group, scratch);
  int64_t pixel = (int64_t)l->groups * l->depth, row = l->scan[1].from * pixel, image = l->scan[0].from * row;
  return (source){(const float *)images + (int64_t)group * l->depth, image, row, pixel};
}

/* Floats of a copy, in whole cache lines; whole registers may be read from the last pixel on. */
static inline size_t strip_floats(const problem *l) {
  const scan *y = &l->scan[0], *x = &l->scan[1];
  size_t pixels = (size_t)l->strip_images * (size_t)extent(y, l->strip_rows) * (size_t)extent(x, pixels_of(x));
  return l->copied ? (pixels * (size_t)l->depth + LANES + 15) / 16 * 16 : 0;
}

/* ---- pixels of one phase in a strip ---- */

typedef struct {
  int32_t phase[2], rows, across;
  int64_t count;
} field;

static inline field field_of(const problem *l, const strip *at, int32_t phase) {
  field f = {.phase = {phase / l->scan[1].step, phase % l->scan[1].step}};
  int32_t left = pixels_of_phase(&l->scan[0], f.phase[0]) - at->row;
  f.rows = left < 0 ? 0 : smaller(at->rows, left);
  f.across = pixels_of_phase(&l->scan[1], f.phase[1]);
  f.count = (int64_t)at->images * f.rows * f.across;
  return f;
}

/* `depth` values, from `from` on behind the first of a pixel, meet the weights of tap `tap` and those that follow. */
typedef struct {
  int64_t from;
  int32_t tap, depth;
} run;

/* Taps that are neighbours in the images and among the weights are one run. */
static inline int runs_of(const problem *l, const field *f, const source *s, run runs[KERNEL * KERNEL]) {
  int count = 0;
  for (int32_t tap = 0; tap < l->taps; tap++) {
    int64_t from = 0;
    bool reads = true;
    for (int d = 0; d < 2; d++) {
      const scan *a = &l->scan[d];
      int32_t t = d ? tap % a->kernel : tap / l->scan[1].kernel, shift = f->phase[d] + t - a->lead;
      reads = reads && shift % a->step == 0;
      from += (shift / a->step + a->before) * (d ? s->pixel : s->row);
    }
    run *last = count ? &runs[count - 1] : NULL;
    if (!reads)
      continue;
    if (last && from == last->from + last->depth && tap == last->tap + last->depth / l->depth)
      last->depth += l->depth;
    else
      runs[count++] = (run){from, tap, l->depth};
  }
  return count;
}

typedef struct {
  int32_t count;
  int64_t from[BLOCK], to[BLOCK]; /* elements: in the source, in the images that are made */
} block;

/* At most `most` pixels, from pixel `first` of the field on. */
static inline void find_pixels(const problem *l, const strip *at, const field *f, const source *s, int64_t first,
                               int32_t most, block *found) {
  const scan *y = &l->scan[0], *x = &l->scan[1];
  int64_t pitch = (int64_t)l->groups * l->made, line = first / f->across;
  int32_t i = (int32_t)(first % f->across), row = (int32_t)(line % f->rows), image = (int32_t)(line / f->rows);
  int64_t skipped = l->copied ? 0 : at->image * s->image + at->row * y->advance * s->row;
  found->count = f->count - first < most ? (int32_t)(f->count - first) : most;
  for (int32_t p = 0; p < found->count; p++) {
    int64_t made = (at->image + image) * (int64_t)y->to + f->phase[0] + (at->row + row) * y->step;
    found->from[p] = skipped + image * s->image + row * y->advance * s->row + i * x->advance * s->pixel;
    found->to[p] = (made * x->to + f->phase[1] + i * x->step) * pitch;
    if (++i == f->across) {
      i = 0;
      if (++row == f->rows)
        row = 0, image++;
    }
  }
}

/* ---- what is made of a group ---- */

typedef struct {
  const problem *problem;
  const float *from;    /* the strip */
  const float *weights; /* of the group */
  const run *runs;
  int count;          /* of runs */
  void *to;           /* images that are made */
  int64_t channel;    /* the group's first */
  int32_t first, end; /* panels of the group */
} product;

#endif
