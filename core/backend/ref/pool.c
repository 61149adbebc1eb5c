/* pool.c - reference kernels of pooling: one walk over the taps of every window, and what each op does with a tap.
 *
 * Padding is narrower than the window, so every window has at least one tap within the image. */
#include "backend/ref/ref.h"

/* One tap of a window that lies within the image: element x of the image (n, h, w, c) under element y of the result. */
typedef struct {
  const icl__call *call;
  int64_t x, y;
  int32_t position; /* of the tap in its window, row by row */
  bool first;       /* the first of its window */
  double largest;   /* of the window so far; kept by the user */
} tap;

static void each_tap(const icl__call *call, const icl__view *image, const icl__view *result, void (*use)(tap *)) {
  const int32_t *attr = call->attr->i, *size = image->shape;
  int32_t at[ICL_MAX_RANK] = {0};
  for (int64_t y = 0; y < icl__view_count(result); y++, step(result->rank, result->shape, at)) {
    tap t = {.call = call, .y = y, .first = true};
    for (int32_t i = 0; i < attr[POOL_KERNEL_H]; i++)
      for (int32_t j = 0; j < attr[POOL_KERNEL_W]; j++) {
        int32_t row = at[1] * attr[POOL_STRIDE_H] + i - attr[POOL_PADDING_H];
        int32_t column = at[2] * attr[POOL_STRIDE_W] + j - attr[POOL_PADDING_W];
        if (row < 0 || row >= size[1] || column < 0 || column >= size[2])
          continue;
        t.x = (((int64_t)at[0] * size[1] + row) * size[2] + column) * size[3] + at[3];
        t.position = i * attr[POOL_KERNEL_W] + j;
        use(&t);
        t.first = false;
      }
  }
}

static double *out(const tap *t) { return values(&t->call->out); }
static double in(const tap *t, int input, int64_t index) { return values(&t->call->in[input])[index]; }
static double window_size(const tap *t) { return t->call->attr->i[POOL_KERNEL_H] * t->call->attr->i[POOL_KERNEL_W]; }

/* ---- maximum ---- */

static bool leads(tap *t) {
  double x = in(t, 0, t->x);
  if (!t->first && !is_larger(x, t->largest))
    return false;
  t->largest = x;
  return true;
}

static void take_value(tap *t) {
  if (leads(t))
    out(t)[t->y] = t->largest;
}

static void take_position(tap *t) {
  if (leads(t))
    out(t)[t->y] = t->position;
}

static void give_gradient(tap *t) {
  if (t->position == (int32_t)in(t, 1, t->y))
    out(t)[t->x] += in(t, 0, t->y);
}

static void pick(tap *t) {
  if (t->position == (int32_t)in(t, 1, t->y))
    out(t)[t->y] = in(t, 0, t->x);
}

void icl__ref_max_pool2d(const icl__call *call) { each_tap(call, &call->in[0], &call->out, take_value); }
void icl__ref_max_pool2d_positions(const icl__call *call) { each_tap(call, &call->in[0], &call->out, take_position); }

void icl__ref_max_pool2d_grad(const icl__call *call) {
  fill(&call->out, 0);
  each_tap(call, &call->out, &call->in[0], give_gradient);
}

void icl__ref_max_pool2d_pick(const icl__call *call) {
  fill(&call->out, 0);
  each_tap(call, &call->in[0], &call->out, pick);
}

/* ---- mean: over the whole window, padding included ---- */

static void average(tap *t) { out(t)[t->y] += in(t, 0, t->x) / window_size(t); }
static void spread(tap *t) { out(t)[t->x] += in(t, 0, t->y) / window_size(t); }

void icl__ref_avg_pool2d(const icl__call *call) {
  fill(&call->out, 0);
  each_tap(call, &call->in[0], &call->out, average);
}

void icl__ref_avg_pool2d_grad(const icl__call *call) {
  fill(&call->out, 0);
  each_tap(call, &call->out, &call->in[0], spread);
}

/* ---- mean of all pixels: images (n, h, w, c), means (n, c) ---- */

void icl__ref_global_avg_pool(const icl__call *call) {
  const icl__view *x = &call->in[0];
  int64_t pixels = (int64_t)x->shape[1] * x->shape[2], c = x->shape[3];
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    double sum = 0;
    for (int64_t k = 0; k < pixels; k++)
      sum += values(x)[(i / c * pixels + k) * c + i % c];
    values(&call->out)[i] = sum / (double)pixels;
  }
}

void icl__ref_global_avg_pool_grad(const icl__call *call) {
  const icl__view *y = &call->out;
  int64_t pixels = (int64_t)y->shape[1] * y->shape[2], c = y->shape[3];
  for (int64_t i = 0; i < icl__view_count(y); i++)
    values(y)[i] = values(&call->in[0])[i / (pixels * c) * c + i % c] / (double)pixels;
}
