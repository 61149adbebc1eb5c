/* wide_values.cuh - elements of any dtype as f64, for the kernels that compute in it: files called wide_*. */
#ifndef ICL_BACKEND_CUDA_KERNELS_WIDE_VALUES_CUH
#define ICL_BACKEND_CUDA_KERNELS_WIDE_VALUES_CUH

#include "cuda.h"

/* NaN becomes 0, and what lies outside stays at the limit. */
template <class Integer> DEVICE Integer to_integer(double x, double least, double most) {
  if (x != x)
    return 0;
  return x <= least ? (Integer)least : x >= most ? ~((Integer)1 << (sizeof(Integer) * 8 - 1)) : (Integer)x;
}

struct f64_values {
  typedef double real;
  enum { AT_ONCE = 1 };

  static DEVICE_MEMBER double read(const void *data, int dtype, int64_t i) {
    switch (dtype) {
    case ICL_F32:
      return ((const float *)data)[i];
    case ICL_BF16:
      return __uint_as_float((unsigned)((const unsigned short *)data)[i] << 16);
    case ICL_F16:
      return __half2float(((const __half *)data)[i]);
    case ICL_F64:
      return ((const double *)data)[i];
    case ICL_I32:
      return ((const int32_t *)data)[i];
    case ICL_I64:
      return (double)((const int64_t *)data)[i];
    case ICL_BOOL:
      return ((const unsigned char *)data)[i] != 0;
    default: /* u8 */
      return ((const unsigned char *)data)[i];
    }
  }

  static DEVICE_MEMBER void write(void *data, int dtype, int64_t i, double x) {
    switch (dtype) {
    case ICL_F32:
      ((float *)data)[i] = (float)x;
      break;
    case ICL_BF16:
      ((__nv_bfloat16 *)data)[i] = __double2bfloat16(x);
      break;
    case ICL_F16:
      ((__half *)data)[i] = __double2half(x);
      break;
    case ICL_F64:
      ((double *)data)[i] = x;
      break;
    case ICL_I32:
      ((int32_t *)data)[i] = to_integer<int32_t>(x, -0x1p31, 0x1p31);
      break;
    case ICL_I64:
      ((int64_t *)data)[i] = to_integer<int64_t>(x, -0x1p63, 0x1p63);
      break;
    case ICL_BOOL:
      ((unsigned char *)data)[i] = x != 0;
      break;
    default:
      ((unsigned char *)data)[i] = (unsigned char)(x > 0 ? x < 255 ? x : 255 : 0);
      break;
    }
  }

  template <int V> static DEVICE_MEMBER void read_all(const void *data, int dtype, int64_t first, double (&x)[V]) {
    UNROLL
    for (int j = 0; j < V; j++)
      x[j] = read(data, dtype, first + j);
  }
  template <int V> static DEVICE_MEMBER void write_all(void *data, int dtype, int64_t first, const double (&x)[V]) {
    UNROLL
    for (int j = 0; j < V; j++)
      write(data, dtype, first + j, x[j]);
  }
};

#endif
