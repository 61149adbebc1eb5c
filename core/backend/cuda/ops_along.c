/* ops_along.c - what goes along one axis: running sums, order, elements chosen by their position. */
#include "backend/cuda/ops.h"

#include "ops/attributes.h"

static int axis_of(const icl__cuda_op *op) { return op->call->attr->i[ALONG_DIM]; }

static icl__cuda_series series_of(const icl__cuda_op *op, const icl__view *v) {
  int dim = axis_of(op);
  return (icl__cuda_series){icl__count(dim, v->shape), v->shape[dim],
                            icl__count(v->rank - dim - 1, v->shape + dim + 1)};
}

ICL__CUDA_OP(cumsum) {
  icl__cuda_series s = series_of(op, &op->call->in[0]);
  return ICL__CUDA_EITHER(op, cumsum)(icl__cuda_input(op, 0), &s, op->call->attr->i[CUMSUM_REVERSE],
                                      icl__cuda_output(op), op->stream);
}

ICL__CUDA_OP(argsort) {
  icl__cuda_series s = series_of(op, &op->call->in[0]);
  return icl__cuda_argsort(icl__cuda_input(op, 0), &s, op->call->out.shape[axis_of(op)],
                           op->call->attr->i[ARGSORT_DESCENDING], op->call->out.data, op->stream);
}

ICL__CUDA_OP(gather_along) {
  const icl__view *x = &op->call->in[0];
  icl__cuda_series s = series_of(op, x);
  return icl__cuda_gather_along(x->data, op->call->in[1].data, &s, op->call->out.shape[axis_of(op)],
                                (int)icl_dtype_bytes(x->dtype), op->call->out.data, op->stream);
}

ICL__CUDA_OP(gather_along_grad) {
  icl__cuda_series s = series_of(op, &op->call->out);
  return ICL__CUDA_EITHER(op, gather_along_grad)(icl__cuda_input(op, 0), op->call->in[1].data, &s,
                                                 op->call->in[0].shape[axis_of(op)], icl__cuda_output(op), op->scratch,
                                                 op->stream);
}
