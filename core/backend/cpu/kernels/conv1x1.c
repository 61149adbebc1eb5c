/* conv1x1.c - see conv1x1.h.
 *
 * A block of ROWS pixels and two registers of result channels is summed over the other channels. Images in f32 whose
 * pixels follow one another are read as they lie; others are copied first, a block of pixels at a time. */
#include "backend/cpu/kernels/conv1x1.h"

#include "backend/cpu/kernels/convert.h"

/* Pixels, or input channels of a weight gradient, that are held in registers. */
#if defined __AVX512F__
enum { ROWS = 8 };
#elif defined __AVX2__
enum { ROWS = 6 };
#else
enum { ROWS = 4 };
#endif
enum { WIDTH = 2 * LANES };

#define NOINLINE static __attribute__((noinline))

/* sum[r][c] += sum over k < depth of a[r * row + k * column] b[k][c] */
INLINE void multiply(vec sum[ROWS][2], const float *a, int64_t row, int64_t column, const float *b, int64_t depth,
                     int rows, int columns) {
  UNROLL(1)
  for (int64_t k = 0; k < depth; k++, a += column, b += WIDTH) {
    vec w[2];
    UNROLL(2)
    for (int c = 0; c < columns; c++)
      w[c] = load(ICL_F32, b, c * LANES);
    UNROLL(8)
    for (int r = 0; r < rows; r++) {
      vec x = splat(a[r * row]);
      UNROLL(2)
      for (int c = 0; c < columns; c++)
        sum[r][c] += x * w[c];
    }
  }
}

/* ---- pixels ---- */

/* A block of pixels of the result, and where the pixels of the input are that they belong to. */
typedef struct {
  int32_t count;
  int64_t y, x[ICL__CONV1X1_BLOCK];
} pixels;

static bool is_strided(const icl__conv1x1_shape *s) { return s->stride[0] > 1 || s->stride[1] > 1; }

static int64_t pixels_of(const icl__conv1x1_shape *s) { return (int64_t)s->images * s->y[0] * s->y[1]; }

static void find_pixels(const icl__conv1x1_shape *s, int64_t first, int32_t block, pixels *at) {
  int64_t left = pixels_of(s) - first, area = (int64_t)s->y[0] * s->y[1];
  at->count = left < block ? (int32_t)left : block;
  at->y = first;
  for (int32_t i = 0; i < at->count; i++) {
    int64_t p = first + i, image = p / area, row = p % area / s->y[1], column = p % s->y[1];
    at->x[i] = is_strided(s) ? (image * s->x[0] + row * s->stride[0]) * s->x[1] + column * s->stride[1] : p;
  }
}

static const void *element(icl_dtype dtype, const void *data, int64_t i) {
  return (const char *)data + i * (int64_t)icl_dtype_bytes(dtype);
}

/* ---- forward and backward ---- */

/* One side of a product: its images, the elements from pixel to pixel, the first channel. */
typedef struct {
  void *data;
  int64_t pitch, channel;
  bool input; /* the layer's input, whose pixels may lie apart */
} side;

static int64_t pixel_of(const side *s, const pixels *at, int32_t i) {
  return (s->input ? at->x[i] : at->y + i) * s->pitch + s->channel;
}

/* Pixels i to i + rows - 1, `count` channels from `j` on. */
INLINE void product(const float *a, int64_t row, const float *w, int64_t depth, const side *to, const pixels *at,
                    int32_t i, int32_t j, int32_t count, int rows, int columns, icl_dtype dtype) {
  vec sum[ROWS][2] = {{{0}}};
  multiply(sum, a + i * row, row, 1, w, depth, rows, columns);
  UNROLL(8)
  for (int r = 0; r < rows; r++) {
    int64_t first = pixel_of(to, at, i + r) + j;
    if (count == columns * LANES) {
      UNROLL(2)
      for (int c = 0; c < columns; c++)
        store(dtype, to->data, first + c * LANES, sum[r][c]);
    } else {
      UNROLL(2)
      for (int c = 0; c < columns; c++)
        store_part(dtype, to->data, first + c * LANES, count - c * LANES < LANES ? count - c * LANES : LANES,
                   sum[r][c]);
    }
  }
}

/* All pixels; at the end rows that were computed already are computed once more, so that they fill a block. */
INLINE void panel_product(const float *a, int64_t row, const float *w, int64_t depth, const side *to, const pixels *at,
                          int32_t j, int32_t count, int columns, icl_dtype dtype) {
  if (at->count < ROWS) {
    for (int32_t i = 0; i < at->count; i++)
      product(a, row, w, depth, to, at, i, j, count, 1, columns, dtype);
    return;
  }
  for (int32_t i = 0; i < at->count; i += ROWS)
    product(a, row, w, depth, to, at, i + ROWS <= at->count ? i : at->count - ROWS, j, count, ROWS, columns, dtype);
}

INLINE void panels_product(const float *a, int64_t row, const float *weights, int64_t depth, int32_t channels,
                           const side *to, const pixels *at, icl_dtype dtype) {
  for (int32_t j = 0; j < channels; j += WIDTH) {
    int32_t left = channels - j;
    const float *w = weights + j * depth;
    if (left > LANES)
      panel_product(a, row, w, depth, to, at, j, left < WIDTH ? left : WIDTH, 2, dtype);
    else
      panel_product(a, row, w, depth, to, at, j, left, 1, dtype);
  }
}

NOINLINE void f32_product(const float *a, int64_t row, const float *weights, int64_t depth, int32_t channels,
                          const side *to, const pixels *at) {
  panels_product(a, row, weights, depth, channels, to, at, ICL_F32);
}

NOINLINE void bf16_product(const float *a, int64_t row, const float *weights, int64_t depth, int32_t channels,
                           const side *to, const pixels *at) {
  panels_product(a, row, weights, depth, channels, to, at, ICL_BF16);
}

static void multiply_images(const icl__conv1x1_shape *s, side from, int32_t depth, const float *weights, side to,
                            int32_t channels, float *scratch) {
  int32_t block = icl__conv1x1_block(depth);
  bool copied = s->dtype != ICL_F32 || (from.input && is_strided(s));
  pixels at;
  for (int64_t first = 0; first < pixels_of(s); first += block) {
    find_pixels(s, first, block, &at);
    for (int32_t group = 0; group < s->groups; group++) {
      from.channel = (int64_t)group * depth;
      to.channel = (int64_t)group * channels;
      const float *a = copied ? scratch : element(ICL_F32, from.data, pixel_of(&from, &at, 0));
      for (int32_t i = 0; copied && i < at.count; i++)
        widen(s->dtype, element(s->dtype, from.data, pixel_of(&from, &at, i)), scratch + (int64_t)i * depth, depth);
      const float *w = weights + (size_t)group * (size_t)depth * icl__conv1x1_padded(channels);
      (s->dtype == ICL_BF16 ? bf16_product : f32_product)(a, copied ? depth : from.pitch, w, depth, channels, &to, &at);
    }
  }
}

static side input_of(const icl__conv1x1_shape *s, const void *x) {
  return (side){(void *)(uintptr_t)x, (int64_t)s->groups * s->in, 0, true};
}

static side result_of(const icl__conv1x1_shape *s, const void *y) {
  return (side){(void *)(uintptr_t)y, (int64_t)s->groups * s->out, 0, false};
}

static void forward(const icl__conv1x1_shape *s, const void *x, const float *weights, void *y, float *scratch) {
  multiply_images(s, input_of(s, x), s->in, weights, result_of(s, y), s->out, scratch);
}

static void backward(const icl__conv1x1_shape *s, const void *gy, const float *weights, void *gx, float *scratch) {
  if (is_strided(s)) /* pixels that no result depends on */
    memset(gx, 0,
           (size_t)s->images * (size_t)s->x[0] * (size_t)s->x[1] * (size_t)s->groups * (size_t)s->in *
               icl_dtype_bytes(s->dtype));
  multiply_images(s, result_of(s, gy), s->out, weights, input_of(s, gx), s->in, scratch);
}

/* ---- weight gradients ---- */

/* Channels in slices of ROWS: to[slice][pixel][ROWS]. Each store overwrites what the one before wrote too much. */
INLINE void slice_channels(const side *from, const pixels *at, int32_t channels, float *to, icl_dtype dtype) {
  for (int32_t c = 0; c < channels; c += ROWS)
    for (int32_t i = 0; i < at->count; i++, to += ROWS)
      store(ICL_F32, to, 0,
            load_part(dtype, from->data, pixel_of(from, at, i) + c, channels - c < LANES ? channels - c : LANES));
}

/* Channels in panels: to[panel][pixel][WIDTH]. */
INLINE void panel_channels(const side *from, const pixels *at, int32_t channels, float *to, icl_dtype dtype) {
  for (int32_t c = 0; c < channels; c += LANES) {
    float *panel = to + (int64_t)(c / WIDTH) * at->count * WIDTH + c % WIDTH;
    for (int32_t i = 0; i < at->count; i++)
      store(ICL_F32, panel, (int64_t)i * WIDTH,
            load_part(dtype, from->data, pixel_of(from, at, i) + c, channels - c < LANES ? channels - c : LANES));
  }
}

/* gradient[rows channels, of which `valid` exist][count] += v^T g */
INLINE void correlate(const float *v, const float *g, int64_t depth, float *gradient, int64_t pitch, int32_t valid,
                      int32_t count, bool accumulate, int columns) {
  vec sum[ROWS][2] = {{{0}}};
  multiply(sum, v, 1, ROWS, g, depth, ROWS, columns);
  UNROLL(8)
  for (int r = 0; r < ROWS; r++)
    UNROLL(2)
  for (int c = 0; c < columns; c++) {
    int32_t lanes = count - c * LANES < LANES ? count - c * LANES : LANES;
    float *to = gradient + r * pitch + c * LANES;
    if (r < valid)
      store_part(ICL_F32, to, 0, lanes, accumulate ? load_part(ICL_F32, to, 0, lanes) + sum[r][c] : sum[r][c]);
  }
}

NOINLINE void correlate_of_two(const float *v, const float *g, int64_t depth, float *gradient, int64_t pitch,
                               int32_t valid, int32_t count, bool accumulate) {
  correlate(v, g, depth, gradient, pitch, valid, count, accumulate, 2);
}

NOINLINE void correlate_of_one(const float *v, const float *g, int64_t depth, float *gradient, int64_t pitch,
                               int32_t valid, int32_t count, bool accumulate) {
  correlate(v, g, depth, gradient, pitch, valid, count, accumulate, 1);
}

static void differentiate(const icl__conv1x1_shape *s, const void *x, const void *gy, float *gradient, bool accumulate,
                          float *scratch) {
  int32_t block = icl__conv1x1_block(s->in + s->out);
  int64_t pitch = (int64_t)s->groups * s->out;
  float *g = scratch, *v = scratch + (size_t)block * icl__conv1x1_padded(s->out);
  side from = input_of(s, x), to = result_of(s, gy);
  pixels at;
  for (int64_t first = 0; first < pixels_of(s); first += block) {
    find_pixels(s, first, block, &at);
    for (int32_t group = 0; group < s->groups; group++) {
      from.channel = (int64_t)group * s->in;
      to.channel = (int64_t)group * s->out;
      FOR_FLOATS(s->dtype, slice_channels, &from, &at, s->in, v);
      FOR_FLOATS(s->dtype, panel_channels, &to, &at, s->out, g);
      for (int32_t j = 0; j < s->out; j += WIDTH)
        for (int32_t i = 0; i < s->in; i += ROWS)
          (s->out - j > LANES ? correlate_of_two : correlate_of_one)(
              v + (int64_t)i * at.count, g + (int64_t)j * at.count, at.count, gradient + i * pitch + to.channel + j,
              pitch, s->in - i, s->out - j < WIDTH ? s->out - j : WIDTH, accumulate || first > 0);
    }
  }
}

/* ---- weights ---- */

static void prepare(const icl__conv1x1_shape *s, bool turned, const float *hwio, float *weights, int part, int parts) {
  int32_t depth = turned ? s->out : s->in, channels = turned ? s->in : s->out;
  int64_t pitch = (int64_t)s->groups * s->out;
  int64_t panels = (int64_t)icl__conv1x1_padded(channels) / WIDTH, all = s->groups * panels;
  for (int64_t n = all * part / parts; n < all * (part + 1) / parts; n++) {
    const float *from = hwio + n / panels * s->out;
    float *to = weights + n * depth * WIDTH;
    for (int32_t k = 0; k < depth; k++)
      for (int32_t c = 0; c < WIDTH; c++) {
        int64_t channel = n % panels * WIDTH + c;
        float w = channel >= channels ? 0 : turned ? from[channel * pitch + k] : from[k * pitch + channel];
        to[k * WIDTH + c] = w;
      }
  }
}

const icl__conv1x1 ISA_NAME(icl__conv1x1) = {prepare, forward, backward, differentiate};
