/* crop.c - where the boxes are. */
#include "data/crop.h"

#include "base/philox.h"

/* Half of a length, rounded to even, as Python rounds. */
static int64_t half(int64_t length) {
  int64_t floor = length / 2;
  return floor + (length % 2 && floor % 2);
}

/* Where a window of `size` begins in the middle of `full` pixels. */
static int64_t middle(int64_t full, int size) { return full < size ? -((size - full) / 2) : half(full - size); }

icl__crop icl__crop_center(int height, int width, int resize, int size) {
  int shorter = height < width ? height : width;
  icl__crop crop = {.height = height,
                    .width = width,
                    .full_height = resize ? (int64_t)resize * height / shorter : height,
                    .full_width = resize ? (int64_t)resize * width / shorter : width,
                    .window_height = size,
                    .window_width = size};
  crop.window_top = middle(crop.full_height, size);
  crop.window_left = middle(crop.full_width, size);
  return crop;
}

/* The whole box as the window. */
static icl__crop crop_of_box(int top, int left, int height, int width, int size) {
  return (icl__crop){.top = top,
                     .left = left,
                     .height = height,
                     .width = width,
                     .full_height = size,
                     .full_width = size,
                     .window_height = size,
                     .window_width = size};
}

bool icl__crop_size(int height, int width, double area, double log_ratio, int *box_height, int *box_width) {
  double pixels = (double)height * width * area, ratio = (double)(float)exp(log_ratio); /* torch has it in f32 */
  double w = rint(sqrt(pixels * ratio)), h = rint(sqrt(pixels / ratio));
  if (!(w >= 1 && w <= width && h >= 1 && h <= height))
    return false;
  *box_height = (int)h;
  *box_width = (int)w;
  return true;
}

static int clamp(double value, int most) { return value < 1 ? 1 : value > most ? most : (int)value; }

icl__crop icl__crop_largest(int height, int width, const icl__crop_range *range, int size) {
  double ratio = (double)width / height;
  int h = height, w = width;
  if (ratio < range->ratio[0])
    h = clamp(rint(width / range->ratio[0]), height);
  else if (ratio > range->ratio[1])
    w = clamp(rint(height * range->ratio[1]), width);
  return crop_of_box((height - h) / 2, (width - w) / 2, h, w, size);
}

static double between(const double range[2], float uniform) {
  return range[0] + (range[1] - range[0]) * (double)uniform;
}

icl__crop icl__crop_random(int height, int width, const icl__crop_range *range, int size, const uint32_t key[4],
                           uint32_t sample) {
  enum { TRIES = 10 };
  double logs[2] = {log(range->ratio[0]), log(range->ratio[1])};
  for (uint32_t t = 0; t < TRIES; t++) {
    int h, w;
    double area = between(range->area, icl__draw_uniform(key, sample, 2 * t));
    double log_ratio = between(logs, icl__draw_uniform(key, sample, 2 * t + 1));
    if (!icl__crop_size(height, width, area, log_ratio, &h, &w))
      continue;
    int top = (int)icl__draw_integer(key, sample, 2 * TRIES, 0, height - h);
    int left = (int)icl__draw_integer(key, sample, 2 * TRIES + 1, 0, width - w);
    return crop_of_box(top, left, h, w, size);
  }
  return icl__crop_largest(height, width, range, size);
}
