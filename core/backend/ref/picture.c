/* picture.c - reference kernels of what is done to pictures: adjust, warp. */
#include "backend/ref/ref.h"
#include "ops/picture.h"

/* One image of a view of bytes as f64. */
typedef struct {
  const double *x;
  int32_t h, w, c;
} image;

static image image_at(const icl__view *v, int64_t n) {
  int64_t size = (int64_t)v->shape[1] * v->shape[2] * v->shape[3];
  return (image){values(v) + n * size, v->shape[1], v->shape[2], v->shape[3]};
}

static uint8_t byte_at(const image *p, int64_t pixel, int channel) { return (uint8_t)p->x[pixel * p->c + channel]; }

static void load_pixel(const image *p, int64_t pixel, uint8_t *to) {
  for (int k = 0; k < p->c; k++)
    to[k] = byte_at(p, pixel, k);
}

static float grey_mean(const image *p) {
  double sum = 0;
  for (int64_t i = 0; i < (int64_t)p->h * p->w; i++) {
    uint8_t pixel[ICL__RGB];
    load_pixel(p, i, pixel);
    sum += p->c == ICL__RGB ? icl__grey(pixel) : pixel[0];
  }
  return (float)sum / (float)((int64_t)p->h * p->w);
}

static int64_t count_below(const image *p, int channel, int byte) {
  int64_t count = 0;
  for (int64_t i = 0; i < (int64_t)p->h * p->w; i++)
    count += byte_at(p, i, channel) < byte;
  return count;
}

static icl__channel measure(const image *p, int channel, float mean) {
  icl__channel c = {.mean = mean, .least = 255};
  for (int64_t i = 0; i < (int64_t)p->h * p->w; i++) {
    int byte = byte_at(p, i, channel);
    c.least = byte < c.least ? byte : c.least;
    c.most = byte > c.most ? byte : c.most;
  }
  c.step = count_below(p, channel, c.most) / 255;
  return c;
}

static int sum_of_nine(const image *p, int row, int column, int channel) {
  int sum = 0;
  for (int i = -1; i <= 1; i++)
    for (int j = -1; j <= 1; j++)
      sum += byte_at(p, (int64_t)(row + i) * p->w + column + j, channel);
  return sum;
}

static uint8_t sharpened(const icl__adjustment *a, const image *p, int row, int column, int channel) {
  int byte = byte_at(p, (int64_t)row * p->w + column, channel);
  if (p->h < 3 || p->w < 3)
    return (uint8_t)byte;
  bool inside = row > 0 && row < p->h - 1 && column > 0 && column < p->w - 1;
  return inside ? icl__sharpen(a, byte, sum_of_nine(p, row, column, channel)) : icl__blend(a, (float)byte, (float)byte);
}

static void adjust_channel(const icl__adjustment *a, const image *p, int channel, float mean, double *y) {
  icl__channel c = measure(p, channel, mean);
  for (int row = 0; row < p->h; row++)
    for (int column = 0; column < p->w; column++) {
      int64_t i = (int64_t)row * p->w + column;
      int byte = byte_at(p, i, channel);
      int64_t below = a->kind == ICL__ADJUST_equalize ? count_below(p, channel, byte) : 0;
      y[i * p->c + channel] = a->kind == ICL__ADJUST_sharpness ? sharpened(a, p, row, column, channel)
                                                               : icl__adjust_byte(a, &c, below, byte);
    }
}

static void adjust_pixels(const icl__adjustment *a, const image *p, double *y) {
  for (int64_t i = 0; i < (int64_t)p->h * p->w; i++) {
    uint8_t from[ICL__RGB], to[ICL__RGB];
    load_pixel(p, i, from);
    icl__adjust_pixel(a, from, to);
    for (int k = 0; k < ICL__RGB; k++)
      y[i * ICL__RGB + k] = to[k];
  }
}

void icl__ref_adjust(const icl__call *call) {
  const icl__view *x = &call->in[0];
  for (int64_t n = 0; n < x->shape[0]; n++) {
    image p = image_at(x, n), result = image_at(&call->out, n);
    double amount = values(&call->in[1])[n];
    int kind = (int)clamp(values(&call->in[2])[n], 0, ICL__ADJUSTMENT_COUNT - 1);
    icl__adjustment a = {kind, (float)amount, (float)(1 - amount)};
    if (icl__adjusts_pixels(kind) && p.c == ICL__RGB) {
      adjust_pixels(&a, &p, (double *)result.x);
      continue;
    }
    float mean = grey_mean(&p);
    for (int k = 0; k < p.c; k++)
      adjust_channel(&a, &p, k, mean, (double *)result.x);
  }
}

void icl__ref_warp(const icl__call *call) {
  const icl__view *x = &call->in[0];
  int32_t h = x->shape[1], w = x->shape[2], at[ICL_MAX_RANK] = {0};
  for (int64_t i = 0; i < icl__view_count(x); i++, step(x->rank, x->shape, at)) {
    float k[8], sum = 0;
    for (int j = 0; j < 8; j++)
      k[j] = (float)values(&call->in[1])[at[0] * 8 + j];
    icl__taps taps = icl__warp(k, call->attr->i[WARP_BILINEAR] != 0, at[1], at[2], h, w);
    image p = image_at(x, at[0]);
    for (int t = 0; t < 4; t++)
      sum += taps.pixel[t] < 0 ? 0 : ICL__PRODUCT(taps.weight[t], (float)byte_at(&p, taps.pixel[t], at[3]));
    values(&call->out)[i] = icl__to_byte(rintf(sum + ICL__PRODUCT(taps.fill, (float)call->attr->i[WARP_FILL])));
  }
}
