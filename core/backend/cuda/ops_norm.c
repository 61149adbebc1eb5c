/* ops_norm.c - batch norm. Tables are f32, but for sums, which are f64. */
#include "backend/cuda/ops.h"

#include "ops/attributes.h"

static icl__cuda_table size_of(const icl__cuda_op *op) { return icl__cuda_table_of(&op->call->in[0]); }
static int32_t channels_of(const icl__cuda_op *op) { return (int32_t)icl__view_columns(&op->call->out); }
static const void *data(const icl__cuda_op *op, int i) { return i < op->call->inputs ? op->call->in[i].data : NULL; }

/* Are inputs `first` to `last`, as far as they are there, images of a dtype that kernels take? */
static bool takes(const icl__cuda_op *op, int first, int last) {
  bool good = true;
  for (int i = first; i <= last && i < op->call->inputs; i++)
    good = good && icl__cuda_is_float(op->call->in[i].dtype);
  return good;
}

/* ---- sums ---- */

ICL__CUDA_OP(bn_sums) {
  if (!takes(op, 0, 0))
    return icl__cuda_refuse(op);
  return icl__cuda_bn_sums(icl__cuda_input(op, 0), size_of(op), op->call->out.data, NULL, op->scratch, op->stream);
}

ICL__CUDA_OP(bn_scale_sums) {
  if (!takes(op, 0, 2))
    return icl__cuda_refuse(op);
  return icl__cuda_bn_scale_sums(icl__cuda_input(op, 0), icl__cuda_input(op, 1), data(op, 2),
                                 op->call->attr->i[BN_MASK], size_of(op), op->call->out.data, NULL, op->scratch,
                                 op->stream);
}

/* ---- tables ---- */

ICL__CUDA_OP(bn_coefficients) {
  if (!takes(op, 1, 2))
    return icl__cuda_refuse(op);
  return icl__cuda_bn_coefficients(data(op, 0), data(op, 1), data(op, 2), (float)op->call->attr->f[BN_F_EPS],
                                   channels_of(op), op->call->out.data, op->stream);
}

ICL__CUDA_OP(bn_inference) {
  if (!takes(op, 0, 3))
    return icl__cuda_refuse(op);
  return icl__cuda_bn_inference(data(op, 0), data(op, 1), data(op, 2), data(op, 3), (float)op->call->attr->f[BN_F_EPS],
                                channels_of(op), op->call->out.data, op->stream);
}

ICL__CUDA_OP(bn_running) {
  const icl_attributes *attr = op->call->attr;
  if (!takes(op, 0, 1))
    return icl__cuda_refuse(op);
  return icl__cuda_bn_running(data(op, 0), attr->i[BN_ROW], data(op, 1), (float)attr->f[BN_F_MOMENTUM],
                              (float)attr->f[BN_F_FACTOR], channels_of(op), op->call->out.data, op->stream);
}

ICL__CUDA_OP(bn_coefficients_grad) {
  if (!takes(op, 1, 1))
    return icl__cuda_refuse(op);
  return icl__cuda_bn_coefficients_grad(data(op, 0), data(op, 1), data(op, 2), channels_of(op), op->call->out.data,
                                        op->stream);
}

ICL__CUDA_OP(bn_row) {
  size_t bytes = (size_t)channels_of(op) * icl_dtype_bytes(op->call->out.dtype);
  const char *row = (const char *)data(op, 0) + (size_t)op->call->attr->i[BN_ROW] * bytes;
  return cudaMemcpyAsync(op->call->out.data, row, bytes, cudaMemcpyDeviceToDevice, op->stream);
}

/* ---- elementwise ---- */

ICL__CUDA_OP(scale_shift) {
  icl__cuda_bn o = {.x = icl__cuda_input(op, 0),
                    .rest = icl__cuda_input(op, 2), /* of a residual block: residual.c */
                    .coefficients = data(op, 1),
                    .y = icl__cuda_output(op)};
  if (!takes(op, 0, 1))
    return icl__cuda_refuse(op);
  return icl__cuda_scale_shift(&o, op->call->attr->i[SCALE_SHIFT_RELU], size_of(op), op->stream);
}

ICL__CUDA_OP(bn_scale) {
  icl__cuda_bn o = {.g = icl__cuda_input(op, 0), .coefficients = data(op, 1), .y = icl__cuda_output(op)};
  return takes(op, 0, 1) ? icl__cuda_bn_scale(&o, size_of(op), op->stream) : icl__cuda_refuse(op);
}

ICL__CUDA_OP(bn_sums_grad) {
  icl__cuda_bn o = {.x = icl__cuda_input(op, 0),
                    .k = data(op, 1),
                    .sums = data(op, 2),
                    .rest = icl__cuda_input(op, 3),
                    .y = icl__cuda_output(op)};
  return takes(op, 0, 1) && takes(op, 3, 3) ? icl__cuda_bn_sums_grad(&o, size_of(op), op->stream)
                                            : icl__cuda_refuse(op);
}

/* g, x, coefficients */
static icl__cuda_bn gradient(const icl__cuda_op *op) {
  return (icl__cuda_bn){
      .g = icl__cuda_input(op, 0), .x = icl__cuda_input(op, 1), .coefficients = data(op, 2), .y = icl__cuda_output(op)};
}

ICL__CUDA_OP(bn_input_grad) {
  icl__cuda_bn o = gradient(op);
  o.k = data(op, 3);
  o.rest = icl__cuda_input(op, 4);
  return takes(op, 0, 4) ? icl__cuda_bn_input_grad(&o, op->call->attr->i[BN_MASK], size_of(op), op->stream)
                         : icl__cuda_refuse(op);
}

ICL__CUDA_OP(bn_scale_mask) {
  icl__cuda_bn o = gradient(op);
  o.rest = icl__cuda_input(op, 3);
  return takes(op, 0, 3) ? icl__cuda_bn_scale_mask(&o, size_of(op), op->stream) : icl__cuda_refuse(op);
}
