/* wide_gather_grad.cu - gradients of what is taken from an index, in f64. */
#include "wide_values.cuh"
#define VALUES     f64_values
#define NAME(name) icl__cuda_##name##_f64
#include "gather_grad.cuh"
