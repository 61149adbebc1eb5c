/* matmul.h - products of matrices by cuBLAS. */
#ifndef ICL_BACKEND_CUDA_MATMUL_H
#define ICL_BACKEND_CUDA_MATMUL_H

#include "backend/cuda/device.h"
#include "backend/kernel.h"

/* Puts matmul on the stream. f32 is exact unless the device was opened for tf32; 16 bits are summed in f32, f64 in
 * f64. */
icl_status icl__cuda_matmul(icl__cuda_device *device, const icl__call *call);

#endif
