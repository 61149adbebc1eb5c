/* winograd.c - 3x3 convolutions of padding 1, and stride 1 or 2, by minimal filtering (Lavin and Gray 2016).
 *
 * With stride 1, F(4x4, 3x3), a tile of 4x4 results needs a tile of 6x6 pixels. Both, and the weights, are transformed
 * to 36 positions, at each of which the sum over channels is a matrix product: 4 times fewer products than by the
 * definition. With stride 2 (winograd_axis.h) there are 81 positions and 1.8 times fewer products; some positions share
 * their weights, which are 36 matrices again. Channels are rounded up to multiples of 16; those that there are not are
 * 0.
 *
 * Transformed weights and weight gradients: [group][36][panels of output channels][input channel][lanes of the panel].
 * Scratch of a block of tiles: [position][channels / 16][tiles][16], so that a product reads the channels of a tile one
 * after another and the channels of eight tiles from eight streams only.
 *
 * Of weight gradients there is a second kernel, which turns pieces of them back at once: [group][panel][input channel]
 * [9][lanes of the panel]. Four times less memory moves, but it is done for every block of tiles, so it is for few, or
 * for large weights. */
#include "backend/cpu/kernels/transpose.h"
#include "backend/cpu/kernels/winograd_products.h"

/* ---- blocks of tiles ---- */

/* Calls f(..., form, dtype) with both as constants. */
#define FOR_FORMS(s, f, ...)                                                                                           \
  ((s)->form == SAME     ? FOR_FLOATS((s)->dtype, f, __VA_ARGS__, SAME)                                                \
   : (s)->form == HALVED ? FOR_FLOATS((s)->dtype, f, __VA_ARGS__, HALVED)                                              \
                         : FOR_FLOATS((s)->dtype, f, __VA_ARGS__, DOUBLED))

/* The last channels, where they fill no register: apart from the loops over the others, which they would slow down. */
static __attribute__((noinline)) void input_rest(const problem *s, const patch *at, int64_t channel, int lanes,
                                                 float *v, size_t stride) {
  FOR_FORMS(s, transform_input, at, channel, lanes, v, stride);
}

static __attribute__((noinline)) void gradient_rest(const problem *s, const patch *at, int64_t channel, int lanes,
                                                    float *m, size_t stride) {
  FOR_FORMS(s, transform_gradient, at, channel, lanes, m, stride);
}

static __attribute__((noinline)) void result_rest(const problem *s, const float *m, size_t stride, const patch *y,
                                                  int64_t channel, int lanes) {
  FOR_FORMS(s, transform_result, m, stride, y, channel, lanes);
}

INLINE void inputs(const grid *g, int32_t first, int32_t tiles, const void *x, int64_t channel, float *v, form f,
                   icl_dtype dtype) {
  const problem *s = &g->problem;
  size_t stride = stride_of(g->block, s->in);
  for (int32_t t = 0; t < tiles; t++, v += SLICE) {
    patch at = patch_of(g, &s->from, first + t, x);
    int32_t c = 0;
    for (; c + LANES <= s->from.channels; c += LANES)
      transform_input(&at, channel + c, LANES, v + slice_of(c, g->block), stride, f, dtype);
    for (; c < s->in; c += LANES)
      input_rest(s, &at, channel + c, lanes_at(s->from.channels, c), v + slice_of(c, g->block), stride);
  }
  for (int32_t t = tiles; t < whole_slices(tiles); t++, v += SLICE) /* products take whole slices of tiles */
    for (int32_t c = 0; c < s->in; c += SLICE)
      for (int p = 0; p < positions_of(f); p++)
        memset(v + (size_t)p * stride + slice_of(c, g->block), 0, SLICE * sizeof *v);
}

INLINE void gradients(const grid *g, int32_t first, int32_t tiles, const void *gy, int64_t channel, float *m, form f,
                      icl_dtype dtype) {
  const problem *s = &g->problem;
  size_t stride = stride_of(g->block, s->out);
  for (int32_t t = 0; t < tiles; t++, m += SLICE) {
    patch at = patch_of(g, &s->to, first + t, gy);
    int32_t c = 0;
    for (; c + LANES <= s->to.channels; c += LANES)
      transform_gradient(&at, channel + c, LANES, m + slice_of(c, g->block), stride, f, dtype);
    for (; c < s->out; c += LANES)
      gradient_rest(s, &at, channel + c, lanes_at(s->to.channels, c), m + slice_of(c, g->block), stride);
  }
}

/* Channels from `from` to until - 1 of the group. */
INLINE void results(const grid *g, int32_t first, int32_t tiles, const float *m, void *y, int64_t channel, int32_t from,
                    int32_t until, form f, icl_dtype dtype) {
  const problem *s = &g->problem;
  size_t stride = stride_of(g->block, s->out);
  for (int32_t t = 0; t < tiles; t++, m += SLICE) {
    patch at = patch_of(g, &s->to, first + t, y);
    int32_t c = from;
    for (; c + LANES <= until; c += LANES)
      transform_result(m + slice_of(c, g->block), stride, &at, channel + c, LANES, f, dtype);
    if (c < until)
      result_rest(s, m + slice_of(c, g->block), stride, &at, channel + c, until - c);
  }
}

/* ---- weights and their gradients in memory: HALVED stands for DOUBLED as well ---- */

/* Floats of a panel from a matrix, or a tap, to the next, and from an input channel to the next. */
typedef struct {
  size_t apart, row;
} layout;

static layout layout_of(const problem *s, int vectors, bool fused) {
  size_t lanes = (size_t)vectors * LANES;
  return fused ? (layout){lanes, TAPS * lanes} : (layout){(size_t)s->in * (size_t)s->out, lanes};
}

/* Where the weights of a group's panel begin. */
static size_t start_of(const problem *s, size_t group, int panel, bool fused) {
  size_t matrix = (size_t)s->in * (size_t)s->out, start = panel_start(s, panel);
  return fused ? TAPS * (group * matrix + start) : MATRICES * group * matrix + start;
}

/* Weights of LANES input and LANES output channels, of which `in` and `out` are there: `at` is the first, `spot` and
 * `row` are the elements from one kernel position, and from one row of channels, to the next. */
typedef struct {
  const float *at;
  size_t spot, row;
  int in, out;
} square;

/* A row is an input channel. */
INLINE void prepare_straight(const square *w, float *u, size_t step, size_t stride, form f, bool large) {
  for (int i = 0; i < LANES; i++) {
    vec g[TAPS];
    for (size_t k = 0; k < TAPS; k++)
      g[k] = load_part(ICL_F32, w->at, (int64_t)(k * w->spot + (size_t)i * w->row), i < w->in ? w->out : 0);
    transform_weights(g, u + (size_t)i * step, stride, f, large);
  }
}

/* A row is an output channel, and positions are turned. */
INLINE void prepare_turned(const square *w, float *u, size_t step, size_t stride, form f, bool large) {
  vec g[LANES][TAPS]; /* by input channel; lanes are output channels */
  for (size_t k = 0; k < TAPS; k++) {
    vec r[LANES];
    for (int o = 0; o < LANES; o++)
      r[o] = load_part(ICL_F32, w->at, (int64_t)(k * w->spot + (size_t)o * w->row), o < w->out ? w->in : 0);
    transpose(r);
    for (int i = 0; i < LANES; i++)
      g[i][TAPS - 1 - k] = r[i];
  }
  for (size_t i = 0; i < LANES; i++)
    transform_weights(g[i], u + i * step, stride, f, large);
}

INLINE void prepare_any(const icl__conv_shape *shape, const float *hwio, float *weights, int part, int parts, form f,
                        bool large) {
  problem p = problem_of(shape);
  const problem *s = &p;
  bool back = shape->direction == ICL__CONV_INPUT;
  int panels = panels_of(s->out), all = s->groups * panels;
  size_t read = (size_t)s->from.channels, made = (size_t)s->to.channels, groups = (size_t)s->groups;
  square w = {.spot = read * groups * made, .row = groups * (back ? read : made)};
  for (int n = all * part / parts; n < all * (part + 1) / parts; n++) {
    size_t group = (size_t)(n / panels), step = (size_t)vectors_of(s->out, n % panels) * LANES;
    float *u = weights + start_of(s, group, n % panels, false);
    for (int32_t q = 0; q < (int32_t)step; q += LANES)
      for (int32_t i = 0; i < s->in; i += LANES) {
        int32_t o = n % panels * PANEL + q;
        float *to = u + (size_t)i * step + q;
        w.at =
            hwio + (back ? (size_t)o * w.row + group * read + (size_t)i : (size_t)i * w.row + group * made + (size_t)o);
        w.in = lanes_at(s->from.channels, i);
        w.out = lanes_at(s->to.channels, o);
        if (back)
          prepare_turned(&w, to, step, (size_t)s->in * (size_t)s->out, f, large);
        else
          prepare_straight(&w, to, step, (size_t)s->in * (size_t)s->out, f, large);
      }
  }
}

static size_t weights(const icl__conv_shape *shape) {
  problem s = problem_of(shape);
  return MATRICES * (size_t)s.groups * (size_t)s.in * (size_t)s.out;
}

/* What outgrows the cache of a core has left it when it is read. */
INLINE void prepare_form(const icl__conv_shape *shape, const float *hwio, float *to, int part, int parts, form f) {
  if (weights(shape) * sizeof *to > cache_of(shape)) {
    prepare_any(shape, hwio, to, part, parts, f, true);
    end_streams();
  } else {
    prepare_any(shape, hwio, to, part, parts, f, false);
  }
}

static void prepare(const icl__conv_shape *shape, const float *hwio, float *to, int part, int parts) {
  if (shape->stride[0] == 1)
    prepare_form(shape, hwio, to, part, parts, SAME);
  else
    prepare_form(shape, hwio, to, part, parts, HALVED);
}

/* Gradients of `count` threads, each brought back before it is added: so a process may have any of them. */
INLINE void add_back(const float *u, size_t apart, int count, size_t stride, float *hwio, size_t spot, int lanes,
                     form f, bool fused) {
  vec sum[TAPS];
  for (int k = 0; k < TAPS; k++)
    sum[k] = -(vec){0};
  for (int n = 0; n < count; n++, u += stride) {
    if (!fused)
      transform_back(u, apart, sum, f);
    for (int k = 0; fused && k < TAPS; k++)
      sum[k] += load(ICL_F32, u + (size_t)k * apart, 0);
  }
  for (int k = 0; k < TAPS; k++)
    store_part(ICL_F32, hwio + (size_t)k * spot, 0, lanes, sum[k]);
}

INLINE void finish_any(const icl__conv_shape *shape, const float *gradients, int count, size_t stride, float *hwio,
                       int part, int parts, form f, bool fused) {
  problem p = problem_of(shape);
  const problem *s = &p;
  int panels = panels_of(s->out), all = s->groups * panels;
  size_t read = (size_t)s->from.channels, made = (size_t)s->to.channels, row = (size_t)s->groups * made;
  for (int n = all * part / parts; n < all * (part + 1) / parts; n++) {
    size_t group = (size_t)(n / panels);
    int32_t first = n % panels * PANEL;
    layout from = layout_of(s, vectors_of(s->out, n % panels), fused);
    const float *u = gradients + start_of(s, group, n % panels, fused);
    for (size_t i = 0; i < read; i++)
      for (int32_t o = first; o < s->to.channels && o < first + PANEL; o += LANES)
        add_back(u + i * from.row + (o - first), from.apart, count, stride, hwio + i * row + group * made + (size_t)o,
                 read * row, lanes_at(s->to.channels, o), f, fused);
  }
}

static void finish(const icl__conv_shape *shape, const float *gradients, int count, size_t stride, float *hwio,
                   int part, int parts) {
  if (shape->stride[0] == 1)
    finish_any(shape, gradients, count, stride, hwio, part, parts, SAME, false);
  else
    finish_any(shape, gradients, count, stride, hwio, part, parts, HALVED, false);
}

static void finish_fused(const icl__conv_shape *shape, const float *gradients, int count, size_t stride, float *hwio,
                         int part, int parts) {
  finish_any(shape, gradients, count, stride, hwio, part, parts, SAME, true); /* nothing is left to be turned back */
}

/* ---- results, and input gradients ---- */

/* Tiles are divided while each part fills its registers with them, and weights that all parts read fit a core's cache;
 * channels otherwise, for which each part transforms the whole input. */
static portion portion_of(const icl__conv_shape *shape, const grid *g, int part, int parts) {
  bool tiles = g->tiles >= parts * ROWS_OF_TWO && weights(shape) * sizeof(float) <= cache_of(shape);
  return (portion){part, parts, !tiles && divides_well((int64_t)g->problem.groups * panels_of(g->problem.out), parts)};
}

static void convolve(const icl__conv_shape *shape, const void *x, const float *weights, void *y, float *scratch,
                     int part, int parts) {
  grid g = grid_of(shape);
  const problem *s = &g.problem;
  portion own = portion_of(shape, &g, part, parts);
  size_t in_stride = stride_of(g.block, s->in), out_stride = stride_of(g.block, s->out);
  size_t matrix = (size_t)s->in * (size_t)s->out;
  int positions = positions_of(s->form);
  float *v = scratch, *m = scratch + (size_t)positions * in_stride;
  int32_t end = (int32_t)end_pixel(own, g.tiles), panels = panels_of(s->out);
  for (int32_t group = 0; group < s->groups; group++) {
    int32_t panel = first_panel(own, group, s->groups, panels), until = end_panel(own, group, s->groups, panels);
    int32_t channels = until * PANEL < s->to.channels ? until * PANEL : s->to.channels;
    const float *u = weights + (size_t)group * MATRICES * matrix;
    for (int32_t first = (int32_t)first_pixel(own, g.tiles); first < end && panel < until; first += g.block) {
      int32_t tiles = end - first < g.block ? end - first : g.block;
      FOR_FORMS(s, inputs, &g, first, tiles, x, (int64_t)group * s->from.channels, v);
      for (int p = 0; p < positions; p++)
        product(s, v + (size_t)p * in_stride, u + (size_t)matrix_at(s->form, p) * matrix, m + (size_t)p * out_stride,
                tiles, g.block, panel, until);
      FOR_FORMS(s, results, &g, first, tiles, m, y, (int64_t)group * s->to.channels, panel * PANEL, channels);
    }
  }
}

/* ---- weight gradients that are turned back at once: a panel and DEPTH input channels at a time ---- */

enum { DEPTH = 32 };

/* Positions of a piece lie so far apart, and not at a power of two. */
static size_t piece_stride(const problem *piece) { return (size_t)piece->in * (size_t)piece->out + 16; }

/* The part of the problem that makes `panel`, from input channel `i` on. */
static problem piece_of(const problem *s, int panel, int32_t i) {
  problem piece = *s;
  piece.in = s->in - i < DEPTH ? s->in - i : DEPTH;
  piece.out = vectors_of(s->out, panel) * LANES;
  return piece;
}

INLINE void add_piece(const problem *piece, const float *u, float *gradient, bool accumulate, form f) {
  layout to = layout_of(piece, piece->out / LANES, true);
  for (int32_t i = 0; i < piece->in; i++, gradient += to.row)
    for (int32_t c = 0; c < piece->out; c += LANES) {
      vec sum[TAPS];
      for (int k = 0; k < TAPS; k++)
        sum[k] = accumulate ? load(ICL_F32, gradient + (size_t)k * to.apart, c) : -(vec){0};
      transform_back(u + i * piece->out + c, piece_stride(piece), sum, f);
      for (int k = 0; k < TAPS; k++)
        put(gradient + (size_t)k * to.apart + c, sum[k], !accumulate);
    }
}

/* What a block of tiles adds to the weight gradient of a group, piece by piece. */
static void add_pieces(const grid *g, size_t group, int32_t tiles, const float *v, const float *m, float *u,
                       float *gradient, bool accumulate) {
  const problem *s = &g->problem;
  size_t in_stride = stride_of(g->block, s->in), out_stride = stride_of(g->block, s->out);
  for (int panel = 0; panel < panels_of(s->out); panel++)
    for (int32_t i = 0; i < s->in; i += DEPTH) {
      problem piece = piece_of(s, panel, i);
      float *own = gradient + start_of(s, group, panel, true) + i * TAPS * piece.out;
      for (int p = 0; p < positions_of(s->form); p++)
        correlate(&piece, v + (size_t)p * in_stride + slice_of(i, g->block),
                  m + (size_t)p * out_stride + slice_of(panel * PANEL, g->block),
                  u + (size_t)matrix_at(s->form, p) * piece_stride(&piece), tiles, g->block, !is_first(s->form, p));
      if (s->form == SAME)
        add_piece(&piece, u, own, accumulate, SAME);
      else
        add_piece(&piece, u, own, accumulate, HALVED);
    }
}

/* ---- weight gradients ---- */

/* What it adds to the 36 matrices of that gradient. */
static void add_positions(const grid *g, size_t group, int32_t tiles, const float *v, const float *m, float *gradient,
                          bool accumulate) {
  const problem *s = &g->problem;
  size_t in_stride = stride_of(g->block, s->in), out_stride = stride_of(g->block, s->out);
  size_t matrix = (size_t)s->in * (size_t)s->out;
  float *u = gradient + start_of(s, group, 0, false);
  for (int p = 0; p < positions_of(s->form); p++)
    correlate(s, v + (size_t)p * in_stride, m + (size_t)p * out_stride, u + (size_t)matrix_at(s->form, p) * matrix,
              tiles, g->block, accumulate || !is_first(s->form, p));
}

static void differentiate_any(const icl__conv_shape *shape, const void *x, const void *gy, float *gradient,
                              bool accumulate, float *scratch, bool fused) {
  grid g = grid_of(shape);
  const problem *s = &g.problem;
  size_t positions = (size_t)positions_of(s->form);
  float *v = scratch, *m = v + positions * stride_of(g.block, s->in), *u = m + positions * stride_of(g.block, s->out);
  for (int32_t group = 0; group < s->groups; group++)
    for (int32_t first = 0; first < g.tiles; first += g.block) {
      int32_t tiles = g.tiles - first < g.block ? g.tiles - first : g.block;
      bool add = accumulate || first > 0;
      FOR_FORMS(s, inputs, &g, first, tiles, x, (int64_t)group * s->from.channels, v);
      FOR_FORMS(s, gradients, &g, first, tiles, gy, (int64_t)group * s->to.channels, m);
      if (fused)
        add_pieces(&g, (size_t)group, tiles, v, m, u, gradient, add);
      else
        add_positions(&g, (size_t)group, tiles, v, m, gradient, add);
    }
  end_streams(); /* of add_piece */
}

static void differentiate(const icl__conv_shape *shape, const void *x, const void *gy, float *gradient, bool accumulate,
                          float *scratch) {
  differentiate_any(shape, x, gy, gradient, accumulate, scratch, false);
}

static void differentiate_fused(const icl__conv_shape *shape, const void *x, const void *gy, float *gradient,
                                bool accumulate, float *scratch) {
  differentiate_any(shape, x, gy, gradient, accumulate, scratch, true);
}

/* ---- sizes ---- */

static bool fits(const icl__conv_shape *s) {
  for (int d = 0; d < 2; d++)
    if (s->kernel[d] != 3 || s->padding[d] != 1)
      return false;
  if (s->stride[0] != s->stride[1] || s->stride[0] > 2)
    return false;
  return s->groups == 1 || (s->x[2] / s->groups % SLICE == 0 && s->y[2] / s->groups % SLICE == 0);
}

static size_t scratch(const icl__conv_shape *shape) {
  problem s = problem_of(shape);
  int32_t block = block_of(&s, shape);
  return (size_t)positions_of(s.form) * (stride_of(block, s.in) + stride_of(block, s.out));
}

const icl__conv_kernel ISA_NAME(icl__winograd) = {
    "winograd", fits, weights, scratch, prepare, convolve, differentiate, finish,
};

static bool fits_fused(const icl__conv_shape *shape) { return shape->direction == ICL__CONV_WEIGHT && fits(shape); }
static size_t weights_fused(const icl__conv_shape *shape) { return weights(shape) / MATRICES * TAPS; }
static size_t scratch_fused(const icl__conv_shape *shape) { return scratch(shape) + MATRICES * (DEPTH * PANEL + 16); }

const icl__conv_kernel ISA_NAME(icl__winograd_fused) = {
    "winograd_fused", fits_fused, weights_fused, scratch_fused, NULL, NULL, differentiate_fused, finish_fused,
};
