/* picture.c - what is done to pictures: adjust, warp. All of it is plain C: an image takes microseconds. */
#include "backend/cpu/kernels/rows.h"

#include "ops/attributes.h"
#include "ops/ops.h"
#include "ops/picture.h"

/* One image, and what becomes of it; pitches from pixel to pixel. */
typedef struct {
  const uint8_t *x;
  uint8_t *y;
  int64_t x_pitch, y_pitch;
  int32_t h, w, c;
} picture;

static picture picture_at(const icl__call *call, int64_t n) {
  const icl__view *x = &call->in[0], *out = &call->out;
  int64_t pixels = (int64_t)x->shape[1] * x->shape[2];
  return (picture){.x = row_at(x, n * pixels),
                   .y = row_at(out, n * pixels),
                   .x_pitch = x->pitch,
                   .y_pitch = out->pitch,
                   .h = x->shape[1],
                   .w = x->shape[2],
                   .c = x->shape[3]};
}

static int64_t pixels_of(const picture *p) { return (int64_t)p->h * p->w; }

static void copy_picture(const picture *p) { copy_rows(p->y, p->y_pitch, p->x, p->x_pitch, pixels_of(p), p->c); }

/* ---- adjust ---- */

static float grey_mean(const picture *p) {
  int64_t sum = 0;
  for (int64_t i = 0; i < pixels_of(p); i++)
    sum += p->c == ICL__RGB ? icl__grey(p->x + i * p->x_pitch) : p->x[i * p->x_pitch];
  return (float)sum / (float)pixels_of(p);
}

/* below[b]: how many pixels of a channel have a byte below b. */
static void count_below(const picture *p, int channel, int64_t *below) {
  memset(below, 0, (ICL__BYTES + 1) * sizeof *below);
  for (int64_t i = 0; i < pixels_of(p); i++)
    below[p->x[i * p->x_pitch + channel] + 1]++;
  for (int b = 0; b < ICL__BYTES; b++)
    below[b + 1] += below[b];
}

static icl__channel measure(const int64_t *below, float mean) {
  icl__channel c = {.mean = mean, .least = 0, .most = 255};
  while (c.least < 255 && below[c.least + 1] == 0)
    c.least++;
  while (c.most > 0 && below[c.most] == below[ICL__BYTES])
    c.most--;
  c.step = below[c.most] / 255;
  return c;
}

/* By a table of what becomes of the bytes of a channel. */
static void adjust_bytes(const icl__adjustment *a, const picture *p) {
  float mean = a->kind == ICL__ADJUST_contrast ? grey_mean(p) : 0;
  for (int k = 0; k < p->c; k++) {
    int64_t below[ICL__BYTES + 1] = {0};
    uint8_t table[ICL__BYTES];
    if (a->kind == ICL__ADJUST_autocontrast || a->kind == ICL__ADJUST_equalize)
      count_below(p, k, below);
    icl__channel c = measure(below, mean);
    for (int b = 0; b < ICL__BYTES; b++)
      table[b] = icl__adjust_byte(a, &c, below[b], b);
    for (int64_t i = 0; i < pixels_of(p); i++)
      p->y[i * p->y_pitch + k] = table[p->x[i * p->x_pitch + k]];
  }
}

static void adjust_pixels(const icl__adjustment *a, const picture *p) {
  for (int64_t i = 0; i < pixels_of(p); i++)
    icl__adjust_pixel(a, p->x + i * p->x_pitch, p->y + i * p->y_pitch);
}

/* One of the nine about an inner pixel is `step` bytes from the one beside it, and `row` from the one below. */
static int sum_of_nine(const uint8_t *x, int64_t step, int64_t row) {
  int sum = 0;
  for (int i = -1; i <= 1; i++)
    sum += x[i * row - step] + x[i * row] + x[i * row + step];
  return sum;
}

static void sharpen(const icl__adjustment *a, const picture *p) {
  int64_t line = p->w * p->x_pitch;
  for (int32_t i = 0; i < p->h; i++)
    for (int32_t j = 0; j < p->w; j++) {
      const uint8_t *x = p->x + i * line + j * p->x_pitch;
      uint8_t *y = p->y + ((int64_t)i * p->w + j) * p->y_pitch;
      bool inner = i > 0 && i < p->h - 1 && j > 0 && j < p->w - 1;
      for (int k = 0; k < p->c; k++)
        y[k] = inner ? icl__sharpen(a, x[k], sum_of_nine(x + k, p->x_pitch, line)) : icl__blend(a, x[k], x[k]);
    }
}

static void adjust_picture(const icl__adjustment *a, const picture *p) {
  if (a->kind == ICL__ADJUST_identity || (icl__adjusts_pixels(a->kind) && p->c != ICL__RGB))
    copy_picture(p);
  else if (icl__adjusts_pixels(a->kind))
    adjust_pixels(a, p);
  else if (a->kind != ICL__ADJUST_sharpness)
    adjust_bytes(a, p);
  else if (p->h > 2 && p->w > 2)
    sharpen(a, p);
  else
    copy_picture(p);
}

static void adjust(const icl__call *call) {
  const double *amount = call->in[1].data;
  const int64_t *kind = call->in[2].data;
  for (int64_t n = 0; n < call->out.shape[0]; n++) {
    picture p = picture_at(call, n);
    icl__adjustment a = {(int)within(kind[n], 0, ICL__ADJUSTMENT_COUNT - 1), (float)amount[n], (float)(1 - amount[n])};
    adjust_picture(&a, &p);
  }
}

/* ---- warp ---- */

static void warp_picture(const picture *p, const float *k, bool bilinear, int fill) {
  for (int32_t i = 0; i < p->h; i++)
    for (int32_t j = 0; j < p->w; j++) {
      icl__taps taps = icl__warp(k, bilinear, i, j, p->h, p->w);
      uint8_t *y = p->y + ((int64_t)i * p->w + j) * p->y_pitch;
      for (int channel = 0; channel < p->c; channel++)
        y[channel] = icl__mix_taps(&taps, p->x + channel, p->x_pitch, fill);
    }
}

static void warp(const icl__call *call) {
  const int32_t *attr = call->attr->i;
  for (int64_t n = 0; n < call->out.shape[0]; n++) {
    picture p = picture_at(call, n);
    const float *k = row_at(&call->in[1], n);
    if (icl__warps_nothing(k))
      copy_picture(&p);
    else
      warp_picture(&p, k, attr[WARP_BILINEAR] != 0, attr[WARP_FILL]);
  }
}

bool ISA_NAME(icl__choose_picture)(const icl__call *prototype, icl__choice *choice) {
  switch (prototype->op) {
  case ICL__OP_adjust:
    choice->run = adjust;
    return true;
  case ICL__OP_warp:
    choice->run = warp;
    return true;
  default:
    return false;
  }
}
