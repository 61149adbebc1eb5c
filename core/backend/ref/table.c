/* table.c - from an op to its reference kernel. An op of ops.def without one does not compile. */
#include "backend/ref/kernels.h"
#include "backend/ref/ref.h"
#include "ops/ops.h"

/* Leaves and aliases compute nothing, and what goes through other processes is no kernel's. */
#define icl__ref_constant   NULL
#define icl__ref_state      NULL
#define icl__ref_detach     NULL
#define icl__ref_custom     NULL
#define icl__ref_all_reduce NULL

icl__kernel icl__ref_kernel(int op) {
  static const icl__kernel kernels[ICL__OP_COUNT] = {
#define OP(name, least, most, attributes, infer, grad, batch, flags, doc) [ICL__OP_##name] = icl__ref_##name,
#define PW(name, inputs, kind, grad, formula, doc)                        [ICL__OP_##name] = icl__ref_##name,
#include "ops/ops.def"
#undef OP
#undef PW
  };
  return op >= 0 && op < ICL__OP_COUNT ? kernels[op] : NULL;
}
