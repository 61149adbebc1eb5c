/* matmul.c - products of matrices by cuBLAS. */
#include "backend/cuda/matmul.h"

#include "base/dtype.h"
#include "ops/attributes.h"

static cudaDataType_t type_of(icl_dtype dtype) {
  static const cudaDataType_t types[] = {
      [ICL_F32] = CUDA_R_32F, [ICL_BF16] = CUDA_R_16BF, [ICL_F16] = CUDA_R_16F, [ICL_F64] = CUDA_R_64F};
  return types[dtype];
}

static bool takes(const icl__call *call) {
  icl_dtype in = call->in[0].dtype, out = call->out.dtype;
  return icl__is_float(in) && call->in[1].dtype == in && (out == in || (out == ICL_F32 && in != ICL_F64));
}

static cublasComputeType_t compute_type(const icl__cuda_device *device, icl_dtype dtype) {
  if (dtype == ICL_F64)
    return CUBLAS_COMPUTE_64F;
  return device->tf32 && dtype == ICL_F32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

/* cuBLAS has columns first, so it computes the transpose: y' = b' a'. */
icl_status icl__cuda_matmul(icl__cuda_device *device, const icl__call *call) {
  const icl__view *a = &call->in[0], *b = &call->in[1], *y = &call->out;
  bool ta = call->attr->i[MATMUL_TRANSPOSE_A], tb = call->attr->i[MATMUL_TRANSPOSE_B];
  int m = y->shape[0], n = y->shape[1], k = a->shape[ta ? 0 : 1];
  const float factors[] = {1, 0};
  const double wide_factors[] = {1, 0};
  bool wide = a->dtype == ICL_F64;
  const void *one = wide ? (const void *)wide_factors : factors;
  const void *zero = wide ? (const void *)(wide_factors + 1) : factors + 1;
  if (!takes(call))
    return icl__fail(ICL_ENOTSUP, "matmul: cuBLAS does not take %s and %s to %s; cast both to one dtype",
                     icl_dtype_name(a->dtype), icl_dtype_name(b->dtype), icl_dtype_name(y->dtype));
  if (k == 0)
    return icl__cuda_check(
        cudaMemsetAsync(y->data, 0, (size_t)m * (size_t)n * icl_dtype_bytes(y->dtype), device->stream), "matmul");
  cublasStatus_t status = device->libraries->cublas.cublasGemmEx(
      device->cublas, tb ? CUBLAS_OP_T : CUBLAS_OP_N, ta ? CUBLAS_OP_T : CUBLAS_OP_N, n, m, k, one, b->data,
      type_of(b->dtype), b->shape[1], a->data, type_of(a->dtype), a->shape[1], zero, y->data, type_of(y->dtype), n,
      compute_type(device, a->dtype), CUBLAS_GEMM_DEFAULT);
  return status == CUBLAS_STATUS_SUCCESS
             ? ICL_OK
             : icl__fail(ICL_EBACKEND, "matmul (%d, %d) (%d, %d): cuBLAS: %s", a->shape[0], a->shape[1], b->shape[0],
                         b->shape[1], device->libraries->cublas.cublasGetStatusString(status));
}
