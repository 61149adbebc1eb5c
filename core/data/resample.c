/* resample.c - Pillow's bilinear resize of bytes: a horizontal, then a vertical pass, each with weights of 22 bits
 * whose sum is rounded to a byte. (Pillow 10 does this; later versions take the vertical pass first where that is less
 * work, which changes some bytes by 1.) Only what the window needs is computed. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "data/crop.h"

enum { BITS = 22, ROUND = 1 << (BITS - 1) };

/* Outputs first ... first + count - 1 of one axis that goes from `length` to `full` pixels. */
typedef struct {
  int first, count; /* in the window */
  int taps;         /* room for weights of an output */
  int *from, *used; /* of each output: its first input, and how many inputs it has */
  uint32_t *weight; /* count x taps */
} axis;

static double tent(double x) {
  double distance = fabs(x);
  return distance < 1 ? 1 - distance : 0;
}

/* The weights of output i, in double until they are normalised. */
static void set_weights(axis *a, int k, int64_t i, int length, int64_t full) {
  double scale = (double)length / (double)full, support = scale < 1 ? 1 : scale, inverse = 1 / support;
  double center = ((double)i + 0.5) * scale, sum = 0;
  int low = (int)(center - support + 0.5), high = (int)(center + support + 0.5);
  low = low < 0 ? 0 : low;
  high = high > length ? length : high;
  for (int x = low; x < high; x++)
    sum += tent((x - center + 0.5) * inverse);
  for (int x = low; x < high; x++)
    a->weight[(size_t)k * (size_t)a->taps + (size_t)(x - low)] =
        (uint32_t)(0.5 + tent((x - center + 0.5) * inverse) / sum * (1 << BITS));
  a->from[k] = low;
  a->used[k] = high - low;
}

/* `window` pixels from `begin` on, of which those inside of 0 ... full - 1 are computed. */
static icl_status make_axis(axis *a, int length, int64_t full, int64_t begin, int window) {
  int64_t low = begin < 0 ? 0 : begin, high = begin + window > full ? full : begin + window;
  *a = (axis){.first = (int)(low - begin), .count = high > low ? (int)(high - low) : 0};
  double scale = (double)length / (double)full;
  a->taps = (int)ceil(scale < 1 ? 1 : scale) * 2 + 1;
  a->from = icl__alloc((size_t)a->count, 2 * sizeof *a->from);
  a->weight = icl__alloc((size_t)a->count * (size_t)a->taps, sizeof *a->weight);
  if (!a->from || !a->weight)
    return ICL_ENOMEM;
  a->used = a->from + a->count;
  for (int k = 0; k < a->count; k++)
    set_weights(a, k, low + k, length, full);
  return ICL_OK;
}

static void free_axis(axis *a) {
  icl__free(a->from);
  icl__free(a->weight);
}

static uint8_t to_byte(uint32_t sum) {
  uint32_t value = sum >> BITS;
  return (uint8_t)(value > 255 ? 255 : value);
}

/* One row, three bytes a pixel, to a->count pixels. */
static void shrink_row(const axis *a, const uint8_t *in, uint8_t *out) {
  for (int k = 0; k < a->count; k++, out += 3) {
    const uint32_t *weight = a->weight + (size_t)k * (size_t)a->taps;
    const uint8_t *from = in + 3 * (size_t)a->from[k];
    uint32_t red = ROUND, green = ROUND, blue = ROUND;
    for (int t = 0; t < a->used[k]; t++, from += 3) {
      red += from[0] * weight[t];
      green += from[1] * weight[t];
      blue += from[2] * weight[t];
    }
    out[0] = to_byte(red);
    out[1] = to_byte(green);
    out[2] = to_byte(blue);
  }
}

/* Output row k from rows of `bytes` bytes, of which `rows` holds those from `first` on. */
static void mix_rows(const axis *a, int k, const uint8_t *rows, int first, size_t bytes, uint32_t *sum, uint8_t *out) {
  const uint32_t *weight = a->weight + (size_t)k * (size_t)a->taps;
  for (size_t i = 0; i < bytes; i++)
    sum[i] = ROUND;
  for (int t = 0; t < a->used[k]; t++) {
    const uint8_t *row = rows + (size_t)(a->from[k] + t - first) * bytes;
    for (size_t i = 0; i < bytes; i++)
      sum[i] += row[i] * weight[t];
  }
  for (size_t i = 0; i < bytes; i++)
    out[i] = to_byte(sum[i]);
}

static icl_status resample(const icl__image *image, const icl__crop *crop, const axis *x, const axis *y, uint8_t *out) {
  int first = y->from[0], last = y->from[y->count - 1] + y->used[y->count - 1];
  size_t bytes = (size_t)x->count * 3, pitch = (size_t)crop->window_width * 3;
  uint8_t *rows = icl__alloc((size_t)(last - first), bytes);
  uint32_t *sum = icl__alloc(bytes, sizeof *sum);
  if (rows && sum) {
    for (int row = first; row < last; row++)
      shrink_row(x, image->pixels + ((size_t)(crop->top + row) * (size_t)image->width + (size_t)crop->left) * 3,
                 rows + (size_t)(row - first) * bytes);
    for (int k = 0; k < y->count; k++)
      mix_rows(y, k, rows, first, bytes, sum, out + (size_t)(y->first + k) * pitch + (size_t)x->first * 3);
  }
  icl_status status = rows && sum ? ICL_OK : ICL_ENOMEM;
  icl__free(rows);
  icl__free(sum);
  return status;
}

icl_status icl__crop_render(const icl__image *image, const icl__crop *crop, uint8_t *out) {
  axis x = {0}, y = {0};
  icl_status status = make_axis(&x, crop->width, crop->full_width, crop->window_left, crop->window_width);
  if (status == ICL_OK)
    status = make_axis(&y, crop->height, crop->full_height, crop->window_top, crop->window_height);
  if (status == ICL_OK && (x.count < crop->window_width || y.count < crop->window_height))
    memset(out, 0, (size_t)crop->window_height * (size_t)crop->window_width * 3);
  if (status == ICL_OK && x.count && y.count)
    status = resample(image, crop, &x, &y, out);
  free_axis(&x);
  free_axis(&y);
  return status;
}
