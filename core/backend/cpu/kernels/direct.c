/* direct.c - convolutions by their definition, as matrix products of pixels and channels.
 *
 * A pixel that is made is a sum over the taps of the kernel, each a product of the channels of a pixel that is read
 * with a matrix of weights; taps that are neighbours in memory are one longer product. An input gradient is a
 * convolution as well, with turned weights. direct_problem.h says which pixels and taps belong together.
 *
 * Prepared weights: [group][panel of 2 registers of made channels][tap][read channel][lanes of the panel]. A weight
 * gradient is [group][made channel][tap][read channel] until it is finished. Those of groups that are shuffled have a
 * form of their own. */
#include "backend/cpu/kernels/direct_groups.h"
#include "backend/cpu/kernels/transpose.h"

/* What is held in registers: PIXELS and two registers of made channels; of a weight gradient CHANNELS that are made and
 * three registers of those that are read. */
#if defined __AVX512F__
enum { PIXELS = 8, CHANNELS = 8 };
#elif defined __AVX2__
enum { PIXELS = 6, CHANNELS = 4 };
#else
enum { PIXELS = 4, CHANNELS = 4 };
#endif
enum { PANEL = 2 * LANES, STRIPE = 3 * LANES };

/* ---- forward, and input gradients ---- */

/* sum[p][c] += sum over k < depth of from[at[p] + k] w[k][c] */
INLINE void multiply(vec sum[PIXELS][2], const float *from, const int64_t at[PIXELS], const float *w, int32_t depth,
                     int pixels, int columns) {
  UNROLL(8)
  for (int32_t k = 0; k < depth; k++, from++, w += PANEL) {
    vec row[2];
    UNROLL(2)
    for (int c = 0; c < columns; c++)
      row[c] = load(ICL_F32, w, c * LANES);
    UNROLL(8)
    for (int p = 0; p < pixels; p++) {
      vec x = splat(from[at[p]]);
      UNROLL(2)
      for (int c = 0; c < columns; c++)
        sum[p][c] += x * row[c];
    }
  }
}

/* Pixels from `first` on, `count` channels from `channel` of the group on. */
INLINE void make(const product *m, const block *at, int32_t first, const float *w, int32_t channel, int32_t count,
                 int pixels, int columns, icl_dtype dtype) {
  vec sum[PIXELS][2] = {{{0}}};
  int64_t from[PIXELS];
  UNROLL(8)
  for (int p = 0; p < pixels; p++)
    from[p] = at->from[first + p];
  for (int i = 0; i < m->count; i++)
    multiply(sum, m->from + m->runs[i].from, from, w + (int64_t)m->runs[i].tap * m->problem->depth * PANEL,
             m->runs[i].depth, pixels, columns);
  UNROLL(8)
  for (int p = 0; p < pixels; p++)
    UNROLL(2)
  for (int c = 0; c < columns; c++)
    store_part(dtype, m->to, at->to[first + p] + m->channel + channel + c * LANES, smaller(count - c * LANES, LANES),
               sum[p][c]);
}

/* All pixels; at the end some that were made already are made once more, so that there are enough. */
INLINE void make_panel(const product *m, const block *at, const float *w, int32_t channel, int32_t count, int columns,
                       icl_dtype dtype) {
  if (at->count < PIXELS) {
    for (int32_t p = 0; p < at->count; p++)
      make(m, at, p, w, channel, count, 1, columns, dtype);
    return;
  }
  for (int32_t p = 0; p < at->count; p += PIXELS)
    make(m, at, p + PIXELS <= at->count ? p : at->count - PIXELS, w, channel, count, PIXELS, columns, dtype);
}

INLINE void make_block(const product *m, const block *at, icl_dtype dtype) {
  int64_t panel = (int64_t)m->problem->taps * m->problem->depth * PANEL;
  for (int32_t n = m->first; n < m->end; n++) {
    int32_t c = n * PANEL, left = m->problem->made - c;
    const float *w = m->weights + n * panel;
    if (left > LANES)
      make_panel(m, at, w, c, smaller(left, PANEL), 2, dtype);
    else
      make_panel(m, at, w, c, left, 1, dtype);
  }
}

NOINLINE void make_f32(const product *m, const block *at) { make_block(m, at, ICL_F32); }
NOINLINE void make_bf16(const product *m, const block *at) { make_block(m, at, ICL_BF16); }

static size_t panels_of(const problem *l) { return (size_t)ceiling(l->made, PANEL); }

static size_t weights_of_group(const problem *l) {
  return l->shuffled ? group_weights(l) : panels_of(l) * PANEL * (size_t)l->taps * (size_t)l->depth;
}

static void make_some(const product *m, const block *at) {
  bool half = m->problem->dtype == ICL_BF16;
  if (m->problem->shuffled)
    (half ? make_groups_bf16 : make_groups_f32)(m, at);
  else
    (half ? make_bf16 : make_f32)(m, at);
}

/* A group's share of one strip. */
static void convolve_strip(const problem *l, portion own, const strip *at, const source *s, product *m,
                           run runs[KERNEL * KERNEL]) {
  block some;
  int32_t most = l->block / PIXELS * PIXELS;
  for (int32_t phase = 0; phase < l->scan[0].step * l->scan[1].step; phase++) {
    field f = field_of(l, at, phase);
    m->count = runs_of(l, &f, s, runs);
    int64_t end = end_pixel(own, f.count);
    for (int64_t first = first_pixel(own, f.count); first < end; first += some.count) {
      find_pixels(l, at, &f, s, first, (int32_t)(end - first < most ? end - first : most), &some);
      make_some(m, &some);
    }
  }
}

static void convolve(const icl__conv_shape *shape, const void *from, const float *weights, void *to, float *scratch,
                     int part, int parts) {
  problem l = problem_of(shape);
  int32_t panels = (int32_t)panels_of(&l);
  portion own = {part, parts, divides_well((int64_t)l.groups * panels, parts)};
  run runs[KERNEL * KERNEL];
  for (strip at = {0}; next_strip(&l, &at);)
    for (int32_t group = 0; group < l.groups; group++) {
      product m = {.problem = &l, .runs = runs, .to = to, .channel = (int64_t)group * l.made};
      m.first = first_panel(own, group, l.groups, panels);
      m.end = end_panel(own, group, l.groups, panels);
      if (m.first == m.end)
        continue;
      source s = read_strip(&l, &at, from, group, scratch);
      m.from = s.data;
      m.weights = weights + (size_t)group * weights_of_group(&l);
      convolve_strip(&l, own, &at, &s, &m, runs);
    }
}

/* ---- weight gradients ---- */

/* A piece of the gradient: `rows` made channels, `values` read ones of a run. */
typedef struct {
  const float *x; /* of pixel p, STRIPE values from x + at[p] on */
  const int64_t *at;
  const float *g; /* CHANNELS made channels of each pixel */
  int32_t pixels;
  float *gradient;
  int64_t pitch; /* from one made channel to the next */
  int32_t rows, values;
  bool accumulate;
} piece;

INLINE void correlate(const piece *t, int columns) {
  vec sum[CHANNELS][3] = {{{0}}};
  const float *g = t->g;
  UNROLL(4)
  for (int32_t p = 0; p < t->pixels; p++, g += CHANNELS) {
    vec x[3];
    UNROLL(3)
    for (int c = 0; c < columns; c++)
      x[c] = load(ICL_F32, t->x + t->at[p], c * LANES);
    UNROLL(8)
    for (int r = 0; r < CHANNELS; r++) {
      vec w = splat(g[r]);
      UNROLL(3)
      for (int c = 0; c < columns; c++)
        sum[r][c] += w * x[c];
    }
  }
  UNROLL(8)
  for (int r = 0; r < CHANNELS; r++)
    UNROLL(3)
  for (int c = 0; c < columns; c++) {
    float *to = t->gradient + r * t->pitch + c * LANES;
    int32_t lanes = smaller(t->values - c * LANES, LANES);
    if (r < t->rows)
      store_part(ICL_F32, to, 0, lanes, t->accumulate ? load_part(ICL_F32, to, 0, lanes) + sum[r][c] : sum[r][c]);
  }
}

NOINLINE void correlate_one(const piece *t) { correlate(t, 1); }
NOINLINE void correlate_two(const piece *t) { correlate(t, 2); }
NOINLINE void correlate_three(const piece *t) { correlate(t, 3); }

/* Made channels, CHANNELS at a time: to[slice][pixel][CHANNELS]. */
INLINE void slice_channels(const problem *l, const block *at, const void *gy, int64_t channel, float *to,
                           icl_dtype dtype) {
  int64_t slice = (int64_t)at->count * CHANNELS;
  for (int32_t c = 0; c < l->made; c += LANES, to += LANES / CHANNELS * slice)
    for (int32_t p = 0; p < at->count; p++) {
      vec g = load_part(dtype, gy, at->to[p] + channel + c, smaller(l->made - c, LANES));
      UNROLL(2)
      for (int s = 0; s < LANES / CHANNELS; s++)
        memcpy(to + s * slice + p * CHANNELS, (const float *)&g + s * CHANNELS, CHANNELS * sizeof *to);
    }
}

/* `count` values of each pixel: to[pixel][STRIPE] */
static void pack_stripe(const float *from, const block *at, int32_t count, float *to) {
  for (int32_t p = 0; p < at->count; p++, to += STRIPE)
    for (int32_t c = 0; c < count; c += LANES)
      store(ICL_F32, to, c, load_part(ICL_F32, from, at->from[p] + c, smaller(count - c, LANES)));
}

/* Is a stripe of so many values copied? Not unless its pixels meet in the same sets of a cache, or reading whole
 * registers of the last pixel could leave the memory of an image; behind a strip there is more memory. */
static bool is_packed(const problem *l, int32_t values) {
  return l->depth % 64 == 0 || (!l->copied && values < STRIPE);
}

/* One run of taps, for all made channels of the group. */
static void correlate_run(const problem *l, const run *r, const float *from, const block *at, const float *g,
                          float *packed, float *gradient, bool accumulate) {
  int64_t even[GRADIENT_BLOCK];
  for (int32_t p = 0; p < at->count; p++)
    even[p] = p * STRIPE;
  piece t = {.pixels = at->count, .accumulate = accumulate, .pitch = (int64_t)l->taps * l->depth};
  for (int32_t i = 0; i < r->depth; i += STRIPE) {
    t.values = smaller(r->depth - i, STRIPE);
    bool pack = is_packed(l, t.values);
    t.at = pack ? even : at->from;
    t.x = pack ? packed : from + i;
    if (pack)
      pack_stripe(from + i, at, t.values, packed);
    for (int32_t c = 0; c < l->made; c += CHANNELS) {
      t.g = g + (int64_t)c * at->count;
      t.gradient = gradient + c * t.pitch + (int64_t)r->tap * l->depth + i;
      t.rows = l->made - c;
      (t.values > 2 * LANES ? correlate_three : t.values > LANES ? correlate_two : correlate_one)(&t);
    }
  }
}

static size_t gradient_of_group(const problem *l) {
  return l->shuffled ? group_weights(l) : (size_t)l->made * (size_t)l->taps * (size_t)l->depth;
}

static void differentiate(const icl__conv_shape *shape, const void *x, const void *gy, float *gradients,
                          bool accumulate, float *scratch) {
  problem l = problem_of(shape);
  float *packed = scratch + strip_floats(&l), *g = packed + STRIPE * GRADIENT_BLOCK;
  run runs[KERNEL * KERNEL];
  block some;
  for (strip at = {0}; next_strip(&l, &at);) {
    field f = field_of(&l, &at, 0);
    for (int32_t group = 0; group < l.groups; group++) {
      source s = read_strip(&l, &at, x, group, scratch);
      int count = runs_of(&l, &f, &s, runs);
      float *gradient = gradients + (size_t)group * gradient_of_group(&l);
      for (int64_t first = 0; first < f.count; first += some.count) {
        find_pixels(&l, &at, &f, &s, first, GRADIENT_BLOCK, &some);
        bool add = accumulate || at.image > 0 || at.row > 0 || first > 0;
        if (l.shuffled)
          FOR_FLOATS(l.dtype, pack_group_gradients, &l, &some, gy, (int64_t)group * l.made, g);
        else
          FOR_FLOATS(l.dtype, slice_channels, &l, &some, gy, (int64_t)group * l.made, g);
        for (int i = 0; i < count; i++)
          if (l.shuffled)
            correlate_group_run(&l, &runs[i], s.data + runs[i].from, &some, g, gradient, add);
          else
            correlate_run(&l, &runs[i], s.data + runs[i].from, &some, g, packed, gradient, add);
      }
    }
  }
}

/* Sums of gradients, turned: LANES channels that are read at a time, for every channel that is made. Of merged groups
 * the diagonal blocks are kept. */
static void finish(const icl__conv_shape *s, const float *gradients, int count, size_t stride, float *hwio, int part,
                   int parts) {
  problem l = problem_of(s);
  for (int64_t n = (int64_t)l.groups * part / parts; l.shuffled && n < (int64_t)l.groups * (part + 1) / parts; n++)
    finish_groups(&l, gradients, count, stride, hwio, n);
  if (l.shuffled)
    return;
  int32_t in = l.depth / l.merged, out = l.made / l.merged, stripes = ceiling(l.depth, LANES);
  int64_t all = (int64_t)l.groups * l.taps * stripes;
  for (int64_t n = all * part / parts; n < all * (part + 1) / parts; n++) {
    int64_t group = n / stripes / l.taps, tap = n / stripes % l.taps;
    int32_t first = (int32_t)(n % stripes) * LANES, lanes = smaller(l.depth - first, LANES);
    for (int32_t o = 0; o < l.made; o++) {
      const float *from = gradients + ((group * l.made + o) * l.taps + tap) * l.depth + first;
      vec sum = load_part(ICL_F32, from, 0, lanes);
      for (int i = 1; i < count; i++)
        sum += load_part(ICL_F32, from + (size_t)i * stride, 0, lanes);
      int32_t own = o / out * in;
      float *to = hwio + tap * in * s->y[2] + group * l.made + o;
      for (int32_t i = larger_of(own, first); i < smaller(own + in, first + lanes); i++)
        to[(int64_t)(i - own) * s->y[2]] = sum[i - first];
    }
  }
}

/* ---- weights ---- */

/* The weights of a panel: read channels first to first + count - 1, made channels from `channel` on. Where groups are
 * merged, a channel has weights with its own group only: `depth` and `made` channels. */
typedef struct {
  const float *hwio; /* from the group's first weight on */
  int64_t pitch;     /* from one channel of x to the next */
  int32_t depth, made, channel, first, count;
} part_of_panel;

/* Forward: made channels lie together. */
static void copy_panel(const part_of_panel *p, float *panel) {
  memset(panel, 0, (size_t)p->count * PANEL * sizeof *panel);
  for (int32_t k = p->first; k < p->first + p->count; k++, panel += PANEL) {
    int32_t own = k / p->depth * p->made, begin = larger_of(own, p->channel),
            end = smaller(own + p->made, p->channel + PANEL);
    const float *row = p->hwio + k % p->depth * p->pitch;
    if (begin < end)
      memcpy(panel + begin - p->channel, row + begin, (size_t)(end - begin) * sizeof *panel);
  }
}

/* Lanes from `begin` to end - 1 are those of memory, the others 0. */
INLINE vec load_between(const float *first, int32_t begin, int32_t end) {
  if (begin == 0 && end == LANES)
    return load(ICL_F32, first, 0);
  float lanes[LANES] = {0};
  if (begin < end)
    memcpy(lanes + begin, first + begin, (size_t)(end - begin) * sizeof *first);
  return load(ICL_F32, lanes, 0);
}

/* Input gradients: read channels lie together; `all` made channels there are. */
static void turn_panel(const part_of_panel *p, int32_t all, float *panel) {
  for (int32_t k = 0; k < p->count; k += LANES)
    for (int32_t c = 0; c < PANEL; c += LANES) {
      vec r[LANES];
      int32_t from = p->first + k, until = smaller(p->count - k, LANES);
      for (int32_t i = 0; i < LANES; i++) {
        int32_t made = p->channel + c + i, own = made / p->made * p->depth - from;
        const float *row = p->hwio + made % p->made * p->pitch + from;
        r[i] = made < all ? load_between(row, larger_of(own, 0), smaller(own + p->depth, until)) : (vec){0};
      }
      transpose(r);
      for (int32_t i = 0; i < until; i++)
        store(ICL_F32, panel, (k + i) * PANEL + c, r[i]);
    }
}

static void prepare(const icl__conv_shape *s, const float *hwio, float *weights, int part, int parts) {
  enum { NEAR = 64 }; /* channels whose weights stay in a cache while they are turned */
  problem l = problem_of(s);
  bool back = s->direction == ICL__CONV_INPUT;
  for (int64_t n = (int64_t)l.groups * part / parts; l.shuffled && n < (int64_t)l.groups * (part + 1) / parts; n++)
    prepare_groups(&l, back, hwio, weights, n);
  if (l.shuffled)
    return;
  int64_t panels = (int64_t)panels_of(&l), all = l.groups * panels, matrix = (int64_t)s->x[2] / s->groups * s->y[2];
  for (int64_t n = all * part / parts; n < all * (part + 1) / parts; n++)
    for (int32_t tap = 0; tap < l.taps; tap++) {
      part_of_panel p = {.pitch = s->y[2], .depth = l.depth / l.merged, .made = l.made / l.merged};
      p.hwio = hwio + (back ? l.taps - 1 - tap : tap) * matrix + n / panels * (back ? l.depth : l.made);
      p.channel = (int32_t)(n % panels) * PANEL;
      float *to = weights + (n * l.taps + tap) * l.depth * PANEL;
      for (; p.first < l.depth; p.first += NEAR, to += NEAR * PANEL) {
        p.count = smaller(l.depth - p.first, NEAR);
        if (back)
          turn_panel(&p, l.made, to);
        else
          copy_panel(&p, to);
      }
    }
}

/* ---- sizes ---- */

static size_t weights(const icl__conv_shape *s) {
  problem l = problem_of(s);
  return (size_t)l.groups * (s->direction == ICL__CONV_WEIGHT ? gradient_of_group(&l) : weights_of_group(&l));
}

static size_t scratch(const icl__conv_shape *s) {
  problem l = problem_of(s);
  if (s->direction != ICL__CONV_WEIGHT)
    return strip_floats(&l);
  return strip_floats(&l) + GRADIENT_BLOCK * (STRIPE + (size_t)ceiling(l.made, LANES) * LANES);
}

static bool fits(const icl__conv_shape *s) { return s->kernel[0] <= KERNEL && s->kernel[1] <= KERNEL; }

const icl__conv_kernel ISA_NAME(icl__direct) = {
    "direct", fits, weights, scratch, prepare, convolve, differentiate, finish,
};
