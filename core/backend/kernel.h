/* kernel.h - how a kernel is called: the same for every host backend.
 *
 * A kernel computes one op on views. For a map or reduce op the views of batched operands show the images
 * [first, first + shape[0]) of the batch, the others are whole. */
#ifndef ICL_BACKEND_KERNEL_H
#define ICL_BACKEND_KERNEL_H

#include "icl.h"

/* Elements of one row (the last axis) are adjacent; rows lie `pitch` elements apart, in row-major order of the other
 * axes. pitch >= shape[rank - 1]; equal: dense. Rank 0: one element, pitch 1. */
typedef struct {
  void *data;
  icl_dtype dtype;
  int rank;
  int32_t shape[ICL_MAX_RANK];
  int64_t pitch;
} icl__view;

typedef struct {
  int op;
  const icl_attributes *attr;
  int inputs;
  icl__view out, in[ICL_MAX_INPUTS];
  int64_t first;   /* number of the first image of this range within the batch */
  bool accumulate; /* reduce: add to `out` instead of overwriting it */
  int part, parts; /* global, pointwise: compute only this part of the output's rows; 0 of 1 is all */
  void *scratch;   /* as many bytes as the kernel's workspace function asked for; of this thread alone */
} icl__call;

typedef void (*icl__kernel)(const icl__call *call);

static inline int64_t icl__view_count(const icl__view *v) {
  int64_t n = 1;
  for (int i = 0; i < v->rank; i++)
    n *= v->shape[i];
  return n;
}
static inline int64_t icl__view_columns(const icl__view *v) { return v->rank ? v->shape[v->rank - 1] : 1; }
static inline int64_t icl__view_rows(const icl__view *v) {
  int64_t n = 1;
  for (int i = 0; i + 1 < v->rank; i++)
    n *= v->shape[i];
  return n;
}

/* The reference: plain loops, every view dense and of dtype f64 (integers and bool too, exact up to 2^53). Every op
 * that is neither a leaf nor an alias has one. `accumulate` and `part` are ignored: it computes the whole output. */
icl__kernel icl__ref_kernel(int op);

/* Element conversions shared by backends and readers; bf16 and f16 round to nearest even. */
double icl__load_f64(icl_dtype dtype, const void *data, int64_t index);
void icl__store_f64(icl_dtype dtype, void *data, int64_t index, double value);
void icl__convert(icl_dtype from, const void *source, icl_dtype to, void *destination, int64_t count);

static inline float icl__from_bf16(uint16_t b) {
  union {
    uint32_t u;
    float f;
  } v = {.u = (uint32_t)b << 16};
  return v.f;
}
static inline uint16_t icl__to_bf16(float f) {
  union {
    float f;
    uint32_t u;
  } v = {.f = f};
  if (f != f)
    return (uint16_t)(v.u >> 16 | 0x40);
  return (uint16_t)((v.u + 0x7fff + (v.u >> 16 & 1)) >> 16);
}

#endif
