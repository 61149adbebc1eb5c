/* norm.cuh - what the kernels of batch norm share. */
#ifndef ICL_BACKEND_CUDA_KERNELS_NORM_CUH
#define ICL_BACKEND_CUDA_KERNELS_NORM_CUH

#include "kernels.h"
#include "ops/batch_norm.h"
#include "pointers.cuh"
#include "values.cuh"

/* V columns of the coefficients. */
template <int V> struct columns {
  float a[V], b[V], mean[V];

  columns() = default;
  DEVICE_MEMBER columns(const float *coefficients, int channels, int column) {
    load(coefficients, ICL_F32, BN_A * channels + column, a);
    load(coefficients, ICL_F32, BN_B * channels + column, b);
    load(coefficients, ICL_F32, BN_MEAN * channels + column, mean);
  }
  /* Rounded in one way, so that a mask made from it again is the mask that the forward pass had. */
  DEVICE_MEMBER float normalized(int j, float x) const { return fmaf(a[j], x - mean[j], b[j]); }
};

#endif
