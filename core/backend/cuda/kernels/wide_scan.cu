/* wide_scan.cu - running sums in f64. */
#include "scan.cuh"
#include "wide_values.cuh"

cudaError_t icl__cuda_cumsum_f64(icl__cuda_in x, const icl__cuda_series *s, bool reverse, icl__cuda_out y,
                                 cudaStream_t stream) {
  return launch<f64_values>(x, s, reverse, y, stream);
}
