/* loss.c - softmax over the last axis and the cross entropy of distributions, of f32 and bf16 into f32.
 *
 * The largest element of a row is taken away first, so that no exponential overflows. It is never added again: with
 * large logits the difference of two of them would be lost. */
#include "backend/cpu/kernels/functions.h"
#include "backend/cpu/kernels/rows.h"

#include "ops/attributes.h"
#include "ops/ops.h"

/* NaN is left out here; it comes back through the sum of exponentials. */
INLINE float largest_of(const void *x, int64_t count, icl_dtype dtype) {
  float largest = -INFINITY;
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < count; i++) {
    float e = load_one(dtype, x, i);
    largest = e > largest ? e : largest;
  }
  return largest;
}

INLINE float sum_of_exp(const void *x, int64_t count, float largest, icl_dtype dtype) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; i++)
    sum += exp_f32(load_one(dtype, x, i) - largest);
  return sum;
}

INLINE void log_softmax_row(const void *x, float *y, int64_t count, icl_dtype dtype) {
  float largest = largest_of(x, count, dtype), all = (float)log((double)sum_of_exp(x, count, largest, dtype));
  for (int64_t i = 0; i < count; i++)
    y[i] = load_one(dtype, x, i) - largest - all;
}

INLINE void softmax_row(const void *x, float *y, int64_t count, icl_dtype dtype) {
  float largest = largest_of(x, count, dtype), sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; i++)
    sum += y[i] = exp_f32(load_one(dtype, x, i) - largest);
  float factor = 1 / sum;
  for (int64_t i = 0; i < count; i++)
    y[i] *= factor;
}

/* - sum target log softmax(x); a class of weight 0 adds nothing, be its logit -inf. */
INLINE float cross_entropy_row(const void *x, const void *target, int64_t count, icl_dtype target_dtype,
                               icl_dtype dtype) {
  float largest = largest_of(x, count, dtype), all = (float)log((double)sum_of_exp(x, count, largest, dtype));
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; i++) {
    float weight = load_one(target_dtype, target, i), term = weight * (all - (load_one(dtype, x, i) - largest));
    sum += weight == 0 ? 0 : (double)term;
  }
  return (float)sum;
}

static void softmax(const icl__call *call) {
  const icl__view *x = &call->in[0], *y = &call->out;
  share own = part_of(call, icl__view_rows(y));
  for (int64_t i = own.begin; i < own.end; i++)
    FOR_FLOATS(x->dtype, softmax_row, row_at(x, i), row_at(y, i), icl__view_columns(y));
}

static void log_softmax(const icl__call *call) {
  const icl__view *x = &call->in[0], *y = &call->out;
  share own = part_of(call, icl__view_rows(y));
  for (int64_t i = own.begin; i < own.end; i++)
    FOR_FLOATS(x->dtype, log_softmax_row, row_at(x, i), row_at(y, i), icl__view_columns(y));
}

static void cross_entropy(const icl__call *call) {
  const icl__view *x = &call->in[0], *target = &call->in[1];
  float *y = call->out.data;
  for (int64_t i = 0; i < call->out.shape[0]; i++) {
    int64_t classes = icl__view_columns(x);
    if (target->dtype == ICL_BF16)
      y[i] = FOR_FLOATS(x->dtype, cross_entropy_row, row_at(x, i), row_at(target, i), classes, ICL_BF16);
    else
      y[i] = FOR_FLOATS(x->dtype, cross_entropy_row, row_at(x, i), row_at(target, i), classes, ICL_F32);
  }
}

bool ISA_NAME(icl__choose_loss)(const icl__call *prototype, icl__choice *choice) {
  bool fits = prototype->out.dtype == ICL_F32;
  for (int i = 0; i < prototype->inputs; i++)
    fits = fits && is_lane_dtype(prototype->in[i].dtype);
  switch (prototype->op) {
  case ICL__OP_softmax:
    *choice = (icl__choice){.run = softmax, .splits = true};
    return fits;
  case ICL__OP_log_softmax:
    *choice = (icl__choice){.run = log_softmax, .splits = true};
    return fits;
  case ICL__OP_cross_entropy:
    choice->run = cross_entropy;
    return fits;
  default:
    return false;
  }
}
