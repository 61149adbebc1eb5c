/* winograd.c - 3x3 convolutions of stride 1 and padding 1 by minimal filtering, F(4x4, 3x3) (Lavin and Gray 2016).
 *
 * A tile of 4x4 results needs a tile of 6x6 pixels. Both, and the weights, are transformed to 36 positions, at each of
 * which the sum over channels is a matrix product: 4 times fewer products than by the definition. Channels are rounded
 * up to multiples of 16; those that there are not are 0.
 *
 * Transformed weights and weight gradients: [group][36][panels of output channels][input channel][lanes of the panel].
 * Scratch of a block of tiles: [36][channels / 16][tiles][16], so that a product reads the channels of a tile one after
 * another and the channels of eight tiles from eight streams only.
 *
 * Of weight gradients there is a second kernel, which turns pieces of them back at once: [group][panel][input channel]
 * [9][lanes of the panel]. Four times less memory moves, but it is done for every block of tiles, so it is for few, or
 * for large weights. */
#include "backend/cpu/kernels/transpose.h"
#include "backend/cpu/kernels/winograd_problem.h"

/* Rows of a product that are held in registers, by the vectors of a row. */
#if defined __AVX512F__
enum { ROWS_OF_TWO = 8, ROWS_OF_ONE = 16 };
#else
enum { ROWS_OF_TWO = 4, ROWS_OF_ONE = 8 };
#endif

/* ---- products ---- */

enum { MOST_ROWS = 16, MOST_VECTORS = 2 };

/* sum[r][q] += v[r step] w[q]; vectors of w lie `apart` floats from each other. */
INLINE void add_products(vec sum[MOST_ROWS][MOST_VECTORS], const float *v, int64_t step, const float *w, size_t apart,
                         int rows, int vectors) {
  vec row[MOST_VECTORS];
  UNROLL(2)
  for (int q = 0; q < vectors; q++)
    row[q] = load(ICL_F32, w + (size_t)q * apart, 0);
  UNROLL(16)
  for (int r = 0; r < rows; r++) {
    vec x = splat(v[r * step]);
    UNROLL(2)
    for (int q = 0; q < vectors; q++)
      sum[r][q] += x * row[q];
  }
}

/* m[rows tiles][vectors] = v u */
INLINE void product_rows(const problem *s, const float *v, const float *u, float *m, int32_t channel, int32_t block,
                         int rows, int vectors) {
  vec sum[MOST_ROWS][MOST_VECTORS] = {{{0}}};
  for (int32_t b = 0; b < s->in / SLICE; b++, v += (size_t)block * SLICE)
    UNROLL(4)
  for (int k = 0; k < SLICE; k++, u += vectors * LANES)
    add_products(sum, v + k, SLICE, u, LANES, rows, vectors);
  UNROLL(16)
  for (int r = 0; r < rows; r++)
    UNROLL(2)
  for (int q = 0; q < vectors; q++)
    store(ICL_F32, m + slice_of(channel + q * LANES, block), r * SLICE, sum[r][q]);
}

static __attribute__((noinline)) void product_of_two(const problem *s, const float *v, const float *u, float *m,
                                                     int32_t channel, int32_t block) {
  product_rows(s, v, u, m, channel, block, ROWS_OF_TWO, 2);
}

static __attribute__((noinline)) void product_of_one(const problem *s, const float *v, const float *u, float *m,
                                                     int32_t channel, int32_t block) {
  product_rows(s, v, u, m, channel, block, ROWS_OF_ONE, 1);
}

/* One position: m (tiles, out) = v (tiles, in) u (in, out), of the panels from `first` on. Tiles are rounded up to
 * whole slices. */
static void product(const problem *s, const float *v, const float *u, float *m, int32_t tiles, int32_t block, int first,
                    int end) {
  for (int panel = first; panel < end; panel++) {
    bool two = vectors_of(s->out, panel) == 2;
    const float *w = u + panel_start(s, panel);
    for (int32_t t = 0; t < tiles; t += two ? ROWS_OF_TWO : ROWS_OF_ONE)
      (two ? product_of_two : product_of_one)(s, v + t * SLICE, w, m + t * SLICE, panel * PANEL, block);
  }
}

/* u[rows input channels][vectors] = v^T m, or added to it */
INLINE void correlate_rows(const float *v, const float *m, float *u, int32_t tiles, int32_t channel, int32_t block,
                           bool accumulate, int rows, int vectors) {
  size_t first = slice_of(channel, block), apart = slice_of(channel + LANES, block) - first;
  vec sum[MOST_ROWS][MOST_VECTORS] = {{{0}}};
  if (accumulate)
    UNROLL(16)
  for (int r = 0; r < rows; r++)
    UNROLL(2)
  for (int q = 0; q < vectors; q++)
    sum[r][q] = load(ICL_F32, u, (r * vectors + q) * LANES);
  UNROLL(4)
  for (int32_t t = 0; t < tiles; t++)
    add_products(sum, v + t * SLICE, 1, m + first + t * SLICE, apart, rows, vectors);
  UNROLL(16)
  for (int r = 0; r < rows; r++)
    UNROLL(2)
  for (int q = 0; q < vectors; q++)
    store(ICL_F32, u, (r * vectors + q) * LANES, sum[r][q]);
}

static __attribute__((noinline)) void correlate_of_two(const float *v, const float *m, float *u, int32_t tiles,
                                                       int32_t channel, int32_t block, bool accumulate) {
  correlate_rows(v, m, u, tiles, channel, block, accumulate, ROWS_OF_TWO, 2);
}

static __attribute__((noinline)) void correlate_of_one(const float *v, const float *m, float *u, int32_t tiles,
                                                       int32_t channel, int32_t block, bool accumulate) {
  correlate_rows(v, m, u, tiles, channel, block, accumulate, ROWS_OF_ONE, 1);
}

/* One position: u (in, out) = v^T (in, tiles) m (tiles, out), or added to it. */
static void correlate(const problem *s, const float *v, const float *m, float *u, int32_t tiles, int32_t block,
                      bool accumulate) {
  for (int panel = 0; panel < panels_of(s->out); panel++) {
    int vectors = vectors_of(s->out, panel), rows = vectors == 2 ? ROWS_OF_TWO : ROWS_OF_ONE;
    float *w = u + panel_start(s, panel);
    for (int32_t c = 0; c < s->in; c += rows)
      (vectors == 2 ? correlate_of_two : correlate_of_one)(v + slice_of(c, block), m, w + c * vectors * LANES, tiles,
                                                           panel * PANEL, block, accumulate);
  }
}

/* ---- blocks of tiles ---- */

/* The last channels, where they fill no register: apart from the loops over the others, which they would slow down. */
static __attribute__((noinline)) void input_rest(const patch *at, int64_t channel, int lanes, float *v, size_t stride,
                                                 icl_dtype dtype) {
  FOR_FLOATS(dtype, transform_input, at, channel, lanes, v, stride);
}

static __attribute__((noinline)) void gradient_rest(const patch *at, int64_t channel, int lanes, float *m,
                                                    size_t stride, icl_dtype dtype) {
  FOR_FLOATS(dtype, transform_gradient, at, channel, lanes, m, stride);
}

static __attribute__((noinline)) void result_rest(const float *m, size_t stride, const patch *y, int64_t channel,
                                                  int lanes, icl_dtype dtype) {
  FOR_FLOATS(dtype, transform_result, m, stride, y, channel, lanes);
}

INLINE void inputs(const grid *g, int32_t first, int32_t tiles, const void *x, int64_t channel, float *v,
                   icl_dtype dtype) {
  size_t stride = stride_of(g->block, g->problem.in);
  for (int32_t t = 0; t < tiles; t++, v += SLICE) {
    patch at = patch_of(g, first + t, x, g->problem.read, 1);
    int32_t c = 0;
    for (; c + LANES <= g->problem.read; c += LANES)
      transform_input(&at, channel + c, LANES, v + slice_of(c, g->block), stride, dtype);
    for (; c < g->problem.in; c += LANES)
      input_rest(&at, channel + c, lanes_at(g->problem.read, c), v + slice_of(c, g->block), stride, dtype);
  }
  for (int32_t t = tiles; t < whole_slices(tiles); t++, v += SLICE) /* products take whole slices of tiles */
    for (int32_t c = 0; c < g->problem.in; c += SLICE)
      for (int p = 0; p < POSITIONS; p++)
        memset(v + (size_t)p * stride + slice_of(c, g->block), 0, SLICE * sizeof *v);
}

INLINE void gradients(const grid *g, int32_t first, int32_t tiles, const void *gy, int64_t channel, float *m,
                      icl_dtype dtype) {
  size_t stride = stride_of(g->block, g->problem.out);
  for (int32_t t = 0; t < tiles; t++, m += SLICE) {
    patch at = patch_of(g, first + t, gy, g->problem.made, 0);
    int32_t c = 0;
    for (; c + LANES <= g->problem.made; c += LANES)
      transform_gradient(&at, channel + c, LANES, m + slice_of(c, g->block), stride, dtype);
    for (; c < g->problem.out; c += LANES)
      gradient_rest(&at, channel + c, lanes_at(g->problem.made, c), m + slice_of(c, g->block), stride, dtype);
  }
}

/* Channels from `from` to until - 1 of the group. */
INLINE void results(const grid *g, int32_t first, int32_t tiles, const float *m, void *y, int64_t channel, int32_t from,
                    int32_t until, icl_dtype dtype) {
  size_t stride = stride_of(g->block, g->problem.out);
  for (int32_t t = 0; t < tiles; t++, m += SLICE) {
    patch at = patch_of(g, first + t, y, g->problem.made, 0);
    int32_t c = from;
    for (; c + LANES <= until; c += LANES)
      transform_result(m + slice_of(c, g->block), stride, &at, channel + c, LANES, dtype);
    if (c < until)
      result_rest(m + slice_of(c, g->block), stride, &at, channel + c, until - c, dtype);
  }
}

/* ---- transforms of weights ---- */

INLINE void put(float *p, vec v, bool large) {
  if (large)
    stream(p, v);
  else
    store(ICL_F32, p, 0, v);
}

/* 3x3 -> 36 positions, `stride` floats apart */
INLINE void transform_weights(const vec g[TAPS], float *u, size_t stride, bool large) {
  vec t[3][6];
  for (int b = 0; b < 3; b++)
    weight_6(t[b], g[b], g[3 + b], g[6 + b]);
  for (int a = 0; a < 6; a++) {
    vec o[6];
    weight_6(o, t[0][a], t[1][a], t[2][a]);
    for (int b = 0; b < 6; b++)
      put(u + (size_t)(6 * a + b) * stride, o[b], large);
  }
}

/* 36 positions of a gradient -> 3x3, added to the nine sums */
static inline void transform_back(const float *u, size_t position, vec sum[TAPS]) {
  vec t[6][3];
  for (int b = 0; b < 6; b++) {
    vec d[6];
    for (int a = 0; a < 6; a++)
      d[a] = load(ICL_F32, u + (size_t)(6 * a + b) * position, 0);
    weight_3(t[b], d);
  }
  for (int a = 0; a < 3; a++) {
    vec d[6] = {t[0][a], t[1][a], t[2][a], t[3][a], t[4][a], t[5][a]}, o[3];
    weight_3(o, d);
    for (int b = 0; b < 3; b++)
      sum[3 * a + b] += o[b];
  }
}

/* ---- weights and their gradients in memory ---- */

/* Floats of a panel from a position, or a tap, to the next, and from an input channel to the next. */
typedef struct {
  size_t position, row;
} layout;

static layout layout_of(const problem *s, int vectors, bool fused) {
  size_t lanes = (size_t)vectors * LANES;
  return fused ? (layout){lanes, TAPS * lanes} : (layout){(size_t)s->in * (size_t)s->out, lanes};
}

/* Where the weights of a group's panel begin. */
static size_t start_of(const problem *s, size_t group, int panel, bool fused) {
  size_t matrix = (size_t)s->in * (size_t)s->out, start = panel_start(s, panel);
  return fused ? TAPS * (group * matrix + start) : POSITIONS * group * matrix + start;
}

/* Weights of LANES input and LANES output channels, of which `in` and `out` are there: `at` is the first, `spot` and
 * `row` are the elements from one kernel position, and from one row of channels, to the next. */
typedef struct {
  const float *at;
  size_t spot, row;
  int in, out;
} square;

/* A row is an input channel. */
INLINE void prepare_straight(const square *w, float *u, size_t step, size_t stride, bool large) {
  for (int i = 0; i < LANES; i++) {
    vec g[TAPS];
    for (size_t k = 0; k < TAPS; k++)
      g[k] = load_part(ICL_F32, w->at, (int64_t)(k * w->spot + (size_t)i * w->row), i < w->in ? w->out : 0);
    transform_weights(g, u + (size_t)i * step, stride, large);
  }
}

/* A row is an output channel, and positions are turned. */
INLINE void prepare_turned(const square *w, float *u, size_t step, size_t stride, bool large) {
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
    transform_weights(g[i], u + i * step, stride, large);
}

INLINE void prepare_any(const icl__conv_shape *shape, const float *hwio, float *weights, int part, int parts,
                        bool large) {
  problem p = problem_of(shape);
  const problem *s = &p;
  bool back = shape->direction == ICL__CONV_INPUT;
  int panels = panels_of(s->out), all = s->groups * panels;
  size_t read = (size_t)s->read, made = (size_t)s->made, groups = (size_t)s->groups;
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
        w.in = lanes_at(s->read, i);
        w.out = lanes_at(s->made, o);
        if (back)
          prepare_turned(&w, to, step, (size_t)s->in * (size_t)s->out, large);
        else
          prepare_straight(&w, to, step, (size_t)s->in * (size_t)s->out, large);
      }
  }
}

static size_t weights(const icl__conv_shape *shape) {
  problem s = problem_of(shape);
  return POSITIONS * (size_t)s.groups * (size_t)s.in * (size_t)s.out;
}

/* What outgrows the cache of a core has left it when it is read. */
static void prepare(const icl__conv_shape *shape, const float *hwio, float *to, int part, int parts) {
  if (weights(shape) * sizeof *to > cache_of(shape)) {
    prepare_any(shape, hwio, to, part, parts, true);
    end_streams();
  } else {
    prepare_any(shape, hwio, to, part, parts, false);
  }
}

/* Gradients of `count` threads, each brought back before it is added: so a process may have any of them. */
INLINE void add_back(const float *u, size_t position, int count, size_t stride, float *hwio, size_t spot, int lanes,
                     bool fused) {
  vec sum[TAPS];
  for (int k = 0; k < TAPS; k++)
    sum[k] = -(vec){0};
  for (int n = 0; n < count; n++, u += stride) {
    if (!fused)
      transform_back(u, position, sum);
    for (int k = 0; fused && k < TAPS; k++)
      sum[k] += load(ICL_F32, u + (size_t)k * position, 0);
  }
  for (int k = 0; k < TAPS; k++)
    store_part(ICL_F32, hwio + (size_t)k * spot, 0, lanes, sum[k]);
}

INLINE void finish_any(const icl__conv_shape *shape, const float *gradients, int count, size_t stride, float *hwio,
                       int part, int parts, bool fused) {
  problem p = problem_of(shape);
  const problem *s = &p;
  int panels = panels_of(s->out), all = s->groups * panels;
  size_t read = (size_t)s->read, made = (size_t)s->made, row = (size_t)s->groups * made;
  for (int n = all * part / parts; n < all * (part + 1) / parts; n++) {
    size_t group = (size_t)(n / panels);
    int32_t first = n % panels * PANEL;
    layout from = layout_of(s, vectors_of(s->out, n % panels), fused);
    const float *u = gradients + start_of(s, group, n % panels, fused);
    for (size_t i = 0; i < read; i++)
      for (int32_t o = first; o < s->made && o < first + PANEL; o += LANES)
        add_back(u + i * from.row + (o - first), from.position, count, stride,
                 hwio + i * row + group * made + (size_t)o, read * row, lanes_at(s->made, o), fused);
  }
}

static void finish(const icl__conv_shape *shape, const float *gradients, int count, size_t stride, float *hwio,
                   int part, int parts) {
  finish_any(shape, gradients, count, stride, hwio, part, parts, false);
}

static void finish_fused(const icl__conv_shape *shape, const float *gradients, int count, size_t stride, float *hwio,
                         int part, int parts) {
  finish_any(shape, gradients, count, stride, hwio, part, parts, true);
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
  float *v = scratch, *m = scratch + POSITIONS * in_stride;
  int32_t end = (int32_t)end_pixel(own, g.tiles), panels = panels_of(s->out);
  for (int32_t group = 0; group < s->groups; group++) {
    int32_t panel = first_panel(own, group, s->groups, panels), until = end_panel(own, group, s->groups, panels);
    int32_t channels = until * PANEL < s->made ? until * PANEL : s->made;
    const float *u = weights + (size_t)group * POSITIONS * matrix;
    for (int32_t first = (int32_t)first_pixel(own, g.tiles); first < end && panel < until; first += g.block) {
      int32_t tiles = end - first < g.block ? end - first : g.block;
      FOR_FLOATS(s->dtype, inputs, &g, first, tiles, x, (int64_t)group * s->read, v);
      for (size_t p = 0; p < POSITIONS; p++)
        product(s, v + p * in_stride, u + p * matrix, m + p * out_stride, tiles, g.block, panel, until);
      FOR_FLOATS(s->dtype, results, &g, first, tiles, m, y, (int64_t)group * s->made, panel * PANEL, channels);
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

static void add_piece(const problem *piece, const float *u, float *gradient, bool accumulate) {
  layout to = layout_of(piece, piece->out / LANES, true);
  for (int32_t i = 0; i < piece->in; i++, gradient += to.row)
    for (int32_t c = 0; c < piece->out; c += LANES) {
      vec sum[TAPS];
      for (int k = 0; k < TAPS; k++)
        sum[k] = accumulate ? load(ICL_F32, gradient + (size_t)k * to.position, c) : -(vec){0};
      transform_back(u + i * piece->out + c, piece_stride(piece), sum);
      for (int k = 0; k < TAPS; k++)
        put(gradient + (size_t)k * to.position + c, sum[k], !accumulate);
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
      for (size_t p = 0; p < POSITIONS; p++)
        correlate(&piece, v + p * in_stride + slice_of(i, g->block),
                  m + p * out_stride + slice_of(panel * PANEL, g->block), u + p * piece_stride(&piece), tiles, g->block,
                  false);
      add_piece(&piece, u, own, accumulate);
    }
}

/* ---- weight gradients ---- */

/* What it adds to the 36 positions of that gradient. */
static void add_positions(const grid *g, size_t group, int32_t tiles, const float *v, const float *m, float *gradient,
                          bool accumulate) {
  const problem *s = &g->problem;
  size_t in_stride = stride_of(g->block, s->in), out_stride = stride_of(g->block, s->out);
  size_t matrix = (size_t)s->in * (size_t)s->out;
  float *u = gradient + start_of(s, group, 0, false);
  for (size_t p = 0; p < POSITIONS; p++)
    correlate(s, v + p * in_stride, m + p * out_stride, u + p * matrix, tiles, g->block, accumulate);
}

static void differentiate_any(const icl__conv_shape *shape, const void *x, const void *gy, float *gradient,
                              bool accumulate, float *scratch, bool fused) {
  grid g = grid_of(shape);
  const problem *s = &g.problem;
  float *v = scratch, *m = v + POSITIONS * stride_of(g.block, s->in), *u = m + POSITIONS * stride_of(g.block, s->out);
  for (int32_t group = 0; group < s->groups; group++)
    for (int32_t first = 0; first < g.tiles; first += g.block) {
      int32_t tiles = g.tiles - first < g.block ? g.tiles - first : g.block;
      bool add = accumulate || first > 0;
      FOR_FLOATS(s->dtype, inputs, &g, first, tiles, x, (int64_t)group * s->read, v);
      FOR_FLOATS(s->dtype, gradients, &g, first, tiles, gy, (int64_t)group * s->made, m);
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
    if (s->kernel[d] != 3 || s->stride[d] != 1 || s->padding[d] != 1)
      return false;
  return s->groups == 1 || (s->x[2] / s->groups % SLICE == 0 && s->y[2] / s->groups % SLICE == 0);
}

static size_t scratch(const icl__conv_shape *shape) {
  problem s = problem_of(shape);
  int32_t block = block_of(&s, shape);
  return POSITIONS * (stride_of(block, s.in) + stride_of(block, s.out));
}

const icl__conv_kernel ISA_NAME(icl__winograd) = {
    "winograd", fits, weights, scratch, prepare, convolve, differentiate, finish,
};

static bool fits_fused(const icl__conv_shape *shape) { return shape->direction == ICL__CONV_WEIGHT && fits(shape); }
static size_t weights_fused(const icl__conv_shape *shape) { return weights(shape) / POSITIONS * TAPS; }
static size_t scratch_fused(const icl__conv_shape *shape) { return scratch(shape) + POSITIONS * (DEPTH * PANEL + 16); }

const icl__conv_kernel ISA_NAME(icl__winograd_fused) = {
    "winograd_fused", fits_fused, weights_fused, scratch_fused, NULL, NULL, differentiate_fused, finish_fused,
};
