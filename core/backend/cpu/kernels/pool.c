/* pool.c - pooling of NHWC images of f32 and bf16, a register of channels at a time.
 *
 * Every op makes each pixel of its result from a rectangle of pixels of its input: from the taps of a window, or, for
 * gradients, from the windows that a pixel lies in. So every result is written once, and nothing is added up in memory.
 */
#include "backend/cpu/kernels/rows.h"
#include "backend/cpu/kernels/vector.h"

#include <math.h>

#include "ops/attributes.h"
#include "ops/ops.h"

/* ---- rectangles ---- */

/* Along one axis: `count` positions of the input from `first` on; the first of them and the pixel of the result meet in
 * tap `tap` of a window, the next one in tap + step. */
typedef struct {
  int32_t first, count, tap, step;
} span;

/* The taps of window `at` in an image of `size` pixels. */
static span taps_of(int32_t at, int32_t size, int32_t kernel, int32_t stride, int32_t padding) {
  int32_t begin = at * stride - padding, end = begin + kernel < size ? begin + kernel : size;
  int32_t first = begin > 0 ? begin : 0;
  return (span){first, end - first, first - begin, 1};
}

/* The windows, `count` in all, that hold pixel `at`. */
static span windows_of(int32_t at, int32_t count, int32_t kernel, int32_t stride, int32_t padding) {
  int32_t last = (at + padding) / stride,
          missed = at + padding - kernel; /* the last pixel of padding before the window */
  int32_t first = missed < 0 ? 0 : missed / stride + 1;
  last = last < count - 1 ? last : count - 1;
  return (span){first, last < first ? 0 : last - first + 1, at + padding - first * stride, -stride};
}

typedef struct {
  span rows, columns;
  int64_t image; /* its first pixel in the input */
  int64_t width; /* of the input */
} rectangle;

/* ---- a pixel of the result ---- */

/* LARGEST: of the taps. POSITION: the tap of the first largest. ADD: all, divided by the size of a window. GIVE: those
 * whose position is the tap. PICK: the tap at the position. */
typedef enum { LARGEST, POSITION, ADD, GIVE, PICK } operation;

INLINE vec choose(vec_bits take, vec a, vec b) { return (vec)(((vec_bits)a & take) | ((vec_bits)b & ~take)); }

/* `count` registers of `lanes` channels each, from channel c on. */
INLINE void pool_channels(operation op, const icl__call *call, const rectangle *r, int64_t pixel, int64_t c, int count,
                          int64_t lanes, float factor, icl_dtype dtype) {
  const icl__view *x = &call->in[0], *positions = &call->in[1], *out = &call->out;
  int32_t kernel_width = call->attr->i[POOL_KERNEL_W];
  vec y[4];
  vec_bits position[4];
  for (int k = 0; k < count; k++) {
    y[k] = splat(op == LARGEST || op == POSITION ? -INFINITY : 0);
    if (op == POSITION)
      position[k] = (vec_bits){0} + (uint32_t)(r->rows.tap * kernel_width + r->columns.tap);
    if (op == PICK)
      position[k] = load_bytes(positions->data, pixel * positions->pitch + c + k * LANES, lanes);
  }
  for (int32_t i = 0; i < r->rows.count; i++)
    for (int32_t j = 0; j < r->columns.count; j++) {
      int64_t from = r->image + (r->rows.first + i) * r->width + r->columns.first + j;
      uint32_t tap = (uint32_t)((r->rows.tap + i * r->rows.step) * kernel_width + r->columns.tap + j * r->columns.step);
      for (int k = 0; k < count; k++) {
        vec v = load_part(dtype, x->data, from * x->pitch + c + k * LANES, lanes);
        if (op == LARGEST) {
          y[k] = larger(v, y[k]);
        } else if (op == POSITION) {
          vec_bits take = (vec_bits)((v > y[k]) | ((v != v) & (y[k] == y[k])));
          y[k] = choose(take, v, y[k]);
          position[k] = (take & tap) | (~take & position[k]);
        } else if (op == ADD) {
          y[k] += v;
        } else if (op == GIVE) {
          vec_bits given = load_bytes(positions->data, from * positions->pitch + c + k * LANES, lanes);
          y[k] += (vec)((vec_bits)v & (vec_bits)(given == tap));
        } else {
          y[k] = choose((vec_bits)(position[k] == tap), v, y[k]);
        }
      }
    }
  for (int k = 0; k < count; k++) {
    int64_t to = pixel * out->pitch + c + k * LANES;
    if (op == POSITION)
      store_bytes(out->data, to, lanes, position[k]);
    else
      store_part(dtype, out->data, to, lanes, op == ADD ? y[k] * factor : y[k]);
  }
}

INLINE void pool_pixel(operation op, const icl__call *call, const rectangle *r, int64_t pixel, float factor,
                       icl_dtype dtype) {
  int64_t c = 0, channels = call->out.shape[3];
  for (; c + 4 * LANES <= channels; c += 4 * LANES)
    pool_channels(op, call, r, pixel, c, 4, LANES, factor, dtype);
  for (; c + LANES <= channels; c += LANES)
    pool_channels(op, call, r, pixel, c, 1, LANES, factor, dtype);
  if (c < channels)
    pool_channels(op, call, r, pixel, c, 1, channels - c, factor, dtype);
}

/* ---- all pixels ---- */

/* `gradient`: rectangles are windows, not taps. */
INLINE void pool(operation op, bool gradient, const icl__call *call, icl_dtype dtype) {
  const icl__view *x = &call->in[0], *out = &call->out;
  const int32_t *kernel = &call->attr->i[POOL_KERNEL_H], *stride = &call->attr->i[POOL_STRIDE_H];
  const int32_t *padding = &call->attr->i[POOL_PADDING_H];
  span (*span_of)(int32_t, int32_t, int32_t, int32_t, int32_t) = gradient ? windows_of : taps_of;
  span *columns = call->scratch;
  float factor = 1 / ((float)kernel[0] * (float)kernel[1]);
  int64_t pixel = 0;
  for (int32_t j = 0; j < out->shape[2]; j++)
    columns[j] = span_of(j, x->shape[2], kernel[1], stride[1], padding[1]);
  for (int32_t n = 0; n < out->shape[0]; n++)
    for (int32_t i = 0; i < out->shape[1]; i++) {
      rectangle r = {.rows = span_of(i, x->shape[1], kernel[0], stride[0], padding[0]),
                     .image = (int64_t)n * x->shape[1] * x->shape[2],
                     .width = x->shape[2]};
      for (int32_t j = 0; j < out->shape[2]; j++) {
        r.columns = columns[j];
        pool_pixel(op, call, &r, pixel++, factor, dtype);
      }
    }
}

#define POOL(name, op, gradient)                                                                                       \
  static void name(const icl__call *call) { FOR_FLOATS(call->in[0].dtype, pool, op, gradient, call); }
POOL(max_pool2d, LARGEST, false)
POOL(max_pool2d_positions, POSITION, false)
POOL(max_pool2d_grad, GIVE, true)
POOL(max_pool2d_pick, PICK, false)
POOL(avg_pool2d, ADD, false)
POOL(avg_pool2d_grad, ADD, true)

/* ---- the gradient of a mean over all pixels; the mean itself is in reduce.c ---- */

INLINE void spread(const icl__call *call, icl_dtype to, icl_dtype from) {
  const icl__view *g = &call->in[0], *out = &call->out;
  int64_t channels = out->shape[3], pixels = (int64_t)out->shape[1] * out->shape[2];
  float factor = (float)(1.0 / (double)pixels);
  for (int64_t pixel = 0; pixel < out->shape[0] * pixels; pixel++)
    for (int64_t c = 0; c < channels; c += LANES) {
      int64_t lanes = channels - c < LANES ? channels - c : LANES;
      vec v = load_part(from, g->data, pixel / pixels * g->pitch + c, lanes);
      store_part(to, out->data, pixel * out->pitch + c, lanes, v * factor);
    }
}

static void global_avg_pool_grad(const icl__call *call) {
  if (call->out.dtype == ICL_BF16)
    FOR_FLOATS(call->in[0].dtype, spread, call, ICL_BF16);
  else
    FOR_FLOATS(call->in[0].dtype, spread, call, ICL_F32);
}

/* ---- choosing ---- */

bool ISA_NAME(icl__choose_pool)(const icl__call *prototype, icl__choice *choice) {
  static const struct {
    int op;
    icl__kernel run;
  } kernels[] = {
      {ICL__OP_max_pool2d, max_pool2d},
      {ICL__OP_max_pool2d_positions, max_pool2d_positions},
      {ICL__OP_max_pool2d_grad, max_pool2d_grad},
      {ICL__OP_max_pool2d_pick, max_pool2d_pick},
      {ICL__OP_avg_pool2d, avg_pool2d},
      {ICL__OP_avg_pool2d_grad, avg_pool2d_grad},
      {ICL__OP_global_avg_pool_grad, global_avg_pool_grad},
  };
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
    if (kernels[i].op == prototype->op) {
      choice->run = kernels[i].run;
      choice->workspace = (size_t)prototype->out.shape[2] * sizeof(span);
      return is_lane_dtype(prototype->in[0].dtype) &&
             (prototype->op == ICL__OP_max_pool2d_positions || is_lane_dtype(prototype->out.dtype));
    }
  return false;
}
