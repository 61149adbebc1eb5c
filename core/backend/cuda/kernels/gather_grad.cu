/* gather_grad.cu - gradients of what is taken from an index, in f32. */
#define VALUES     f32_values
#define NAME(name) icl__cuda_##name
#include "gather_grad.cuh"
