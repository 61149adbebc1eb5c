/* winograd_problem.h - what winograd.c computes: channels in slices and panels, and images in blocks of tiles. */
#ifndef ICL_BACKEND_CPU_KERNELS_WINOGRAD_PROBLEM_H
#define ICL_BACKEND_CPU_KERNELS_WINOGRAD_PROBLEM_H

#include "backend/cpu/kernels/conv_kernel.h"
#include "backend/cpu/kernels/portion.h"
#include "backend/cpu/kernels/winograd_tile.h"

enum { SLICE = 16, PANEL = 2 * LANES };

/* Images that are read or made, of `channels` a group: tiles begin `step` pixels apart, the first `border` pixels
 * outside. */
typedef struct {
  int32_t h, w, channels, step, border;
} side;

/* The convolution that is computed: for an input gradient that of the result's gradient with weights that are turned by
 * 180 degrees and whose channels have changed sides. */
typedef struct {
  icl_dtype dtype;
  form form;
  int32_t images, groups;
  side from, to;
  int32_t in, out; /* channels of a group, in whole slices */
} problem;

static inline int32_t whole_slices(int32_t count) { return (count + SLICE - 1) / SLICE * SLICE; }

static inline problem problem_of(const icl__conv_shape *s) {
  bool back = s->direction == ICL__CONV_INPUT, same = s->stride[0] == 1;
  side x = {s->x[0], s->x[1], s->x[2] / s->groups, same ? 4 : 8, back ? 0 : 1},
       y = {s->y[0], s->y[1], s->y[2] / s->groups, 4, back && same ? 1 : 0};
  return (problem){.dtype = s->dtype,
                   .form = same   ? SAME
                           : back ? DOUBLED
                                  : HALVED,
                   .images = s->images,
                   .groups = s->groups,
                   .from = back ? y : x,
                   .to = back ? x : y,
                   .in = whole_slices((back ? y : x).channels),
                   .out = whole_slices((back ? x : y).channels)};
}

/* ---- panels: the output channels of two vectors, of one at the end if their number is odd ---- */

static inline int panels_of(int32_t out) { return (out / LANES + 1) / 2; }
static inline int vectors_of(int32_t out, int panel) { return out / LANES - 2 * panel >= 2 ? 2 : 1; }
static inline size_t panel_start(const problem *s, int panel) { return (size_t)panel * PANEL * (size_t)s->in; }

/* Where channel `c` of tile 0 lies within a position. */
INLINE size_t slice_of(int32_t c, int32_t block) { return (size_t)(c / SLICE * block * SLICE + c % SLICE); }

/* ---- sizes of blocks ---- */

static inline size_t cache_of(const icl__conv_shape *shape) {
  enum { USUAL = 1 << 20 };
  return shape->cache ? shape->cache : USUAL;
}

/* Tiles of 4x4 pixels, of the smaller images where the stride is 2. */
static inline int32_t tiles_across(const problem *s) { return ((s->form == DOUBLED ? s->from : s->to).w + 3) / 4; }
static inline int32_t tiles_down(const problem *s) { return ((s->form == DOUBLED ? s->from : s->to).h + 3) / 4; }

/* Tiles that are transformed together: their positions of input and result share a core's cache with the weights,
 * where those fit; larger weights are read again for each block, from a cache of all cores or, the largest, from
 * memory. Large gradients of weights are read and written, so they get larger blocks. With stride 2, where a tile takes
 * twice as much, the same number did for all. */
static inline int32_t block_of(const problem *s, const icl__conv_shape *shape) {
  enum { SHARED = 16 << 20, LARGE = 1 << 15, ROOM = 8 << 20, STRIDED = 32 };
  int64_t matrix = (int64_t)s->in * s->out, weights = MATRICES * 4 * matrix, cache = (int64_t)cache_of(shape);
  bool gradient = shape->direction == ICL__CONV_WEIGHT;
  int64_t room = gradient && matrix >= LARGE ? ROOM : cache - weights;
  int64_t fit = room / (positions_of(s->form) * 4 * ((int64_t)s->in + s->out));
  int64_t least = weights > (gradient ? cache : SHARED) ? 32 : 16;
  int64_t block = s->form != SAME ? STRIDED : fit < least ? least : fit > 64 ? 64 : fit / 16 * 16;
  int64_t tiles = (int64_t)s->images * tiles_down(s) * tiles_across(s);
  return (int32_t)(tiles < block ? (tiles + 15) / 16 * 16 : block);
}

/* A position's values lie 16 floats further apart than they are long: powers of two would meet in the same sets of the
 * cache. */
static inline size_t stride_of(int32_t block, int32_t channels) { return (size_t)block * (size_t)channels + 16; }

/* ---- tiles of the images ---- */

typedef struct {
  problem problem;
  int32_t across, per_image, tiles, block; /* tiles of a row, of an image, of all; of a block */
} grid;

static inline grid grid_of(const icl__conv_shape *shape) {
  problem s = problem_of(shape);
  int32_t across = tiles_across(&s), per_image = tiles_down(&s) * across;
  return (grid){s, across, per_image, s.images * per_image, block_of(&s, shape)};
}

/* The patch of tile `t` in images of a side. */
static inline patch patch_of(const grid *g, const side *of, int32_t t, const void *images) {
  const problem *s = &g->problem;
  int32_t image = t / g->per_image, within = t % g->per_image;
  int64_t pitch = (int64_t)of->channels * s->groups, first = (int64_t)image * of->h * of->w * pitch;
  return (patch){(char *)(uintptr_t)images + (size_t)first * icl_dtype_bytes(s->dtype),
                 of->h,
                 of->w,
                 within / g->across * of->step - of->border,
                 within % g->across * of->step - of->border,
                 pitch};
}

/* How many of LANES channels, from `c` on, there are among `count`. */
static inline int lanes_at(int32_t count, int32_t c) { return count - c > LANES ? LANES : count > c ? count - c : 0; }

#endif
