/* matmul.c - products of matrices by cuBLAS. */
#include "backend/cuda/matmul.h"

#include "ops/attributes.h"

static cudaDataType_t type_of(icl_dtype dtype) {
  return dtype == ICL_F32 ? CUDA_R_32F : dtype == ICL_BF16 ? CUDA_R_16BF : CUDA_R_16F;
}

static bool takes(const icl__call *call) {
  icl_dtype in = call->in[0].dtype;
  bool floats = in == ICL_F32 || in == ICL_BF16 || in == ICL_F16;
  return floats && call->in[1].dtype == in && (call->out.dtype == in || call->out.dtype == ICL_F32);
}

/* cuBLAS has columns first, so it computes the transpose: y' = b' a'. */
icl_status icl__cuda_matmul(icl__cuda_device *device, const icl__call *call) {
  const icl__view *a = &call->in[0], *b = &call->in[1], *y = &call->out;
  bool ta = call->attr->i[MATMUL_TRANSPOSE_A], tb = call->attr->i[MATMUL_TRANSPOSE_B];
  int m = y->shape[0], n = y->shape[1], k = a->shape[ta ? 0 : 1];
  float one = 1, zero = 0;
  if (!takes(call))
    return icl__fail(ICL_ENOTSUP, "matmul: cuBLAS does not take %s and %s to %s; cast both to f32",
                     icl_dtype_name(a->dtype), icl_dtype_name(b->dtype), icl_dtype_name(y->dtype));
  if (k == 0)
    return icl__cuda_check(
        cudaMemsetAsync(y->data, 0, (size_t)m * (size_t)n * icl_dtype_bytes(y->dtype), device->stream), "matmul");
  cublasComputeType_t compute = device->tf32 && a->dtype == ICL_F32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  cublasStatus_t status = device->libraries->cublas.cublasGemmEx(
      device->cublas, tb ? CUBLAS_OP_T : CUBLAS_OP_N, ta ? CUBLAS_OP_T : CUBLAS_OP_N, n, m, k, &one, b->data,
      type_of(b->dtype), b->shape[1], a->data, type_of(a->dtype), a->shape[1], &zero, y->data, type_of(y->dtype), n,
      compute, CUBLAS_GEMM_DEFAULT);
  return status == CUBLAS_STATUS_SUCCESS
             ? ICL_OK
             : icl__fail(ICL_EBACKEND, "matmul (%d, %d) (%d, %d): cuBLAS: %s", a->shape[0], a->shape[1], b->shape[0],
                         b->shape[1], device->libraries->cublas.cublasGetStatusString(status));
}
