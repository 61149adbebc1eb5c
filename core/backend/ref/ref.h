/* ref.h - the reference kernels and the few helpers they share.
 *
 * Every view is dense and of f64, so a kernel sees arrays of doubles in row-major order. Shapes come from the views
 * alone: they may show a part of the batch, which attributes never do. */
#ifndef ICL_BACKEND_REF_REF_H
#define ICL_BACKEND_REF_REF_H

#include "backend/kernel.h"
#include "ops/attributes.h"

static inline double *values(const icl__view *v) { return v->data; }

static inline void fill(const icl__view *v, double value) {
  for (int64_t i = 0; i < icl__view_count(v); i++)
    values(v)[i] = value;
}

/* Steps `at`, a position in a shape, to the next in row-major order; after the last it is back at the first. */
static inline void step(int rank, const int32_t *shape, int32_t *at) {
  for (int d = rank - 1; d >= 0; d--) {
    if (++at[d] < shape[d])
      return;
    at[d] = 0;
  }
}

/* The element of v that position `at` of a shape of `rank` axes reads if v is broadcast to it: axes are aligned at the
 * last, and one of size 1 is repeated. */
static inline int64_t broadcast_index(const icl__view *v, int rank, const int32_t *at) {
  int64_t index = 0;
  for (int d = 0; d < v->rank; d++)
    index = index * v->shape[d] + (v->shape[d] == 1 ? 0 : at[rank - v->rank + d]);
  return index;
}

/* Elements from one position of axis `dim` to the next. */
static inline int64_t stride_of(const icl__view *v, int dim) {
  int64_t stride = 1;
  for (int d = dim + 1; d < v->rank; d++)
    stride *= v->shape[d];
  return stride;
}

/* Where series `i` along axis `dim` begins: the series are those of the positions of the other axes, in order. */
static inline double *series_at(const icl__view *v, int dim, int64_t i) {
  int64_t inner = stride_of(v, dim);
  return values(v) + i / inner * v->shape[dim] * inner + i % inner;
}

static inline int64_t clamp(double x, int64_t least, int64_t most) {
  return x < (double)least ? least : x > (double)most ? most : (int64_t)x;
}

/* Takes x the place of the largest so far? The first of equals stays, and NaN is larger than every number. */
static inline bool is_larger(double x, double largest) { return x > largest || (x != x && largest == largest); }

/* ---- kernels, by file; pointwise.c has one for each row of pointwise.def ---- */

#define PW(name, inputs, kind, grad, formula, doc) void icl__ref_##name(const icl__call *call);
#include "ops/pointwise.def"
#undef PW
#define ICL__REF_KERNEL(name) void icl__ref_##name(const icl__call *call)
ICL__REF_KERNEL(add_n);
ICL__REF_KERNEL(cast);

ICL__REF_KERNEL(sum);
ICL__REF_KERNEL(max);
ICL__REF_KERNEL(argmax);
ICL__REF_KERNEL(broadcast_to);
ICL__REF_KERNEL(sum_to);

ICL__REF_KERNEL(matmul);

ICL__REF_KERNEL(conv2d);
ICL__REF_KERNEL(conv2d_input_grad);
ICL__REF_KERNEL(conv2d_weight_grad);

ICL__REF_KERNEL(bn_sums);
ICL__REF_KERNEL(bn_coefficients);
ICL__REF_KERNEL(bn_inference);
ICL__REF_KERNEL(bn_running);
ICL__REF_KERNEL(scale_shift);
ICL__REF_KERNEL(bn_scale);
ICL__REF_KERNEL(bn_scale_sums);
ICL__REF_KERNEL(bn_coefficients_grad);
ICL__REF_KERNEL(bn_sums_grad);
ICL__REF_KERNEL(bn_row);
ICL__REF_KERNEL(bn_input_grad);
ICL__REF_KERNEL(bn_scale_mask);

ICL__REF_KERNEL(max_pool2d);
ICL__REF_KERNEL(max_pool2d_positions);
ICL__REF_KERNEL(max_pool2d_grad);
ICL__REF_KERNEL(max_pool2d_pick);
ICL__REF_KERNEL(avg_pool2d);
ICL__REF_KERNEL(avg_pool2d_grad);
ICL__REF_KERNEL(global_avg_pool);
ICL__REF_KERNEL(global_avg_pool_grad);

ICL__REF_KERNEL(reshape);
ICL__REF_KERNEL(permute);
ICL__REF_KERNEL(pad);
ICL__REF_KERNEL(concat);
ICL__REF_KERNEL(concat_part);
ICL__REF_KERNEL(narrow);
ICL__REF_KERNEL(narrow_grad);

ICL__REF_KERNEL(gather);
ICL__REF_KERNEL(gather_grad);
ICL__REF_KERNEL(one_hot);

ICL__REF_KERNEL(cumsum);
ICL__REF_KERNEL(argsort);
ICL__REF_KERNEL(gather_along);
ICL__REF_KERNEL(gather_along_grad);

ICL__REF_KERNEL(softmax);
ICL__REF_KERNEL(log_softmax);
ICL__REF_KERNEL(cross_entropy);

ICL__REF_KERNEL(uniform);
ICL__REF_KERNEL(normal);
ICL__REF_KERNEL(bernoulli);
ICL__REF_KERNEL(randint);
ICL__REF_KERNEL(dropout);

ICL__REF_KERNEL(crop);
ICL__REF_KERNEL(flip);
ICL__REF_KERNEL(adjust);
ICL__REF_KERNEL(warp);
ICL__REF_KERNEL(normalize);
#undef ICL__REF_KERNEL

#endif
