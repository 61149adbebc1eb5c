/* conv_plain.c - see conv_plain.h. One walk over the meetings of a pixel of the input, a tap of the kernel and a pixel
 * of the result serves all three directions. Images are f32 copies; weights and their gradient are HWIO. */
#include "backend/cpu/conv_plain.h"

#include <string.h>

#include "backend/cpu/kernels.h"

/* Channels of one group: `in` of pixel x, `out` of pixel y, and their weights in rows that are `pitch` long. */
typedef void use_fn(int32_t in, int32_t out, int32_t pitch, float *x, float *w, float *y);

/* y += x w */
static void forward(int32_t in, int32_t out, int32_t pitch, float *x, float *w, float *y) {
  for (int32_t i = 0; i < in; i++, w += pitch)
    for (int32_t o = 0; o < out; o++)
      y[o] += x[i] * w[o];
}

/* x += w y */
static void to_input(int32_t in, int32_t out, int32_t pitch, float *x, float *w, float *y) {
  for (int32_t i = 0; i < in; i++, w += pitch)
    for (int32_t o = 0; o < out; o++)
      x[i] += w[o] * y[o];
}

/* w += x y */
static void to_weight(int32_t in, int32_t out, int32_t pitch, float *x, float *w, float *y) {
  for (int32_t i = 0; i < in; i++, w += pitch)
    for (int32_t o = 0; o < out; o++)
      w[o] += x[i] * y[o];
}

/* Zeros around the images contribute nothing and are left out. */
static void walk(const icl__conv_shape *s, float *x, float *w, float *y, use_fn *use) {
  int32_t in = s->x[2] / s->groups, out = s->y[2] / s->groups, pitch = s->y[2];
  for (int32_t n = 0; n < s->images; n++)
    for (int32_t row = 0; row < s->y[0]; row++)
      for (int32_t column = 0; column < s->y[1]; column++, y += s->y[2])
        for (int32_t i = 0; i < s->kernel[0]; i++)
          for (int32_t j = 0; j < s->kernel[1]; j++) {
            int32_t x_row = row * s->stride[0] + i - s->padding[0],
                    x_column = column * s->stride[1] + j - s->padding[1];
            if (x_row < 0 || x_row >= s->x[0] || x_column < 0 || x_column >= s->x[1])
              continue;
            float *pixel = x + (((int64_t)n * s->x[0] + x_row) * s->x[1] + x_column) * s->x[2];
            float *tap = w + (int64_t)(i * s->kernel[1] + j) * in * pitch;
            for (int32_t g = 0; g < s->groups; g++)
              use(in, out, pitch, pixel + g * in, tap + g * out, y + g * out);
          }
}

static int64_t elements(const icl__conv_shape *s, const int32_t size[3]) {
  return (int64_t)s->images * size[0] * size[1] * size[2];
}

static bool fits(const icl__conv_shape *s) {
  (void)s;
  return true;
}

static size_t weights(const icl__conv_shape *s) {
  return (size_t)s->kernel[0] * (size_t)s->kernel[1] * (size_t)(s->x[2] / s->groups) * (size_t)s->y[2];
}

/* f32 copies of both operands that are images. */
static size_t scratch(const icl__conv_shape *s) { return (size_t)(elements(s, s->x) + elements(s, s->y)); }

/* The first of the floats that are a part's. */
static size_t first_of(const icl__conv_shape *s, int part, int parts) {
  return weights(s) * (size_t)part / (size_t)parts;
}

static void prepare(const icl__conv_shape *s, const float *hwio, float *prepared, int part, int parts) {
  size_t first = first_of(s, part, parts), count = first_of(s, part + 1, parts) - first;
  memcpy(prepared + first, hwio + first, count * sizeof *prepared);
}

/* The first part is all. */
static void convolve(const icl__conv_shape *s, const void *from, const float *prepared, void *to, float *copies,
                     int part, int parts) {
  (void)parts;
  if (part)
    return;
  bool back = s->direction == ICL__CONV_INPUT;
  float *x = copies, *y = copies + elements(s, s->x), *read = back ? y : x, *made = back ? x : y;
  int64_t reads = elements(s, back ? s->y : s->x), makes = elements(s, back ? s->x : s->y);
  icl__cpu_convert(s->dtype, from, ICL_F32, read, reads);
  memset(made, 0, (size_t)makes * sizeof *made);
  walk(s, x, (float *)(uintptr_t)prepared, y, back ? to_input : forward);
  icl__cpu_convert(ICL_F32, made, s->dtype, to, makes);
}

static void differentiate(const icl__conv_shape *s, const void *x, const void *gy, float *gradient, bool accumulate,
                          float *copies) {
  float *wide_x = copies, *wide_y = copies + elements(s, s->x);
  icl__cpu_convert(s->dtype, x, ICL_F32, wide_x, elements(s, s->x));
  icl__cpu_convert(s->dtype, gy, ICL_F32, wide_y, elements(s, s->y));
  if (!accumulate)
    memset(gradient, 0, weights(s) * sizeof *gradient);
  walk(s, wide_x, gradient, wide_y, to_weight);
}

static void finish(const icl__conv_shape *s, const float *gradients, int count, size_t stride, float *hwio, int part,
                   int parts) {
  for (size_t i = first_of(s, part, parts); i < first_of(s, part + 1, parts); i++) {
    hwio[i] = gradients[i];
    for (int t = 1; t < count; t++)
      hwio[i] += gradients[(size_t)t * stride + i];
  }
}

const icl__conv_kernel icl__conv_plain = {
    "plain", fits, weights, scratch, prepare, convolve, differentiate, finish,
};
