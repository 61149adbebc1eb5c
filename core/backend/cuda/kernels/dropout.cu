/* dropout.cu - dropout in f32. */
#define VALUES     f32_values
#define NAME(name) icl__cuda_##name
#include "dropout.cuh"
