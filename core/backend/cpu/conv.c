/* conv.c - running a convolution by the kernel that conv_choice.c took for it; see conv.h. */
#include "backend/cpu/conv.h"

#include <string.h>

#include "backend/cpu/conv_plain.h"
#include "base/dtype.h"
#include "base/memory.h"

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

/* ---- rows of an image ---- */

/* The part of an image that has rows `first` to end - 1 of the result; *row is the first that they read. False if they
 * read none. */
static bool cut_rows(const icl__conv_shape *whole, int32_t first, int32_t end, icl__conv_shape *part, int32_t *row) {
  int32_t before = first * whole->stride[0] - whole->padding[0],
          behind = (end - 1) * whole->stride[0] - whole->padding[0] + whole->kernel[0];
  *row = before < 0 ? 0 : before;
  *part = *whole;
  part->y[0] = end - first;
  part->x[0] = (behind < whole->x[0] ? behind : whole->x[0]) - *row;
  part->padding[0] = *row - before;
  return part->x[0] > 0;
}

/* All have weights in the layout of the first piece. */
static icl_status cut_piece(icl__conv *c, icl__dnnl *dnnl, const icl__processor *processor, int part, int parts,
                            icl__conv_piece *piece) {
  size_t row_of_x = (size_t)c->shape.x[1] * (size_t)c->shape.x[2] * icl_dtype_bytes(c->shape.dtype),
         row_of_y = (size_t)c->shape.y[1] * (size_t)c->shape.y[2] * icl_dtype_bytes(c->shape.dtype);
  int32_t first = c->shape.y[0] * part / parts, end = c->shape.y[0] * (part + 1) / parts, row;
  icl__conv_shape shape;
  if (!cut_rows(&c->shape, first, end, &shape, &row) || (!c->widen && !icl__conv_suits_dnnl(&shape, processor)))
    return icl__fail(ICL_ENOTSUP, "conv2d: rows that cannot be computed apart");
  piece->from = (size_t)row * row_of_x;
  piece->to = (size_t)first * row_of_y;
  ICL__TRY(icl__dnnl_library->get(dnnl, &shape, c->widen, part ? c->piece[0].dnnl : NULL, &piece->dnnl));
  if (icl__dnnl_library->is_slow(piece->dnnl))
    return icl__fail(ICL_ENOTSUP, "conv2d: rows for which there is no fast kernel");
  return ICL_OK;
}

static void release_pieces(icl__conv *c) {
  for (int i = 0; i < c->pieces; i++)
    icl__dnnl_library->release(c->piece[i].dnnl);
  icl__free(c->piece);
  c->piece = NULL;
  c->pieces = 0;
}

icl_status icl__conv_share(icl__conv *c, icl__dnnl *dnnl, const icl__processor *processor, int *parts) {
  if (c->own)
    return ICL_OK;
  int rows = c->shape.y[0], pieces = c->shape.direction == ICL__CONV_FORWARD ? (*parts < rows ? *parts : rows) : 1;
  *parts = 1;
  if (pieces == 1)
    return ICL_OK;
  c->piece = icl__calloc((size_t)pieces, sizeof *c->piece);
  if (!c->piece)
    return ICL_ENOMEM;
  c->pieces = pieces;
  for (int i = 0; i < pieces; i++) {
    icl_status status = cut_piece(c, dnnl, processor, i, pieces, &c->piece[i]);
    if (status == ICL_OK)
      continue;
    release_pieces(c);
    return status == ICL_ENOMEM ? status : ICL_OK; /* it stays whole */
  }
  c->weight_bytes = icl__dnnl_library->weight_bytes(c->piece[0].dnnl);
  *parts = pieces;
  return ICL_OK;
}

void icl__conv_close(icl__conv *c) {
  release_pieces(c);
  for (int i = 0; i < c->counts && !c->own; i++)
    icl__dnnl_library->release(c->dnnl[i]);
}

bool icl__conv_splits(const icl__conv *c) { return c->own || icl__dnnl_library->splits(c->dnnl[0]); }

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
  for (int i = 0; i < c->pieces; i++) {
    size_t bytes = icl__dnnl_library->scratch_bytes(c->piece[i].dnnl);
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

icl_status icl__conv_run(const icl__conv *c, int thread, int32_t images, const void *from, const void *weights,
                         void *to, void *scratch, int part, int parts) {
  if (c->own) {
    icl__conv_shape shape = shape_for(c, images);
    c->own->convolve(&shape, from, weights, to, scratch, part, parts);
    return ICL_OK;
  }
  if (parts == 1)
    return icl__dnnl_library->run(dnnl_for(c, images), thread, from, weights, to, scratch);
  const icl__conv_piece *piece = &c->piece[part];
  return icl__dnnl_library->run(piece->dnnl, thread, (const char *)from + piece->from, weights, (char *)to + piece->to,
                                scratch);
}

/* oneDNN overwrites a weight gradient, so what a further chunk adds is computed aside. */
icl_status icl__conv_differentiate(const icl__conv *c, int thread, int32_t images, const void *x, const void *gy,
                                   void *gradient, bool accumulate, void *scratch) {
  if (c->own) {
    icl__conv_shape shape = shape_for(c, images);
    c->own->differentiate(&shape, x, gy, gradient, accumulate, scratch);
    return ICL_OK;
  }
  const icl__dnnl_conv *dnnl = dnnl_for(c, images);
  if (!accumulate)
    return icl__dnnl_library->run(dnnl, thread, x, gy, gradient, scratch);
  ICL__TRY(icl__dnnl_library->run(dnnl, thread, x, gy, scratch, (char *)scratch + lines(c->weight_bytes)));
  add(gradient, scratch, c->weight_bytes);
  return ICL_OK;
}

icl_status icl__conv_prepare(const icl__conv *c, int thread, const float *hwio, void *weights, int part, int parts) {
  if (!c->own)
    return icl__dnnl_library->prepare(c->pieces ? c->piece[0].dnnl : c->dnnl[0], thread, hwio, weights, part, parts);
  c->own->prepare(&c->shape, hwio, weights, part, parts);
  return ICL_OK;
}

icl_status icl__conv_finish(const icl__conv *c, int thread, const void *gradients, int count, size_t stride,
                            float *hwio, int part, int parts) {
  if (c->own) {
    c->own->finish(&c->shape, gradients, count, stride / sizeof(float), hwio, part, parts);
    return ICL_OK;
  }
  return icl__dnnl_library->finish(c->dnnl[0], thread, gradients, count, stride, hwio, part, parts);
}
