/* picture.h - what the ops adjust and warp make of the bytes of an image, the same bytes in every backend: what
 * torchvision 0.20 (transforms.functional) makes of u8 tensors. Everything is in f32, each operation rounded by itself,
 * and a float becomes a byte by leaving out its fraction. Files that include this are compiled without fused products
 * and sums. */
#ifndef ICL_OPS_PICTURE_H
#define ICL_OPS_PICTURE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Before what devices compute as well: their kernels define it as what their compiler wants to see there, and a product
 * that is not fused. */
#ifndef ICL__PICTURE
#define ICL__PICTURE static inline
#endif
#ifndef ICL__PRODUCT
#define ICL__PRODUCT(a, b) ((a) * (b))
#endif

/* ---- adjust ---- */

/* The kinds, by number. */
#define ICL__ADJUSTMENTS(X)                                                                                            \
  X(identity)                                                                                                          \
  X(brightness)                                                                                                        \
  X(contrast)                                                                                                          \
  X(saturation) X(hue) X(sharpness) X(posterize) X(solarize) X(autocontrast) X(equalize) X(invert) X(grayscale)
enum {
#define ADJUSTMENT(name) ICL__ADJUST_##name,
  ICL__ADJUSTMENTS(ADJUSTMENT)
#undef ADJUSTMENT
      ICL__ADJUSTMENT_COUNT
};

enum { ICL__BYTES = 256, ICL__RGB = 3 };

/* An adjustment of one image. */
typedef struct {
  int kind;
  float amount, rest; /* rest = 1 - amount */
} icl__adjustment;

/* What an adjustment may depend on besides a byte itself. */
typedef struct {
  float mean;      /* of the grey image */
  int least, most; /* of the channel */
  int64_t step;    /* pixels of the channel, but for those of the largest byte, for each of 255 steps */
} icl__channel;

ICL__PICTURE uint8_t icl__to_byte(float x) { return (uint8_t)(x > 0 ? x < 255 ? x : 255 : 0); }

ICL__PICTURE uint8_t icl__blend(const icl__adjustment *a, float x, float y) {
  return icl__to_byte(ICL__PRODUCT(a->amount, x) + ICL__PRODUCT(a->rest, y));
}

ICL__PICTURE uint8_t icl__grey(const uint8_t *p) {
  return icl__to_byte(ICL__PRODUCT(0.2989f, (float)p[0]) + ICL__PRODUCT(0.587f, (float)p[1]) +
                      ICL__PRODUCT(0.114f, (float)p[2]));
}

ICL__PICTURE uint8_t icl__posterize(float bits, int byte) {
  return (uint8_t)(bits < 8 ? byte & -(1 << (8 - (int)(bits > 0 ? bits : 0))) : byte);
}

ICL__PICTURE uint8_t icl__autocontrast(const icl__channel *c, int byte) {
  if (c->most <= c->least)
    return (uint8_t)byte;
  float scale = 255.0f * (1.0f / (float)(c->most - c->least)); /* as PyTorch divides a number by a tensor */
  return icl__to_byte(ICL__PRODUCT((float)(byte - c->least), scale));
}

/* `below`: how many pixels of the channel have a smaller byte. */
ICL__PICTURE uint8_t icl__equalize(const icl__channel *c, int64_t below, int byte) {
  if (c->step == 0)
    return (uint8_t)byte;
  int64_t level = (below + c->step / 2) / c->step;
  return (uint8_t)(level < 255 ? level : 255);
}

/* What becomes of a byte, whatever stands beside it. */
ICL__PICTURE uint8_t icl__adjust_byte(const icl__adjustment *a, const icl__channel *c, int64_t below, int byte) {
  switch (a->kind) {
  case ICL__ADJUST_brightness:
    return icl__blend(a, (float)byte, 0);
  case ICL__ADJUST_contrast:
    return icl__blend(a, (float)byte, c->mean);
  case ICL__ADJUST_posterize:
    return icl__posterize(a->amount, byte);
  case ICL__ADJUST_solarize:
    return (uint8_t)((float)byte >= a->amount ? 255 - byte : byte);
  case ICL__ADJUST_autocontrast:
    return icl__autocontrast(c, byte);
  case ICL__ADJUST_equalize:
    return icl__equalize(c, below, byte);
  case ICL__ADJUST_invert:
    return (uint8_t)(255 - byte);
  default:
    return (uint8_t)byte;
  }
}

/* Is it an adjustment of whole pixels of red, green and blue? */
ICL__PICTURE bool icl__adjusts_pixels(int kind) {
  return kind == ICL__ADJUST_saturation || kind == ICL__ADJUST_hue || kind == ICL__ADJUST_grayscale;
}

ICL__PICTURE float icl__clamp_unit(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

/* Hue, from 0 to 1, of a pixel of which the largest byte, divided by 255, is v, and the smallest v - range. */
ICL__PICTURE float icl__hue_of(float r, float g, float b, float v, float range) {
  float divisor = range == 0 ? 1 : range, rc = (v - r) / divisor, gc = (v - g) / divisor, bc = (v - b) / divisor;
  float h = v == r ? bc - gc : v == g ? 2 + rc - bc : 4 + gc - rc;
  return fmodf(h / 6 + 1, 1);
}

ICL__PICTURE void icl__turn_hue(float by, const uint8_t *x, uint8_t *y) {
  float r = (float)x[0] / 255, g = (float)x[1] / 255, b = (float)x[2] / 255;
  float v = r > g ? r > b ? r : b : g > b ? g : b, least = r < g ? r < b ? r : b : g < b ? g : b;
  float s = (v - least) / (v == least ? 1 : v), h = fmodf(icl__hue_of(r, g, b, v, v - least) + by, 1);
  float sixth = ICL__PRODUCT(h < 0 ? h + 1 : h, 6), whole = floorf(sixth), f = sixth - whole;
  float p = icl__clamp_unit(ICL__PRODUCT(v, 1 - s)), q = icl__clamp_unit(ICL__PRODUCT(v, 1 - ICL__PRODUCT(s, f)));
  float t = icl__clamp_unit(ICL__PRODUCT(v, 1 - ICL__PRODUCT(s, 1 - f)));
  int i = (int)whole % 6;
  float red = i == 0 || i == 5 ? v : i == 1 ? q : i == 4 ? t : p;
  float green = i == 1 || i == 2 ? v : i == 0 ? t : i == 3 ? q : p;
  float blue = i == 3 || i == 4 ? v : i == 2 ? t : i == 5 ? q : p;
  y[0] = icl__to_byte(ICL__PRODUCT(red, 255.999f));
  y[1] = icl__to_byte(ICL__PRODUCT(green, 255.999f));
  y[2] = icl__to_byte(ICL__PRODUCT(blue, 255.999f));
}

/* What becomes of a pixel of red, green and blue. */
ICL__PICTURE void icl__adjust_pixel(const icl__adjustment *a, const uint8_t *x, uint8_t *y) {
  if (a->kind == ICL__ADJUST_hue) {
    icl__turn_hue(a->amount, x, y);
    return;
  }
  uint8_t grey = icl__grey(x);
  for (int k = 0; k < ICL__RGB; k++)
    y[k] = a->kind == ICL__ADJUST_grayscale ? grey : icl__blend(a, (float)x[k], (float)grey);
}

/* A byte blended with the mean of the nine around it, in which it counts five times; `sum` is that of all nine. */
ICL__PICTURE uint8_t icl__sharpen(const icl__adjustment *a, int byte, int sum) {
  return icl__blend(a, (float)byte, (float)((2 * (sum + 4 * byte) + 13) / 26));
}

/* ---- warp ---- */

/* The pixels of an image that make one of the result, and how much they count; -1: none. What is left of 1 is fill. */
typedef struct {
  int64_t pixel[4];
  float weight[4], fill;
} icl__taps;

/* One axis: the first of two neighbours about `at`, and how much of the second. */
ICL__PICTURE void icl__tap_axis(float at, bool bilinear, int size, int *first, float *second) {
  float floor = bilinear ? floorf(at) : rintf(at);
  bool near = floor >= -1 && floor < (float)size;
  *first = near ? (int)floor : -2;
  *second = near && bilinear ? at - floor : 0;
}

/* For the pixel at row, column: k are the eight coefficients that lead from the middle of it to a place in x. */
ICL__PICTURE icl__taps icl__warp(const float *k, bool bilinear, int row, int column, int h, int w) {
  float x = (float)column + 0.5f, y = (float)row + 0.5f;
  float scale = ICL__PRODUCT(k[6], x) + ICL__PRODUCT(k[7], y) + 1, right, below;
  float across = (ICL__PRODUCT(k[0], x) + ICL__PRODUCT(k[1], y) + k[2]) / scale - 0.5f;
  float down = (ICL__PRODUCT(k[3], x) + ICL__PRODUCT(k[4], y) + k[5]) / scale - 0.5f;
  int i, j;
  icl__tap_axis(across, bilinear, w, &j, &right);
  icl__tap_axis(down, bilinear, h, &i, &below);
  icl__taps taps;
  taps.fill = 1;
  for (int t = 0; t < 4; t++) {
    int at_row = i + t / 2, at_column = j + t % 2;
    float weight = ICL__PRODUCT(t / 2 ? below : 1 - below, t % 2 ? right : 1 - right);
    bool inside = at_row >= 0 && at_row < h && at_column >= 0 && at_column < w && weight > 0;
    taps.pixel[t] = inside ? (int64_t)at_row * w + at_column : -1;
    taps.weight[t] = inside ? weight : 0;
    taps.fill -= taps.weight[t];
  }
  return taps;
}

ICL__PICTURE uint8_t icl__mix_taps(const icl__taps *taps, const uint8_t *x, int64_t pitch, int fill) {
  float sum = 0;
  for (int t = 0; t < 4; t++)
    sum += taps->pixel[t] < 0 ? 0 : ICL__PRODUCT(taps->weight[t], (float)x[taps->pixel[t] * pitch]);
  return icl__to_byte(rintf(sum + ICL__PRODUCT(taps->fill, (float)fill)));
}

/* Does it leave every pixel where it is? */
ICL__PICTURE bool icl__warps_nothing(const float *k) {
  return k[0] == 1 && k[1] == 0 && k[2] == 0 && k[3] == 0 && k[4] == 1 && k[5] == 0 && k[6] == 0 && k[7] == 0;
}

#endif
