/* reduce.cu - reductions of what f32 holds, and of integers. */
#include "reduce.cuh"

/* Elements as f32 or as i64; a word is one as it lies in memory. */
struct real {
  typedef float value;
  typedef raw<1> word;
  static DEVICE_MEMBER void read(word &w, const void *data, int dtype, int64_t i) { w.read(data, dtype, i); }
  static DEVICE_MEMBER float unpack(const word &w, int dtype) {
    float x[1];
    w.unpack(dtype, x);
    return x[0];
  }
  static DEVICE_MEMBER void store(void *data, int dtype, int64_t i, float x) { store_one(data, dtype, i, x); }
  static DEVICE_MEMBER float least() { return -INFINITY; }
};

struct integer {
  typedef int64_t value, word;
  static DEVICE_MEMBER void read(word &w, const void *data, int dtype, int64_t i) {
    w = integer_values::read(data, dtype, i);
  }
  static DEVICE_MEMBER int64_t unpack(const word &w, int) { return w; }
  static DEVICE_MEMBER void store(void *data, int dtype, int64_t i, int64_t x) {
    integer_values::write(data, dtype, i, x);
  }
  static DEVICE_MEMBER int64_t least() { return INT64_MIN; }
};

cudaError_t icl__cuda_reduce(icl__cuda_reduction what, icl__cuda_in x, const icl__cuda_axes *kept,
                             const icl__cuda_axes *reduced, icl__cuda_out y, icl__cuda_scratch scratch,
                             cudaStream_t stream) {
  return x.dtype <= ICL_F64 ? choose<real>(what, x, kept, reduced, y, scratch, stream)
                            : choose<integer>(what, x, kept, reduced, y, scratch, stream);
}
