/* conv.c - see conv.h. */
#include "backend/cpu/conv.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cpu/kernels.h"

/* ---- the choice ---- */

icl_status icl__conv_forced(icl__conv_kind *kind) {
  const char *text = getenv("ICL_CONV");
  *kind = ICL__CONV_AUTO;
  if (!text || !*text)
    return ICL_OK;
  if (!strcmp(text, "onednn"))
    *kind = ICL__CONV_ONEDNN;
  else if (!strcmp(text, "winograd"))
    *kind = ICL__CONV_WINOGRAD;
  else
    return icl__fail(ICL_EINVAL, "ICL_CONV is '%s'; it must be onednn or winograd", text);
  return ICL_OK;
}

static bool fits_winograd(const icl__conv_shape *s) {
  for (int d = 0; d < 2; d++)
    if (s->kernel[d] != 3 || s->stride[d] != 1 || s->padding[d] != 1)
      return false;
  return icl__winograd_fits(s->x[2] / s->groups, s->y[2] / s->groups);
}

/* The convolution that the kernel computes: for an input gradient from result to input. */
static icl__winograd_shape winograd_shape(const icl__conv_shape *s, int32_t images) {
  bool back = s->direction == ICL__CONV_INPUT;
  const int32_t *from = back ? s->y : s->x, *to = back ? s->x : s->y;
  return (icl__winograd_shape){s->dtype, images, s->x[0], s->x[1], from[2] / s->groups, to[2] / s->groups, s->groups};
}

static bool fits_1x1(const icl__conv_shape *s) {
  for (int d = 0; d < 2; d++)
    if (s->kernel[d] != 1 || s->padding[d] != 0)
      return false;
  return !(s->dtype == ICL_BF16 && icl__dnnl_multiplies_bf16_matrices());
}

static icl__conv1x1_shape shape_1x1(const icl__conv_shape *s, int32_t images) {
  return (icl__conv1x1_shape){s->dtype,
                              images,
                              {s->x[0], s->x[1]},
                              {s->y[0], s->y[1]},
                              {s->stride[0], s->stride[1]},
                              s->x[2] / s->groups,
                              s->y[2] / s->groups,
                              s->groups};
}

/* Transformed weights are four times as large as the weights, and are made and turned back once a step: that pays with
 * enough tiles, of which there must be more once they no longer fit a cache. A processor that multiplies bf16 matrices
 * is faster with those. */
static bool prefers_winograd(const icl__conv_shape *s, int64_t images) {
  enum { FEW = 16, ENOUGH = 64, CACHE = 16 << 20 };
  icl__winograd_shape shape = winograd_shape(s, 1);
  int64_t tiles = images * ((s->x[0] + 3) / 4) * ((s->x[1] + 3) / 4);
  size_t bytes = icl__winograd_weights(&shape) / (size_t)s->groups * sizeof(float);
  if (s->dtype == ICL_BF16 && icl__dnnl_multiplies_bf16_matrices())
    return false;
  return tiles >= ENOUGH || (tiles >= FEW && bytes <= CACHE);
}

void icl__conv_open(icl__conv *c, const icl__conv_shape *shape, icl__conv_kind forced, int64_t images) {
  *c = (icl__conv){
      .kind = ICL__CONV_ONEDNN, .shape = *shape, .winograd = icl__cpu_winograd(), .conv1x1 = icl__cpu_conv1x1()};
  if (forced != ICL__CONV_ONEDNN && fits_winograd(shape) &&
      (forced == ICL__CONV_WINOGRAD || prefers_winograd(shape, images)))
    c->kind = ICL__CONV_WINOGRAD;
  else if (forced != ICL__CONV_ONEDNN && fits_1x1(shape))
    c->kind = ICL__CONV_1X1;
}

icl_status icl__conv_expect(icl__conv *c, icl__dnnl *dnnl, int32_t images) {
  for (int i = 0; i < c->counts; i++)
    if (c->count[i] == images)
      return ICL_OK;
  if (!images)
    return ICL_OK;
  if (c->counts == ICL__CONV_COUNTS)
    return icl__fail(ICL_EINTERNAL, "conv2d: more than %d chunk sizes", ICL__CONV_COUNTS);
  int at = c->counts++;
  c->count[at] = c->shape.images = images;
  if (c->kind == ICL__CONV_WINOGRAD) {
    icl__winograd_shape s = winograd_shape(&c->shape, 1);
    c->weight_bytes = icl__winograd_weights(&s) * sizeof(float);
    return ICL_OK;
  }
  if (c->kind == ICL__CONV_1X1) {
    icl__conv1x1_shape s = shape_1x1(&c->shape, 1);
    size_t plain = (size_t)s.in * (size_t)s.out * (size_t)s.groups;
    c->weight_bytes =
        (c->shape.direction == ICL__CONV_WEIGHT ? plain
                                                : icl__conv1x1_weights(&s, c->shape.direction == ICL__CONV_INPUT)) *
        sizeof(float);
    return ICL_OK;
  }
  ICL__TRY(icl__dnnl_conv_get(dnnl, &c->shape, at ? c->dnnl[0] : NULL, &c->dnnl[at]));
  c->weight_bytes = icl__dnnl_conv_weight_bytes(c->dnnl[0]);
  return ICL_OK;
}

bool icl__conv_splits(const icl__conv *c) { return c->kind != ICL__CONV_ONEDNN; }

const char *icl__conv_name(const icl__conv *c) {
  return c->kind == ICL__CONV_WINOGRAD ? "winograd" : c->kind == ICL__CONV_1X1 ? "1x1" : "onednn";
}

/* ---- sizes ---- */

static size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t icl__conv_weight_bytes(const icl__conv *c) { return c->weight_bytes; }

static size_t winograd_scratch(const icl__conv *c, int32_t images) {
  icl__winograd_shape s = winograd_shape(&c->shape, images);
  return icl__winograd_scratch(&s) * sizeof(float);
}

static size_t scratch_1x1(const icl__conv *c) {
  icl__conv1x1_shape s = shape_1x1(&c->shape, 1);
  return sizeof(float) * (c->shape.direction == ICL__CONV_WEIGHT
                              ? icl__conv1x1_gradient_scratch(&s)
                              : icl__conv1x1_scratch(&s, c->shape.direction == ICL__CONV_INPUT));
}

size_t icl__conv_scratch_bytes(const icl__conv *c) {
  if (c->kind == ICL__CONV_1X1)
    return scratch_1x1(c);
  size_t most = 0;
  for (int i = 0; i < c->counts; i++) {
    size_t bytes = c->kind == ICL__CONV_WINOGRAD ? winograd_scratch(c, c->count[i])
                                                 : lines(icl__dnnl_conv_scratch_bytes(c->dnnl[i]));
    most = bytes > most ? bytes : most;
  }
  if (c->kind == ICL__CONV_ONEDNN && c->shape.direction == ICL__CONV_WEIGHT)
    most += lines(c->weight_bytes); /* the gradient of a chunk, added to the sum */
  return most;
}

/* ---- running ---- */

static const icl__dnnl_conv *dnnl_for(const icl__conv *c, int32_t images) {
  int i = 0;
  while (c->count[i] != images)
    i++;
  return c->dnnl[i];
}

static void add(float *sum, const float *more, size_t bytes) {
  for (size_t i = 0; i < bytes / sizeof(float); i++)
    sum[i] += more[i];
}

/* oneDNN overwrites a weight gradient, so what a further chunk adds is computed aside. */
static icl_status run_dnnl(const icl__conv *c, int thread, int32_t images, const void *first, const void *second,
                           void *out, bool accumulate, char *scratch) {
  const icl__dnnl_conv *dnnl = dnnl_for(c, images);
  if (!accumulate)
    return icl__dnnl_conv_run(dnnl, thread, first, second, out, scratch);
  ICL__TRY(icl__dnnl_conv_run(dnnl, thread, first, second, scratch, scratch + lines(c->weight_bytes)));
  add(out, (const float *)scratch, c->weight_bytes);
  return ICL_OK;
}

static void run_winograd(const icl__conv *c, int32_t images, const void *first, const void *second, void *out,
                         bool accumulate, void *scratch) {
  icl__winograd_shape s = winograd_shape(&c->shape, images);
  if (c->shape.direction == ICL__CONV_WEIGHT)
    c->winograd->differentiate(&s, first, second, out, accumulate, scratch);
  else
    c->winograd->convolve(&s, first, second, out, scratch);
}

static void run_1x1(const icl__conv *c, int32_t images, const void *first, const void *second, void *out,
                    bool accumulate, void *scratch) {
  icl__conv1x1_shape s = shape_1x1(&c->shape, images);
  if (c->shape.direction == ICL__CONV_WEIGHT)
    c->conv1x1->differentiate(&s, first, second, out, accumulate, scratch);
  else if (c->shape.direction == ICL__CONV_INPUT)
    c->conv1x1->backward(&s, first, second, out, scratch);
  else
    c->conv1x1->forward(&s, first, second, out, scratch);
}

icl_status icl__conv_run(const icl__conv *c, int thread, int32_t images, const void *first, const void *second,
                         void *out, bool accumulate, void *scratch) {
  if (c->kind == ICL__CONV_ONEDNN)
    return run_dnnl(c, thread, images, first, second, out, accumulate, scratch);
  (c->kind == ICL__CONV_WINOGRAD ? run_winograd : run_1x1)(c, images, first, second, out, accumulate, scratch);
  return ICL_OK;
}

icl_status icl__conv_prepare(const icl__conv *c, int thread, const float *hwio, void *weights, int part, int parts) {
  bool turned = c->shape.direction == ICL__CONV_INPUT;
  if (c->kind == ICL__CONV_ONEDNN)
    return icl__dnnl_conv_prepare(c->dnnl[0], thread, hwio, weights);
  if (c->kind == ICL__CONV_1X1) {
    icl__conv1x1_shape s = shape_1x1(&c->shape, 1);
    c->conv1x1->prepare(&s, turned, hwio, weights, part, parts);
  } else {
    icl__winograd_shape s = winograd_shape(&c->shape, 1);
    c->winograd->prepare(&s, turned, hwio, weights, part, parts);
  }
  return ICL_OK;
}

/* Part of the sum of gradients that are HWIO already. */
static void add_up(const icl__conv *c, const void *gradients, int count, size_t stride, float *hwio, int part,
                   int parts) {
  size_t all = c->weight_bytes / sizeof(float), begin = all * (size_t)part / (size_t)parts,
         bytes = (all * (size_t)(part + 1) / (size_t)parts - begin) * sizeof(float);
  memcpy(hwio + begin, (const float *)gradients + begin, bytes);
  for (int t = 1; t < count; t++)
    add(hwio + begin, (const float *)((const char *)gradients + (size_t)t * stride) + begin, bytes);
}

icl_status icl__conv_finish(const icl__conv *c, int thread, void *gradients, int count, size_t stride, float *hwio,
                            int part, int parts) {
  if (c->kind == ICL__CONV_WINOGRAD) {
    icl__winograd_shape s = winograd_shape(&c->shape, 1);
    c->winograd->finish(&s, gradients, count, stride / sizeof(float), hwio, part, parts);
    return ICL_OK;
  }
  if (c->kind == ICL__CONV_1X1) {
    add_up(c, gradients, count, stride, hwio, part, parts);
    return ICL_OK;
  }
  for (int t = 1; t < count; t++)
    add(gradients, (const float *)((const char *)gradients + (size_t)t * stride), c->weight_bytes);
  return icl__dnnl_conv_finish(c->dnnl[0], thread, gradients, hwio);
}
