/* scan.h - how a convolution goes along an axis of its images, and which of its groups are computed as one. */
#ifndef ICL_BACKEND_CPU_KERNELS_SCAN_H
#define ICL_BACKEND_CPU_KERNELS_SCAN_H

#include "backend/cpu/kernels/conv_kernel.h"

static inline int32_t ceiling(int32_t a, int32_t b) { return (a + b - 1) / b; }
static inline int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t larger_of(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t floor_of(int32_t a, int32_t b) { return a >= 0 ? a / b : -ceiling(-a, b); }

/* Made pixel `phase + step * j` reads pixels `advance * j + shift`: tap t does if phase + t - lead is divisible by
 * `step`, and the quotient is its shift. `step` or `advance` is 1. */
typedef struct {
  int32_t from, to; /* pixels read, pixels made */
  int32_t kernel, step, advance, lead;
  int32_t before, reach; /* zeros needed before the first pixel; the largest shift */
} scan;

static inline scan scan_of(const icl__conv_shape *s, int d) {
  bool back = s->direction == ICL__CONV_INPUT;
  scan a = {.from = back ? s->y[d] : s->x[d],
            .to = back ? s->x[d] : s->y[d],
            .kernel = s->kernel[d],
            .step = back ? s->stride[d] : 1,
            .advance = back ? 1 : s->stride[d],
            .lead = back ? s->kernel[d] - 1 - s->padding[d] : s->padding[d]};
  a.before = a.lead > 0 ? a.lead / a.step : 0;
  a.reach = floor_of(a.step - 1 + a.kernel - 1 - a.lead, a.step);
  return a;
}

/* Pixels of a phase; of phase 0, which has most. */
static inline int32_t pixels_of_phase(const scan *a, int32_t phase) { return floor_of(a->to - 1 - phase, a->step) + 1; }
static inline int32_t pixels_of(const scan *a) { return pixels_of_phase(a, 0); }

/* Pixels, zeros among them, that `count` pixels of every phase read. */
static inline int32_t extent(const scan *a, int32_t count) {
  return (count - 1) * a->advance + a->reach + a->before + 1;
}

static inline bool needs_zeros(const scan *a) {
  return a->before > 0 || floor_of((a->to - 1) * a->advance + a->kernel - 1 - a->lead, a->step) >= a->from;
}

/* Of `count` places in a row, `advance` pixels apart and the first of them at pixel `shift`, those from `first` to
 * end - 1 are pixels of an image, which is `size` wide. */
typedef struct {
  int32_t first, end;
} places;

static inline places places_inside(int32_t count, int32_t advance, int32_t shift, int32_t size) {
  int32_t first = smaller(shift < 0 ? ceiling(-shift, advance) : 0, count);
  return (places){first, larger_of(smaller(size > shift ? ceiling(size - shift, advance) : 0, count), first)};
}

/* The largest number of groups that divides them all and has at most `narrow` channels that are read, and made. */
static inline int32_t merged_groups(int32_t groups, int32_t in, int32_t out, int32_t narrow) {
  int32_t most = narrow / larger_of(in, out);
  while (most > 1 && groups % most)
    most--;
  return larger_of(most, 1);
}

#endif
