/* scan.cu - running sums in f32, and of integers. */
#include "scan.cuh"

cudaError_t icl__cuda_cumsum(icl__cuda_in x, const icl__cuda_series *s, bool reverse, icl__cuda_out y,
                             cudaStream_t stream) {
  return x.dtype <= ICL_F64 ? launch<f32_values>(x, s, reverse, y, stream)
                            : launch<integer_values>(x, s, reverse, y, stream);
}
