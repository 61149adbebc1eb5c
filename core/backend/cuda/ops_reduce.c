/* ops_reduce.c - which axes a reduction keeps and which it goes along. */
#include "backend/cuda/ops.h"

#include "ops/attributes.h"

static cudaError_t reduce(icl__cuda_op *op, icl__cuda_reduction what, const bool *reduced) {
  const icl__view *x = &op->call->in[0];
  int64_t stride[ICL_MAX_RANK];
  icl__cuda_axes kept = {0}, gone = {0};
  icl__cuda_strides(x, x->rank, x->shape, stride);
  for (int d = 0; d < x->rank; d++) {
    icl__cuda_axes *axes = reduced[d] ? &gone : &kept;
    axes->size[axes->rank] = x->shape[d];
    axes->stride[axes->rank++] = stride[d];
  }
  icl__cuda_merge(&kept.rank, kept.size, 1, &kept.stride);
  icl__cuda_merge(&gone.rank, gone.size, 1, &gone.stride);
  return ICL__CUDA_EITHER(op, reduce)(what, icl__cuda_input(op, 0), &kept, &gone, icl__cuda_output(op), op->scratch,
                                      op->stream);
}

static cudaError_t reduce_dims(icl__cuda_op *op, icl__cuda_reduction what) {
  const int32_t *dims = op->call->attr->i + REDUCE_DIMS;
  bool reduced[ICL_MAX_RANK] = {false};
  for (int i = 0; i < dims[0]; i++)
    reduced[dims[1 + i]] = true;
  return reduce(op, what, reduced);
}

ICL__CUDA_OP(sum) { return reduce_dims(op, ICL__CUDA_SUM); }
ICL__CUDA_OP(max) { return reduce_dims(op, ICL__CUDA_MAX); }

ICL__CUDA_OP(argmax) {
  bool reduced[ICL_MAX_RANK] = {false};
  reduced[op->call->attr->i[ARGMAX_DIM]] = true;
  return reduce(op, ICL__CUDA_ARGMAX, reduced);
}

ICL__CUDA_OP(sum_to) {
  const icl__view *x = &op->call->in[0], *out = &op->call->out;
  bool reduced[ICL_MAX_RANK];
  for (int d = 0; d < x->rank; d++) {
    int axis = d - (x->rank - out->rank);
    reduced[d] = axis < 0 || out->shape[axis] == 1;
  }
  return reduce(op, ICL__CUDA_SUM, reduced);
}
