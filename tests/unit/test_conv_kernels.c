/* test_conv_kernels.c - our own convolutions against the reference, on every instruction set that this processor has.
 */
#include "amx_emulation.h"
#include "convs.h"
#include "numbers.h"
#include "unit.h"

#include "backend/cpu/conv_plain.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/processor.h"
#include "backend/ref/kernels.h"
#include "base/memory.h"
#include "ops/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const sets[] = {"avx512bf16", "avx512", "avx2", "portable"};

static const conv_form minimal[] = {
    {ICL_F32, 2, 8, 8, 16, 16, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 1, 1, 1, 16, 16, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 3, 7, 9, 48, 16, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 5, 14, 13, 16, 48, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 2, 5, 6, 96, 48, {3, 3}, {1, 1}, {1, 1}, 3},
    {ICL_F32, 17, 8, 8, 32, 64, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_BF16, 3, 9, 10, 32, 48, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_BF16, 2, 4, 3, 32, 64, {3, 3}, {1, 1}, {1, 1}, 2},
    /* channels that are no whole slices */
    {ICL_F32, 2, 7, 9, 41, 43, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 3, 5, 4, 3, 1, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_BF16, 2, 9, 8, 17, 70, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 20, 5, 6, 200, 190, {3, 3}, {1, 1}, {1, 1}, 1},
    /* weights that pass the caches; gradients that get larger blocks of tiles, one whole and one not */
    {ICL_F32, 1, 5, 4, 112, 80, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 70, 2, 3, 176, 192, {3, 3}, {1, 1}, {1, 1}, 1},
    /* stride 2: whole tiles and not, one pixel, an odd width, no whole slices, groups, larger blocks */
    {ICL_F32, 2, 16, 16, 16, 32, {3, 3}, {2, 2}, {1, 1}, 1},
    {ICL_F32, 1, 1, 1, 16, 16, {3, 3}, {2, 2}, {1, 1}, 1},
    {ICL_F32, 3, 2, 1, 17, 33, {3, 3}, {2, 2}, {1, 1}, 1},
    {ICL_F32, 3, 17, 22, 48, 16, {3, 3}, {2, 2}, {1, 1}, 1},
    {ICL_F32, 2, 15, 9, 3, 1, {3, 3}, {2, 2}, {1, 1}, 1},
    {ICL_F32, 2, 11, 12, 96, 48, {3, 3}, {2, 2}, {1, 1}, 3},
    {ICL_BF16, 3, 18, 19, 32, 70, {3, 3}, {2, 2}, {1, 1}, 1},
    {ICL_BF16, 2, 7, 8, 32, 64, {3, 3}, {2, 2}, {1, 1}, 2},
    {ICL_F32, 70, 3, 5, 176, 192, {3, 3}, {2, 2}, {1, 1}, 1},
};

static const conv_form any[] = {
    /* one pixel a kernel: as they lie, strided, few pixels, many channels, copied */
    {ICL_F32, 2, 8, 8, 16, 32, {1, 1}, {1, 1}, {0, 0}, 1},
    {ICL_F32, 1, 1, 1, 3, 5, {1, 1}, {1, 1}, {0, 0}, 1},
    {ICL_F32, 3, 7, 9, 36, 48, {1, 1}, {2, 2}, {0, 0}, 1},
    {ICL_F32, 2, 13, 11, 60, 21, {1, 1}, {1, 3}, {0, 0}, 3},
    {ICL_F32, 2, 24, 24, 64, 66, {1, 1}, {1, 1}, {0, 0}, 1},
    {ICL_F32, 5, 1, 1, 1030, 33, {1, 1}, {1, 1}, {0, 0}, 1},
    {ICL_BF16, 3, 9, 10, 36, 80, {1, 1}, {1, 1}, {0, 0}, 2},
    {ICL_BF16, 2, 5, 6, 33, 17, {1, 1}, {2, 2}, {0, 0}, 1},
    {ICL_BF16, 1, 30, 25, 12, 100, {1, 1}, {1, 1}, {0, 0}, 1},
    /* zeros around the images, strips of rows and of images, strides */
    {ICL_F32, 3, 10, 9, 48, 12, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 9, 4, 4, 20, 18, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 2, 33, 40, 64, 7, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 2, 17, 12, 24, 40, {3, 3}, {2, 2}, {1, 1}, 1},
    {ICL_F32, 1, 23, 30, 3, 64, {7, 7}, {2, 2}, {3, 3}, 1},
    {ICL_F32, 2, 12, 13, 5, 6, {5, 2}, {3, 1}, {0, 1}, 1},
    {ICL_F32, 2, 9, 8, 6, 10, {2, 3}, {1, 2}, {0, 0}, 1},
    {ICL_F32, 1, 2, 3, 4, 9, {3, 7}, {1, 1}, {1, 3}, 1},
    {ICL_BF16, 3, 11, 10, 16, 20, {3, 3}, {2, 2}, {1, 1}, 1},
    {ICL_BF16, 2, 40, 36, 30, 16, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_F32, 1, 3, 700, 9, 11, {1, 3}, {1, 1}, {0, 1}, 1},
    /* more zeros than the kernel is wide; a stride past the image */
    {ICL_F32, 2, 5, 4, 7, 8, {1, 2}, {1, 1}, {2, 3}, 1},
    {ICL_F32, 2, 1, 6, 7, 8, {1, 1}, {7, 4}, {3, 3}, 1},
    {ICL_F32, 2, 6, 6, 5, 9, {1, 1}, {3, 3}, {2, 2}, 1},
    {ICL_F32, 2, 5, 1, 7, 8, {1, 1}, {7, 9}, {3, 3}, 1},
    /* groups: narrow ones, each channel by itself, a number that does not merge evenly, wide ones */
    {ICL_F32, 2, 9, 8, 32, 32, {3, 3}, {1, 1}, {1, 1}, 8},
    {ICL_F32, 2, 9, 8, 24, 24, {3, 3}, {2, 2}, {1, 1}, 24},
    {ICL_F32, 2, 6, 7, 14, 21, {3, 3}, {1, 1}, {1, 1}, 7},
    {ICL_F32, 2, 8, 9, 12, 6, {1, 1}, {1, 1}, {0, 0}, 6},
    {ICL_BF16, 2, 7, 6, 40, 40, {3, 3}, {1, 1}, {1, 1}, 10},
    {ICL_F32, 3, 8, 8, 64, 128, {3, 3}, {2, 2}, {1, 1}, 2},
    /* groups whose channels share registers: 1, 2, 4, 8 channels, numbers that fill none, one pixel, many */
    {ICL_F32, 2, 40, 33, 128, 128, {3, 3}, {1, 1}, {1, 1}, 32},
    {ICL_F32, 2, 15, 12, 28, 28, {3, 3}, {2, 2}, {1, 1}, 7},
    {ICL_F32, 3, 9, 10, 24, 24, {5, 4}, {2, 1}, {2, 1}, 12},
    {ICL_BF16, 2, 16, 17, 40, 40, {3, 3}, {2, 2}, {1, 1}, 5},
    {ICL_BF16, 1, 60, 7, 17, 17, {7, 7}, {1, 3}, {3, 3}, 17},
    {ICL_F32, 4, 1, 1, 32, 32, {1, 1}, {1, 1}, {0, 0}, 8},
};

/* Kernels that only plain loops take. */
static const conv_form wide[] = {
    {ICL_F32, 2, 12, 14, 3, 16, {9, 9}, {2, 2}, {4, 4}, 1},
    {ICL_F32, 2, 10, 9, 8, 4, {8, 3}, {1, 2}, {0, 1}, 2},
    {ICL_BF16, 2, 16, 16, 6, 5, {8, 8}, {1, 1}, {0, 0}, 1},
};

/* What Intel's unit and its imitation take, of f32 images too. */
static const conv_form on_amx[] = {
    /* one pixel a kernel: whole slices and not, strided, an odd number of rows, images that are cut, groups */
    {ICL_BF16, 2, 8, 8, 16, 32, {1, 1}, {1, 1}, {0, 0}, 1},
    {ICL_BF16, 3, 7, 9, 36, 49, {1, 1}, {2, 2}, {0, 0}, 1},
    {ICL_BF16, 1, 90, 121, 64, 33, {1, 1}, {1, 1}, {0, 0}, 1},
    {ICL_BF16, 5, 1, 1, 40, 33, {1, 1}, {1, 1}, {0, 0}, 1},
    {ICL_BF16, 3, 5, 4, 40, 80, {1, 1}, {1, 1}, {0, 0}, 2},
    /* one and two slices on each side, an odd number of them, more images than are packed together */
    {ICL_BF16, 2, 32, 32, 16, 16, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_BF16, 3, 9, 10, 32, 48, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_BF16, 20, 16, 16, 80, 17, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_BF16, 2, 5, 5, 70, 64, {5, 5}, {1, 1}, {2, 2}, 1},
    {ICL_BF16, 9, 4, 4, 200, 190, {3, 3}, {1, 1}, {1, 1}, 1},
    {ICL_BF16, 1, 3, 700, 9, 11, {1, 3}, {1, 1}, {0, 1}, 1},
    /* strides, zeros outside, a kernel that is larger than the images */
    {ICL_BF16, 2, 17, 12, 24, 40, {3, 3}, {2, 2}, {1, 1}, 1},
    {ICL_BF16, 1, 23, 30, 3, 64, {7, 7}, {2, 2}, {3, 3}, 1},
    {ICL_BF16, 2, 12, 13, 5, 6, {5, 2}, {3, 1}, {0, 1}, 1},
    {ICL_BF16, 2, 9, 8, 6, 10, {2, 3}, {1, 2}, {0, 0}, 1},
    {ICL_BF16, 2, 5, 4, 7, 8, {1, 2}, {1, 1}, {2, 3}, 1},
    {ICL_BF16, 2, 5, 1, 7, 8, {1, 1}, {7, 9}, {3, 3}, 1},
    {ICL_BF16, 2, 4, 5, 17, 16, {9, 8}, {2, 1}, {4, 4}, 1},
    /* groups: merged ones, a number that does not merge evenly, wide ones */
    {ICL_BF16, 2, 9, 8, 32, 32, {3, 3}, {1, 1}, {1, 1}, 8},
    {ICL_BF16, 2, 9, 8, 24, 24, {3, 3}, {2, 2}, {1, 1}, 24},
    {ICL_BF16, 2, 6, 7, 14, 21, {3, 3}, {1, 1}, {1, 1}, 7},
    {ICL_BF16, 2, 7, 6, 60, 40, {3, 3}, {1, 1}, {1, 1}, 10},
    {ICL_BF16, 3, 8, 8, 96, 128, {3, 3}, {2, 2}, {1, 1}, 2},
};

/* In the 2-norm; f32 sums of up to 500 products, and Winograd's transforms, stay within one part in a million,
 * and the errors of longer ones grow with the root of their length. Intel's unit leaves out what is below 16 bits of
 * f32 images: with one term less, of images or of weights, the error is some 2e-3. */
static double bound_of(const char *kernel, const icl__conv_shape *s, icl_dtype dtype) {
  const int32_t *summed = s->direction == ICL__CONV_INPUT ? s->y : s->x;
  double products = s->direction == ICL__CONV_WEIGHT ? (double)s->images * s->y[0] * s->y[1]
                                                     : (double)summed[2] / s->groups * s->kernel[0] * s->kernel[1];
  if (s->dtype == ICL_F32 && !strcmp(kernel, "amx"))
    return 1e-5;
  return dtype == ICL_BF16 ? 4e-3 : 1e-6 * sqrt(fmax(1, products / 500));
}

static void check_close(const char *set, const icl__conv_kernel *kernel, const conv_layer *l, const double *values,
                        const void *own, icl_dtype dtype, size_t count) {
  const icl__conv_shape *s = &l->shape;
  double error = numbers_error(values, own, dtype, (int64_t)count);
  if (!(error <= bound_of(kernel->name, s, dtype)))
    unit_fail(__FILE__, __LINE__, "%s on %s, %s, %d images %dx%dx%d to %dx%dx%d, kernel %dx%d, %d groups: error %.3g",
              kernel->name, set, s->dtype == ICL_BF16 ? "bf16" : "f32", s->images, s->x[0], s->x[1], s->x[2], s->y[0],
              s->y[1], s->y[2], s->kernel[0], s->kernel[1], s->groups, error);
}

typedef void layer_check(const char *set, const icl__conv_kernel *kernel, conv_layer *layer);

static void check_all(const char *set, const icl__conv_kernel *kernel, const conv_form *forms, size_t count,
                      layer_check *check) {
  for (size_t i = 0; i < count; i++) {
    conv_layer l = conv_layer_new(&forms[i]);
    CHECK(kernel->fits(&l.shape));
    check(set, kernel, &l);
    conv_layer_free(&l);
  }
}

/* Runs `check` on every form with the kernels of every instruction set. */
static void on_every_set(layer_check *check) {
  int ran = 0;
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    setenv("ICL_ISA", sets[i], 1);
    if (icl__cpu_select() != ICL_OK)
      continue;
    ran++;
    check_all(sets[i], icl__cpu_winograd(), minimal, sizeof minimal / sizeof *minimal, check);
    check_all(sets[i], icl__cpu_direct(), minimal, sizeof minimal / sizeof *minimal, check);
    check_all(sets[i], icl__cpu_direct(), any, sizeof any / sizeof *any, check);
    check_all(sets[i], &icl__conv_plain, any, sizeof any / sizeof *any, check);
    check_all(sets[i], &icl__conv_plain, wide, sizeof wide / sizeof *wide, check);
  }
  CHECK(ran > 0);
}

/* Every element of the result must be written. */
static void check_convolve(const char *set, const icl__conv_kernel *kernel, conv_layer *l, const void *from,
                           const double *values, size_t count) {
  enum { PARTS = 3 };
  const icl__conv_shape *s = &l->shape;
  float *u = icl__alloc(kernel->weights(s), sizeof *u), *scratch = icl__alloc(kernel->scratch(s), sizeof *scratch);
  void *to = icl__alloc(count, icl_dtype_bytes(s->dtype)), *parts = icl__alloc(count, icl_dtype_bytes(s->dtype));
  memset(to, 0xff, count * icl_dtype_bytes(s->dtype));
  for (int part = 0; part < PARTS; part++)
    kernel->prepare(s, l->own_w, u, part, PARTS);
  kernel->convolve(s, from, u, to, scratch, 0, 1);
  check_close(set, kernel, l, values, to, s->dtype, count);
  memset(parts, 0xff, count * icl_dtype_bytes(s->dtype));
  for (int part = 0; part < PARTS; part++)
    kernel->convolve(s, from, u, parts, scratch, part, PARTS);
  if (memcmp(to, parts, count * icl_dtype_bytes(s->dtype)) != 0)
    check_close(set, kernel, l, values, parts, s->dtype, count);
  icl__free(parts);
  icl__free(to);
  icl__free(scratch);
  icl__free(u);
}

static void check_forward(const char *set, const icl__conv_kernel *kernel, conv_layer *l) {
  l->shape.direction = ICL__CONV_FORWARD;
  double *y = conv_expected(l);
  check_convolve(set, kernel, l, l->own_x, y, l->results);
  icl__free(y);
}

TEST(forward) { on_every_set(check_forward); }

static void check_input_gradient(const char *set, const icl__conv_kernel *kernel, conv_layer *l) {
  l->shape.direction = ICL__CONV_INPUT;
  double *gx = conv_expected(l);
  check_convolve(set, kernel, l, l->own_gy, gx, l->inputs);
  icl__free(gx);
}

TEST(input_gradient) { on_every_set(check_input_gradient); }

/* Two threads: one sees the images twice, the other once. */
static void check_weight_gradient(const char *set, const icl__conv_kernel *kernel, conv_layer *l) {
  enum { PARTS = 2 };
  const icl__conv_shape *s = &l->shape;
  l->shape.direction = ICL__CONV_WEIGHT;
  size_t stride = kernel->weights(s) + 32;
  double *gw = conv_expected(l);
  float *u = icl__alloc(2 * stride, sizeof *u), *scratch = icl__alloc(kernel->scratch(s), sizeof *scratch);
  float *hwio = icl__alloc(l->weights, sizeof *hwio);
  memset(u, 0xff, 2 * stride * sizeof *u);
  memset(hwio, 0xff, l->weights * sizeof *hwio);
  for (size_t i = 0; i < l->weights; i++)
    gw[i] *= 3;
  kernel->differentiate(s, l->own_x, l->own_gy, u, false, scratch);
  kernel->differentiate(s, l->own_x, l->own_gy, u, true, scratch);
  kernel->differentiate(s, l->own_x, l->own_gy, u + stride, false, scratch);
  for (int part = 0; part < PARTS; part++)
    kernel->finish(s, u, 2, stride, hwio, part, PARTS);
  check_close(set, kernel, l, gw, hwio, ICL_F32, l->weights);
  icl__free(hwio);
  icl__free(scratch);
  icl__free(u);
  icl__free(gw);
}

static void check_weight_gradients(const char *set, const icl__conv_kernel *kernel, conv_layer *l) {
  check_weight_gradient(set, kernel, l);
  if (kernel == icl__cpu_winograd())
    check_weight_gradient(set, icl__cpu_winograd_fused(), l);
}

TEST(weight_gradient) { on_every_set(check_weight_gradients); }

/* Pieces of images are as large as the cache is. */
static void check_amx(const char *set, const icl__conv_kernel *convolve, const icl__conv_kernel *gradient, size_t cache,
                      icl_dtype dtype) {
  static layer_check *const checks[] = {check_forward, check_input_gradient, check_weight_gradient};
  for (size_t i = 0; i < sizeof on_amx / sizeof *on_amx; i++) {
    conv_form form = on_amx[i];
    form.dtype = dtype;
    conv_layer l = conv_layer_new(&form);
    l.shape.cache = cache;
    for (int direction = ICL__CONV_FORWARD; direction <= ICL__CONV_WEIGHT; direction++) {
      const icl__conv_kernel *kernel = direction == ICL__CONV_WEIGHT ? gradient : convolve;
      l.shape.direction = (icl__conv_direction)direction;
      if (kernel->fits(&l.shape))
        checks[direction](set, kernel, &l);
      else /* only weight gradients are of any kernel */
        CHECK(on_amx[i].kernel[0] > 7 && direction != ICL__CONV_WEIGHT);
    }
    conv_layer_free(&l);
  }
}

/* With the unit itself where it is, else with what imitates it in C. */
TEST(amx) {
  static const size_t caches[] = {0, 64 << 10, 8 << 10};
  static const icl_dtype dtypes[] = {ICL_BF16, ICL_F32};
  int ran = 0;
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    setenv("ICL_ISA", sets[i], 1);
    if (icl__cpu_select() != ICL_OK)
      continue;
    ran++;
    for (size_t c = 0; c < sizeof caches / sizeof *caches; c++)
      for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        check_amx(sets[i], icl__cpu_amx(ICL__CONV_FORWARD), icl__cpu_amx(ICL__CONV_WEIGHT), caches[c], dtypes[d]);
  }
  CHECK(ran > 0);
}

/* What is not finite, in one of two images, shows in the results that it is part of and in no others; infinity is not
 * made NaN where terms of weights have one sign. */
static void check_not_finite(const char *set, float number) {
  static const conv_form form = {ICL_F32, 2, 6, 7, 40, 33, {3, 3}, {1, 1}, {1, 1}, 1};
  enum { IMAGE = 1, ROW = 4, COLUMN = 2, CHANNEL = 37 };
  conv_layer l = conv_layer_new(&form);
  const icl__conv_shape *s = &l.shape;
  const icl__conv_kernel *kernel = icl__cpu_amx(ICL__CONV_FORWARD);
  int infinite = 0;
  float *weights = icl__alloc(kernel->weights(s), sizeof *weights),
        *scratch = icl__alloc(kernel->scratch(s), sizeof *scratch), *y = icl__alloc(l.results, sizeof *y);
  ((float *)l.own_x)[((IMAGE * form.h + ROW) * form.w + COLUMN) * form.in + CHANNEL] = number;
  kernel->prepare(s, l.own_w, weights, 0, 1);
  kernel->convolve(s, l.own_x, weights, y, scratch, 0, 1);
  for (int i = 0; i < (int)l.results; i++) {
    int pixel = i / form.out, row = pixel / form.w % form.h, column = pixel % form.w;
    bool meets = pixel / form.w / form.h == IMAGE && abs(row - ROW) <= 1 && abs(column - COLUMN) <= 1;
    infinite += isinf(y[i]) != 0;
    if (!isfinite(y[i]) != meets)
      unit_fail(__FILE__, __LINE__, "on %s, row %d, column %d beside %g: %g", set, row, column, (double)number,
                (double)y[i]);
  }
  CHECK_EQ(infinite > 0, isinf(number) != 0);
  icl__free(y);
  icl__free(scratch);
  icl__free(weights);
  conv_layer_free(&l);
}

TEST(amx_keeps_what_is_not_finite_apart) {
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    setenv("ICL_ISA", sets[i], 1);
    if (icl__cpu_select() != ICL_OK)
      continue;
    check_not_finite(sets[i], INFINITY);
    check_not_finite(sets[i], NAN);
  }
}

#if ICL_HAVE_AMX
/* The instructions for the unit where there is none, one by one. */
TEST(amx_emulated) {
  icl__processor processor = icl__processor_at_hand();
  if (!processor.avx512_bf16 || processor.amx_bf16)
    return;
  amx_emulate();
  check_amx("emulated AMX", &icl__amx_convolve_amx, &icl__amx_gradient_amx, 64 << 10, ICL_BF16);
  check_amx("emulated AMX", &icl__amx_convolve_amx, &icl__amx_gradient_amx, 64 << 10, ICL_F32);
}
#endif

TEST(an_unknown_instruction_set_is_an_error) {
  setenv("ICL_ISA", "avx1024", 1);
  CHECK_ERROR(icl__cpu_select(), ICL_EINVAL, "ICL_ISA is 'avx1024'");
}
