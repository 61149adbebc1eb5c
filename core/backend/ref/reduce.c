/* reduce.c - reference kernels of reductions and of their counterpart, repetition. */
#include "backend/ref/ref.h"

#include <math.h>

/* The shape that x is reduced to, with size 1 along the axes of `dims`: x is then the output, repeated. */
static icl__view kept_axes(const icl__call *call) {
  icl__view v = call->in[0];
  const int32_t *dims = call->attr->i + REDUCE_DIMS;
  for (int i = 0; i < dims[0]; i++)
    v.shape[dims[1 + i]] = 1;
  v.data = call->out.data;
  return v;
}

static void add_up(const icl__view *x, const icl__view *sums) {
  int32_t at[ICL_MAX_RANK] = {0};
  fill(sums, 0);
  for (int64_t i = 0; i < icl__view_count(x); i++, step(x->rank, x->shape, at))
    values(sums)[broadcast_index(sums, x->rank, at)] += values(x)[i];
}

void icl__ref_sum(const icl__call *call) {
  icl__view sums = kept_axes(call);
  add_up(&call->in[0], &sums);
}

void icl__ref_sum_to(const icl__call *call) { add_up(&call->in[0], &call->out); }

void icl__ref_max(const icl__call *call) {
  const icl__view *x = &call->in[0];
  icl__view largest = kept_axes(call);
  int32_t at[ICL_MAX_RANK] = {0};
  fill(&largest, -HUGE_VAL);
  for (int64_t i = 0; i < icl__view_count(x); i++, step(x->rank, x->shape, at)) {
    double *y = values(&largest) + broadcast_index(&largest, x->rank, at);
    if (is_larger(values(x)[i], *y))
      *y = values(x)[i];
  }
}

void icl__ref_argmax(const icl__call *call) {
  const icl__view *x = &call->in[0];
  int dim = call->attr->i[ARGMAX_DIM];
  int64_t step = stride_of(x, dim);
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    const double *series = series_at(x, dim, i);
    int32_t largest = 0;
    for (int32_t k = 1; k < x->shape[dim]; k++)
      if (is_larger(series[k * step], series[largest * step]))
        largest = k;
    values(&call->out)[i] = largest;
  }
}

void icl__ref_broadcast_to(const icl__call *call) {
  const icl__view *out = &call->out;
  int32_t at[ICL_MAX_RANK] = {0};
  for (int64_t i = 0; i < icl__view_count(out); i++, step(out->rank, out->shape, at))
    values(out)[i] = values(&call->in[0])[broadcast_index(&call->in[0], out->rank, at)];
}
