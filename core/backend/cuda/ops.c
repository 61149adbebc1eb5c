/* ops.c - see ops.h. An op of ops.def that is not mentioned here does not compile. */
#include "backend/cuda/ops.h"

#include "ops/ops.h"

/* Leaves and aliases compute nothing, what is sent has no kernel; products and convolutions are cuBLAS's and
 * cuDNN's. */
#define icl__cuda_op_constant           NULL
#define icl__cuda_op_state              NULL
#define icl__cuda_op_detach             NULL
#define icl__cuda_op_custom             NULL
#define icl__cuda_op_all_reduce         NULL
#define icl__cuda_op_matmul             NULL
#define icl__cuda_op_conv2d             NULL
#define icl__cuda_op_conv2d_input_grad  NULL
#define icl__cuda_op_conv2d_weight_grad NULL

static const icl__cuda_launcher launchers[ICL__OP_COUNT] = {
#define OP(name, least, most, attributes, infer, grad, batch, flags, doc) [ICL__OP_##name] = icl__cuda_op_##name,
#define PW(name, inputs, kind, grad, formula, doc)                        [ICL__OP_##name] = icl__cuda_op_pointwise,
#include "ops/ops.def"
#undef OP
#undef PW
};

void icl__cuda_strides(const icl__view *v, int rank, const int32_t *shape, int64_t *stride) {
  int64_t next = 1;
  for (int d = 0; d < rank; d++)
    stride[d] = 0;
  for (int d = v->rank - 1, axis = rank - 1; d >= 0; d--, axis--) {
    stride[axis] = v->shape[d] == 1 && shape[axis] != 1 ? 0 : next;
    next *= v->shape[d];
  }
}

static bool merges(int d, const int32_t *size, int count, int64_t (*stride)[ICL_MAX_RANK]) {
  for (int k = 0; k < count; k++)
    if (size[d] != 1 && size[d + 1] != 1 && stride[k][d] != stride[k][d + 1] * size[d + 1])
      return false;
  return icl__cuda_fits(size[d], size[d + 1]);
}

void icl__cuda_merge(int *rank, int32_t *size, int count, int64_t (*stride)[ICL_MAX_RANK]) {
  for (int d = *rank - 2; d >= 0; d--) {
    if (!merges(d, size, count, stride))
      continue;
    for (int k = 0; k < count; k++)
      if (size[d + 1] == 1)
        stride[k][d + 1] = stride[k][d];
    size[d] *= size[d + 1];
    for (int k = 0; k < count; k++)
      stride[k][d] = stride[k][d + 1];
    for (int i = d + 1; i < *rank - 1; i++) {
      size[i] = size[i + 1];
      for (int k = 0; k < count; k++)
        stride[k][i] = stride[k][i + 1];
    }
    --*rank;
  }
}

icl_status icl__cuda_launch(const icl__call *call, icl__cuda_scratch scratch, cudaStream_t stream) {
  const char *name = icl__op(call->op)->name;
  icl__cuda_op op = {.call = call, .scratch = scratch, .stream = stream};
  if (!launchers[call->op])
    return icl__fail(ICL_ENOTSUP, "%s: there is no CUDA kernel of our own", name);
  if (icl__view_count(&call->out) == 0)
    return ICL_OK;
  cudaError_t error = launchers[call->op](&op);
  if (op.unsupported)
    return icl__fail(ICL_ENOTSUP, "%s: the CUDA kernel does not take %s", name, icl_dtype_name(call->in[0].dtype));
  if (error == cudaSuccess)
    return ICL_OK;
  cudaGetLastError(); /* of a copy; launches have taken theirs */
  return icl__fail(error == cudaErrorMemoryAllocation ? ICL_ENOMEM : ICL_EBACKEND, "%s: CUDA: %s", name,
                   cudaGetErrorString(error));
}
