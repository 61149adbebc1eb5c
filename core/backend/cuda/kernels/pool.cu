/* pool.cu - pooling in f32. */
#define VALUES     f32_values
#define NAME(name) icl__cuda_##name
#include "pool.cuh"
