/* wide_softmax.cu - softmax and cross entropy in f64. */
#include "wide_values.cuh"
#define VALUES     f64_values
#define NAME(name) icl__cuda_##name##_f64
#include "softmax.cuh"
