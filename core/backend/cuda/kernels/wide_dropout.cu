/* wide_dropout.cu - dropout in f64. */
#include "wide_values.cuh"
#define VALUES     f64_values
#define NAME(name) icl__cuda_##name##_f64
#include "dropout.cuh"
