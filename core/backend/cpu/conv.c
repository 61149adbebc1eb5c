/* conv.c - see conv.h. */
#include "backend/cpu/conv.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cpu/conv_plain.h"
#include "backend/cpu/kernels.h"

/* ---- the choice ---- */

icl_status icl__conv_forced(bool precise, icl__conv_choice *choice) {
  static const char *const names[] = {
      [ICL__CONV_ONEDNN] = "onednn", [ICL__CONV_WINOGRAD] = "winograd", [ICL__CONV_DIRECT] = "direct"};
  const char *text = getenv("ICL_CONV");
  *choice = precise ? ICL__CONV_DIRECT : ICL__CONV_AUTO; /* Winograd's transforms cost a digit */
  if (!text || !*text)
    return ICL_OK;
  if (precise && strcmp(text, names[ICL__CONV_DIRECT]) != 0)
    return icl__fail(ICL_EINVAL, "ICL_CONV is '%s', but precise convolutions are direct ones; leave one of them out",
                     text);
  if (!icl__dnnl_library && !strcmp(text, names[ICL__CONV_ONEDNN]))
    return icl__fail(ICL_EINVAL, "ICL_CONV is '%s', but this build is without oneDNN; use winograd or direct", text);
  for (int i = ICL__CONV_ONEDNN; i <= ICL__CONV_DIRECT; i++)
    if (!strcmp(text, names[i])) {
      *choice = (icl__conv_choice)i;
      return ICL_OK;
    }
  return icl__fail(ICL_EINVAL, "ICL_CONV is '%s'; it must be onednn, winograd or direct", text);
}

icl__processor icl__conv_processor(void) {
  icl__processor processor = icl__processor_at_hand();
  processor.amx_bf16 = icl__dnnl_library && icl__dnnl_library->uses_amx();
  return processor;
}

/* Transformed weights are four times as large as the weights, and are made and turned back once a step: that pays with
 * enough tiles, of which there must be more once they no longer fit a cache. */
static bool prefers_winograd(const icl__conv_kernel *winograd, const icl__conv_shape *s, int64_t images) {
  enum { FEW = 16, ENOUGH = 64, CACHE = 16 << 20 };
  int64_t tiles = images * ((s->x[0] + 3) / 4) * ((s->x[1] + 3) / 4);
  size_t bytes = winograd->weights(s) / (size_t)s->groups * sizeof(float);
  return tiles >= ENOUGH || (tiles >= FEW && bytes <= CACHE);
}

/* oneDNN 2.6 chooses among its kernels itself, and some of those for bf16 images fail. These two functions tell for
 * which shapes it may be trusted; it computes all others in f32, if none of our own takes them. */

/* Where the stride is larger than the image is wide, whole columns of the kernel only meet zeros around the image, and
 * its weight gradients, with AMX and without, leave them unwritten. */
static bool bf16_suits(const icl__conv_shape *s) { return s->direction != ICL__CONV_WEIGHT || s->stride[1] <= s->x[1]; }

/* AMX multiplies tiles of 16 rows of 32 channels. Channels that do not fill them are left to masks and tails, and while
 * oneDNN made such a kernel (8 to 16 channels, kernel 3, stride 2) it read far outside its memory. So it gets full
 * tiles only, of the kernels that networks spend their time in; what else it would do with AMX is rare and little
 * tested. */
static bool amx_suits(const icl__conv_shape *s) {
  enum { TILE = 32 };
  if (s->x[2] / s->groups % TILE || s->y[2] / s->groups % TILE) /* either is read in one direction, made in another */
    return false;
  if (s->kernel[0] != s->kernel[1])
    return false;
  for (int d = 0; d < 2; d++) {
    bool pixel = s->kernel[d] == 1 && s->padding[d] == 0, square = s->kernel[d] == 3 && s->padding[d] == 1;
    bool inside = s->x[d] >= s->kernel[d] && s->x[d] >= s->stride[d]; /* else all it does is borders */
    if (!(pixel || square) || s->stride[d] > 2 || !inside)
      return false;
  }
  return true;
}

/* The fastest of our own; NULL if none fits. */
static const icl__conv_kernel *choose_own(const icl__conv_shape *s, int64_t images) {
  const icl__conv_kernel *winograd = icl__cpu_winograd(), *direct = icl__cpu_direct();
  if (winograd->fits(s) && prefers_winograd(winograd, s, images))
    return winograd;
  return direct->fits(s) ? direct : NULL;
}

void icl__conv_open(icl__conv *c, const icl__conv_shape *shape, icl__conv_choice forced,
                    const icl__processor *processor, int64_t images) {
  const icl__conv_kernel *winograd = icl__cpu_winograd(), *direct = icl__cpu_direct();
  bool half = shape->dtype == ICL_BF16, amx = half && processor->amx_bf16;
  bool suits = !half || (bf16_suits(shape) && (!amx || amx_suits(shape)));
  *c = (icl__conv){.shape = *shape, .widen = !suits};
  if (forced == ICL__CONV_WINOGRAD && winograd->fits(shape))
    c->own = winograd;
  else if (forced == ICL__CONV_WINOGRAD || forced == ICL__CONV_DIRECT)
    c->own = direct->fits(shape) ? direct : NULL;
  else if (!icl__dnnl_library || !suits || !(amx || forced == ICL__CONV_ONEDNN))
    c->own = choose_own(shape, images);
  if (!c->own && !icl__dnnl_library)
    c->own = &icl__conv_plain;
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
