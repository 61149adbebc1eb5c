/* direct_groups.h - the sums of direct.c for groups of 1, 2, 4 or 8 channels that are fewer than a register has lanes.
 *
 * A register holds the channels of several groups, and a channel that is read is needed in all lanes of its group: a
 * shuffle brings it there. So no product is one with a zero, as there would be with a matrix of all these channels.
 *
 * Prepared weights, and weight gradients until they are finished: [slice of groups][tap][channel of a group that is
 * read][LANES channels that are made]. */
#ifndef ICL_BACKEND_CPU_KERNELS_DIRECT_GROUPS_H
#define ICL_BACKEND_CPU_KERNELS_DIRECT_GROUPS_H

#include "backend/cpu/kernels/direct_problem.h"

/* Pixels that are held in registers. */
#if defined __AVX512F__
enum { GROUP_PIXELS = 8 };
#else
enum { GROUP_PIXELS = 4 };
#endif

/* Calls f(..., own) with the channels of a group as a constant. */
#define FOR_GROUPS(own, f, ...)                                                                                        \
  ((own) == 1 ? f(__VA_ARGS__, 1) : (own) == 2 ? f(__VA_ARGS__, 2) : (own) == 4 ? f(__VA_ARGS__, 4) : f(__VA_ARGS__, 8))

/* Channel `i` of its group in every lane. */
INLINE vec spread(vec x, int i, int own) {
  if (own == 1)
    return x;
  vec_bits from;
  for (int l = 0; l < LANES; l++)
    from[l] = (uint32_t)(l / own * own + i);
  return shuffled(x, from);
}

static inline size_t group_weights(const problem *l) { return (size_t)(l->taps * l->shuffled * LANES); }

/* ---- forward, and input gradients ---- */

/* Pixels from `first` on. */
INLINE void make_group_pixels(const product *m, const block *at, int32_t first, int pixels, icl_dtype dtype, int own) {
  vec sum[GROUP_PIXELS] = {{0}};
  int32_t depth = m->problem->depth;
  for (int n = 0; n < m->count; n++) {
    const float *from = m->from + m->runs[n].from, *w = m->weights + (int64_t)m->runs[n].tap * own * LANES;
    for (int32_t k = 0; k < m->runs[n].depth; k += depth, w += own * LANES) {
      vec x[GROUP_PIXELS];
      UNROLL(8)
      for (int p = 0; p < pixels; p++)
        x[p] = load(ICL_F32, from + at->from[first + p], k);
      UNROLL(8)
      for (int i = 0; i < own; i++) {
        vec row = load(ICL_F32, w, i * LANES);
        UNROLL(8)
        for (int p = 0; p < pixels; p++)
          sum[p] += spread(x[p], i, own) * row;
      }
    }
  }
  UNROLL(8)
  for (int p = 0; p < pixels; p++)
    store_part(dtype, m->to, at->to[first + p] + m->channel, m->problem->made, sum[p]);
}

/* All pixels; at the end some that were made already are made once more, so that there are enough. */
INLINE void make_groups(const product *m, const block *at, icl_dtype dtype, int own) {
  if (at->count < GROUP_PIXELS) {
    for (int32_t p = 0; p < at->count; p++)
      make_group_pixels(m, at, p, 1, dtype, own);
    return;
  }
  for (int32_t p = 0; p < at->count; p += GROUP_PIXELS)
    make_group_pixels(m, at, smaller(p, at->count - GROUP_PIXELS), GROUP_PIXELS, dtype, own);
}

NOINLINE void make_groups_f32(const product *m, const block *at) {
  FOR_GROUPS(m->problem->shuffled, make_groups, m, at, ICL_F32);
}
NOINLINE void make_groups_bf16(const product *m, const block *at) {
  FOR_GROUPS(m->problem->shuffled, make_groups, m, at, ICL_BF16);
}

/* ---- weight gradients ---- */

/* What `taps` neighbours of a run get from a block; `g` has LANES made channels of each pixel. */
INLINE void correlate_taps(const float *from, const block *at, const float *g, float *gradient, bool accumulate,
                           int32_t depth, int taps, int own) {
  vec sum[2][NARROW] = {{{0}}};
  for (int32_t p = 0; p < at->count; p++) {
    vec y = load(ICL_F32, g, p * LANES);
    UNROLL(2)
    for (int t = 0; t < taps; t++) {
      vec x = load(ICL_F32, from + at->from[p], t * depth);
      UNROLL(8)
      for (int i = 0; i < own; i++)
        sum[t][i] += spread(x, i, own) * y;
    }
  }
  UNROLL(2)
  for (int t = 0; t < taps; t++)
    UNROLL(8)
  for (int i = 0; i < own; i++, gradient += LANES)
    store(ICL_F32, gradient, 0, accumulate ? load(ICL_F32, gradient, 0) + sum[t][i] : sum[t][i]);
}

INLINE void correlate_groups(const problem *l, const run *r, const float *from, const block *at, const float *g,
                             float *gradient, bool accumulate, int own) {
  float *to = gradient + (int64_t)r->tap * own * LANES;
  int32_t k = 0;
  for (; k + l->depth < r->depth; k += 2 * l->depth, to += 2 * own * LANES)
    correlate_taps(from + k, at, g, to, accumulate, l->depth, 2, own);
  if (k < r->depth)
    correlate_taps(from + k, at, g, to, accumulate, l->depth, 1, own);
}

NOINLINE void correlate_group_run(const problem *l, const run *r, const float *from, const block *at, const float *g,
                                  float *gradient, bool accumulate) {
  FOR_GROUPS(l->shuffled, correlate_groups, l, r, from, at, g, gradient, accumulate);
}

/* The gradients of the pixels of a block: to[pixel][LANES] */
INLINE void pack_group_gradients(const problem *l, const block *at, const void *gy, int64_t channel, float *to,
                                 icl_dtype dtype) {
  for (int32_t p = 0; p < at->count; p++)
    store(ICL_F32, to, p * LANES, load_part(dtype, gy, at->to[p] + channel, l->made));
}

/* Sums of gradients of slice n. */
static inline void finish_groups(const problem *l, const float *gradients, int count, size_t stride, float *hwio,
                                 int64_t n) {
  const float *from = gradients + (size_t)n * group_weights(l);
  int64_t pitch = (int64_t)l->groups * l->made;
  for (int32_t row = 0; row < l->taps * l->shuffled; row++, from += LANES) {
    vec sum = load(ICL_F32, from, 0);
    for (int i = 1; i < count; i++)
      sum += load(ICL_F32, from + (size_t)i * stride, 0);
    store_part(ICL_F32, hwio, row * pitch + n * l->made, l->made, sum);
  }
}

/* ---- weights ---- */

/* Of slice n. Those of an input gradient are turned by 180 degrees, and the channels of each group change sides. */
static inline void prepare_groups(const problem *l, bool back, const float *hwio, float *weights, int64_t n) {
  int64_t pitch = (int64_t)l->groups * l->made;
  float *to = memset(weights + (size_t)n * group_weights(l), 0, group_weights(l) * sizeof *to);
  const float *from = hwio + n * l->made;
  for (int32_t tap = 0; tap < l->taps; tap++)
    for (int32_t i = 0; i < l->shuffled; i++, to += LANES)
      for (int32_t c = 0; c < l->made; c++)
        if (back)
          to[c] =
              from[((l->taps - 1 - tap) * l->shuffled + c % l->shuffled) * pitch + c / l->shuffled * l->shuffled + i];
        else
          to[c] = from[(tap * l->shuffled + i) * pitch + c];
}

#endif
