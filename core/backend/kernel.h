/* kernel.h - how a kernel is called: the same for every host backend.
 *
 * A kernel computes one op on views. For a map or reduce op the views of batched operands show the images
 * [first, first + shape[0]) of the batch, the others are whole. */
#ifndef ICL_BACKEND_KERNEL_H
#define ICL_BACKEND_KERNEL_H

#include "base/dtype.h"
#include "base/shape.h"

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

static inline int64_t icl__view_count(const icl__view *v) { return icl__count(v->rank, v->shape); }
static inline int64_t icl__view_columns(const icl__view *v) { return v->rank ? v->shape[v->rank - 1] : 1; }
static inline int64_t icl__view_rows(const icl__view *v) { return icl__count(v->rank - 1, v->shape); }

#endif
