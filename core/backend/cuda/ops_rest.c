/* ops_rest.c - indices, losses, random draws and samples. */
#include "backend/cuda/ops.h"

#include "ops/attributes.h"

static const void *data(const icl__cuda_op *op, int i) { return i < op->call->inputs ? op->call->in[i].data : NULL; }

/* Elements of a row x[i] of x (m, ...). */
static int64_t row_size(const icl__view *x) { return icl__count(x->rank - 1, x->shape + 1); }

/* ---- indices ---- */

ICL__CUDA_OP(gather) {
  const icl__view *x = &op->call->in[0];
  int64_t bytes = row_size(x) * (int64_t)icl_dtype_bytes(x->dtype);
  return icl__cuda_gather(x->data, data(op, 1), op->call->in[1].shape[0], x->shape[0], bytes, op->call->out.data,
                          op->stream);
}

ICL__CUDA_OP(gather_grad) {
  const icl__view *g = &op->call->in[0];
  return ICL__CUDA_EITHER(op, gather_grad)(icl__cuda_input(op, 0), data(op, 1), g->shape[0], op->call->out.shape[0],
                                           row_size(g), icl__cuda_output(op), op->scratch, op->stream);
}

ICL__CUDA_OP(one_hot) {
  const icl__view *y = &op->call->out;
  return icl__cuda_one_hot(data(op, 0), y->shape[0], y->shape[1], y->data, op->stream);
}

/* ---- losses ---- */

static cudaError_t softmax(icl__cuda_op *op, bool logarithm) {
  const icl__view *x = &op->call->in[0];
  return ICL__CUDA_EITHER(op, softmax)(icl__cuda_input(op, 0), icl__view_rows(x), (int32_t)icl__view_columns(x),
                                       logarithm, icl__cuda_output(op), op->stream);
}

ICL__CUDA_OP(softmax) { return softmax(op, false); }
ICL__CUDA_OP(log_softmax) { return softmax(op, true); }

ICL__CUDA_OP(cross_entropy) {
  const icl__view *x = &op->call->in[0];
  return ICL__CUDA_EITHER(op, cross_entropy)(icl__cuda_input(op, 0), icl__cuda_input(op, 1), x->shape[0], x->shape[1],
                                             op->call->out.data, op->stream);
}

/* ---- random draws ---- */

static icl__cuda_draw draw_of(const icl__cuda_op *op, int key, int ids) {
  const icl__view *y = &op->call->out;
  int64_t images = y->rank ? y->shape[0] : 1;
  return (icl__cuda_draw){.key = data(op, key),
                          .ids = data(op, ids),
                          .first = op->call->first,
                          .images = images,
                          .size = icl__view_count(y) / images};
}

ICL__CUDA_OP(uniform) {
  icl__cuda_draw d = draw_of(op, 0, 1);
  return icl__cuda_uniform(&d, op->call->out.data, op->stream);
}

ICL__CUDA_OP(normal) {
  icl__cuda_draw d = draw_of(op, 0, 1);
  return icl__cuda_normal(&d, op->call->out.data, op->stream);
}

ICL__CUDA_OP(bernoulli) {
  icl__cuda_draw d = draw_of(op, 0, 2);
  return icl__cuda_bernoulli(&d, icl__cuda_input(op, 1), op->call->out.data, op->stream);
}

ICL__CUDA_OP(randint) {
  const int32_t *attr = op->call->attr->i;
  icl__cuda_draw d = draw_of(op, 0, 1);
  return icl__cuda_randint(&d, attr[RANDINT_LOW], attr[RANDINT_HIGH], op->call->out.data, op->stream);
}

ICL__CUDA_OP(dropout) {
  icl__cuda_draw d = draw_of(op, 1, 3);
  return ICL__CUDA_EITHER(op, dropout)(&d, icl__cuda_input(op, 0), icl__cuda_input(op, 2), icl__cuda_output(op),
                                       op->stream);
}

/* ---- samples ---- */

ICL__CUDA_OP(crop) {
  const icl__view *x = &op->call->in[0], *y = &op->call->out;
  const int32_t *attr = op->call->attr->i;
  icl__cuda_crop_size size = {
      .n = x->shape[0],
      .h = x->shape[1],
      .w = x->shape[2],
      .c = x->shape[3],
      .out_h = y->shape[1],
      .out_w = y->shape[2],
      .padding = {attr[CROP_PADDING_H], attr[CROP_PADDING_W]},
      .fill = attr[CROP_FILL],
  };
  return icl__cuda_crop(x->data, data(op, 1), &size, y->data, op->stream);
}

ICL__CUDA_OP(flip) {
  const icl__view *x = &op->call->in[0];
  int32_t bytes = x->shape[3] * (int32_t)icl_dtype_bytes(x->dtype);
  return icl__cuda_flip(x->data, data(op, 1), x->shape[0], x->shape[1], x->shape[2], bytes, op->call->out.data,
                        op->stream);
}

ICL__CUDA_OP(adjust) {
  return icl__cuda_adjust(data(op, 0), data(op, 1), data(op, 2), op->call->in[0].shape, op->call->out.data, op->stream);
}

ICL__CUDA_OP(warp) {
  const int32_t *attr = op->call->attr->i;
  return icl__cuda_warp(data(op, 0), data(op, 1), op->call->in[0].shape, attr[WARP_BILINEAR] != 0, attr[WARP_FILL],
                        op->call->out.data, op->stream);
}

ICL__CUDA_OP(normalize) {
  const icl__view *x = &op->call->in[0];
  return icl__cuda_normalize(x->data, data(op, 1), data(op, 2), icl__view_rows(x), (int32_t)icl__view_columns(x),
                             icl__cuda_output(op), op->stream);
}
