/* conv.c - running a convolution by the kernel that conv_choice.c took for it; see conv.h. */
#include "backend/cpu/conv.h"

#include <string.h>

#include "backend/cpu/conv_plain.h"

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
  if (c->own) {
    c->weight_bytes = c->own->weights(&c->shape) * sizeof(float);
    return ICL_OK;
  }
  ICL__TRY(icl__dnnl_library->get(dnnl, &c->shape, c->widen, at ? c->dnnl[0] : NULL, &c->dnnl[at]));
  c->weight_bytes = icl__dnnl_library->weight_bytes(c->dnnl[0]);
  return ICL_OK;
}

void icl__conv_close(icl__conv *c) {
  for (int i = 0; i < c->counts && !c->own; i++)
    icl__dnnl_library->release(c->dnnl[i]);
}

bool icl__conv_splits(const icl__conv *c) { return c->own != NULL; }

const char *icl__conv_name(const icl__conv *c) { return c->own ? c->own->name : "onednn"; }

/* ---- sizes ---- */

static size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

static icl__conv_shape shape_for(const icl__conv *c, int32_t images) {
  icl__conv_shape shape = c->shape;
  shape.images = images;
  return shape;
}

size_t icl__conv_weight_bytes(const icl__conv *c) { return c->weight_bytes; }

size_t icl__conv_scratch_bytes(const icl__conv *c) {
  size_t most = 0;
  for (int i = 0; i < c->counts; i++) {
    icl__conv_shape shape = shape_for(c, c->count[i]);
    size_t bytes = c->own ? c->own->scratch(&shape) * sizeof(float) : icl__dnnl_library->scratch_bytes(c->dnnl[i]);
    most = bytes > most ? bytes : most;
  }
  if (!c->own && c->shape.direction == ICL__CONV_WEIGHT) /* the gradient of a chunk, added to the sum */
    return lines(most) + lines(c->weight_bytes);
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
    return icl__dnnl_library->run(dnnl, thread, first, second, out, scratch);
  ICL__TRY(icl__dnnl_library->run(dnnl, thread, first, second, scratch, scratch + lines(c->weight_bytes)));
  add(out, (const float *)scratch, c->weight_bytes);
  return ICL_OK;
}

icl_status icl__conv_run(const icl__conv *c, int thread, int32_t images, const void *first, const void *second,
                         void *out, bool accumulate, void *scratch) {
  if (!c->own)
    return run_dnnl(c, thread, images, first, second, out, accumulate, scratch);
  icl__conv_shape shape = shape_for(c, images);
  if (shape.direction == ICL__CONV_WEIGHT)
    c->own->differentiate(&shape, first, second, out, accumulate, scratch);
  else
    c->own->convolve(&shape, first, second, out, scratch);
  return ICL_OK;
}

icl_status icl__conv_prepare(const icl__conv *c, int thread, const float *hwio, void *weights, int part, int parts) {
  if (!c->own)
    return icl__dnnl_library->prepare(c->dnnl[0], thread, hwio, weights);
  c->own->prepare(&c->shape, hwio, weights, part, parts);
  return ICL_OK;
}

icl_status icl__conv_finish(const icl__conv *c, int thread, void *gradients, int count, size_t stride, float *hwio,
                            int part, int parts) {
  if (c->own) {
    c->own->finish(&c->shape, gradients, count, stride / sizeof(float), hwio, part, parts);
    return ICL_OK;
  }
  for (int t = 1; t < count; t++)
    add(gradients, (const float *)((const char *)gradients + (size_t)t * stride), c->weight_bytes);
  return icl__dnnl_library->finish(c->dnnl[0], thread, gradients, hwio);
}
