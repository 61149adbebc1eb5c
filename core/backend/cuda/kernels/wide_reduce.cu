/* wide_reduce.cu - reductions of f64. */
#include "reduce.cuh"
#include "wide_values.cuh"

struct real_f64 {
  typedef double value, word;
  static DEVICE_MEMBER void read(word &w, const void *data, int dtype, int64_t i) {
    w = f64_values::read(data, dtype, i);
  }
  static DEVICE_MEMBER double unpack(const word &w, int) { return w; }
  static DEVICE_MEMBER void store(void *data, int dtype, int64_t i, double x) { f64_values::write(data, dtype, i, x); }
  static DEVICE_MEMBER double least() { return -INFINITY; }
};

cudaError_t icl__cuda_reduce_f64(icl__cuda_reduction what, icl__cuda_in x, const icl__cuda_axes *kept,
                                 const icl__cuda_axes *reduced, icl__cuda_out y, icl__cuda_scratch scratch,
                                 cudaStream_t stream) {
  return choose<real_f64>(what, x, kept, reduced, y, scratch, stream);
}
