/* ops.h - from an op on views in device memory to the launch of its kernel. */
#ifndef ICL_BACKEND_CUDA_OPS_H
#define ICL_BACKEND_CUDA_OPS_H

#include "backend/cuda/kernels/kernels.h"
#include "backend/kernel.h"

/* Puts the op on the stream; its views must be dense. ENOTSUP: no kernel here computes it in these dtypes. Other errors
 * are the runtime's. */
icl_status icl__cuda_launch(const icl__call *call, icl__cuda_scratch scratch, cudaStream_t stream);

/* A chain without steps that reads the inputs of a call and writes its output. */
void icl__cuda_begin_chain(icl__chain *chain, const icl__call *call);

/* ---- for the files of ops ---- */

typedef struct {
  const icl__call *call;
  icl__cuda_scratch scratch;
  cudaStream_t stream;
  bool unsupported; /* set by a function that cannot do it */
} icl__cuda_op;

static inline icl__cuda_in icl__cuda_input(const icl__cuda_op *op, int i) {
  if (i >= op->call->inputs)
    return (icl__cuda_in){NULL, ICL_F32};
  return (icl__cuda_in){op->call->in[i].data, (int)op->call->in[i].dtype};
}
static inline icl__cuda_out icl__cuda_output(const icl__cuda_op *op) {
  return (icl__cuda_out){op->call->out.data, (int)op->call->out.dtype};
}
static inline icl__cuda_table icl__cuda_table_of(const icl__view *x) {
  return (icl__cuda_table){icl__view_rows(x), x->shape[x->rank - 1]};
}
static inline cudaError_t icl__cuda_refuse(icl__cuda_op *op) {
  op->unsupported = true;
  return cudaSuccess;
}
/* Of two functions (ICL__CUDA_BOTH) the one in f64 where the first input or the output is. */
static inline bool icl__cuda_in_f64(const icl__cuda_op *op) {
  return op->call->in[0].dtype == ICL_F64 || op->call->out.dtype == ICL_F64;
}
#define ICL__CUDA_EITHER(op, name) (icl__cuda_in_f64(op) ? icl__cuda_##name##_f64 : icl__cuda_##name)
/* Floats that kernels compute in f32. */
static inline bool icl__cuda_is_float(icl_dtype dtype) {
  return dtype == ICL_F32 || dtype == ICL_BF16 || dtype == ICL_F16;
}

/* Strides of a dense view; 0 along axes that are repeated up to `shape`, aligned at the last. */
void icl__cuda_strides(const icl__view *v, int rank, const int32_t *shape, int64_t *stride);
/* Is the product one that the size of an axis, or a place along it, can be? */
static inline bool icl__cuda_fits(int32_t size, int32_t inner) {
  return (int64_t)size * inner >= INT32_MIN && (int64_t)size * inner <= INT32_MAX;
}
/* Joins axes that lie behind one another in all of `count` arrays of strides, as far as sizes have room. */
void icl__cuda_merge(int *rank, int32_t *size, int count, int64_t (*stride)[ICL_MAX_RANK]);
/* The same of a move, where what is behind an axis is copied as it is. */
void icl__cuda_merge_move(icl__cuda_move *move);

/* One for each op that this backend has a kernel of its own for. */
typedef cudaError_t (*icl__cuda_launcher)(icl__cuda_op *op);
#define ICL__CUDA_OP(name) cudaError_t icl__cuda_op_##name(icl__cuda_op *op)
ICL__CUDA_OP(pointwise);
ICL__CUDA_OP(add_n);
ICL__CUDA_OP(cast);
ICL__CUDA_OP(broadcast_to);
ICL__CUDA_OP(sum);
ICL__CUDA_OP(sum_to);
ICL__CUDA_OP(max);
ICL__CUDA_OP(argmax);
ICL__CUDA_OP(bn_sums);
ICL__CUDA_OP(bn_coefficients);
ICL__CUDA_OP(bn_inference);
ICL__CUDA_OP(bn_running);
ICL__CUDA_OP(scale_shift);
ICL__CUDA_OP(bn_scale);
ICL__CUDA_OP(bn_scale_sums);
ICL__CUDA_OP(bn_coefficients_grad);
ICL__CUDA_OP(bn_sums_grad);
ICL__CUDA_OP(bn_row);
ICL__CUDA_OP(bn_input_grad);
ICL__CUDA_OP(bn_scale_mask);
ICL__CUDA_OP(max_pool2d);
ICL__CUDA_OP(max_pool2d_positions);
ICL__CUDA_OP(max_pool2d_grad);
ICL__CUDA_OP(max_pool2d_pick);
ICL__CUDA_OP(avg_pool2d);
ICL__CUDA_OP(avg_pool2d_grad);
ICL__CUDA_OP(global_avg_pool);
ICL__CUDA_OP(global_avg_pool_grad);
ICL__CUDA_OP(reshape);
ICL__CUDA_OP(permute);
ICL__CUDA_OP(pad);
ICL__CUDA_OP(concat);
ICL__CUDA_OP(concat_part);
ICL__CUDA_OP(narrow);
ICL__CUDA_OP(narrow_grad);
ICL__CUDA_OP(gather);
ICL__CUDA_OP(gather_grad);
ICL__CUDA_OP(one_hot);
ICL__CUDA_OP(cumsum);
ICL__CUDA_OP(argsort);
ICL__CUDA_OP(gather_along);
ICL__CUDA_OP(gather_along_grad);
ICL__CUDA_OP(softmax);
ICL__CUDA_OP(log_softmax);
ICL__CUDA_OP(cross_entropy);
ICL__CUDA_OP(uniform);
ICL__CUDA_OP(normal);
ICL__CUDA_OP(bernoulli);
ICL__CUDA_OP(randint);
ICL__CUDA_OP(dropout);
ICL__CUDA_OP(crop);
ICL__CUDA_OP(flip);
ICL__CUDA_OP(adjust);
ICL__CUDA_OP(warp);
ICL__CUDA_OP(normalize);

#endif
