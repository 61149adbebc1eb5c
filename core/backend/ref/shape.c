/* shape.c - reference kernels of ops that only move elements. */
#include "backend/ref/ref.h"

#include <string.h>

/* Copies between `part` and the range of axis `dim` of `whole` that begins at `first`. */
static void copy_range(const icl__view *whole, const icl__view *part, int dim, int64_t first, bool to_whole) {
  int64_t stride = stride_of(whole, dim), length = part->shape[dim] * stride, line = whole->shape[dim] * stride;
  for (int64_t i = 0; length > 0 && i < icl__view_count(part) / length; i++) {
    double *w = values(whole) + i * line + first * stride, *p = values(part) + i * length;
    memcpy(to_whole ? w : p, to_whole ? p : w, (size_t)length * sizeof(double));
  }
}

void icl__ref_reshape(const icl__call *call) {
  memcpy(call->out.data, call->in[0].data, (size_t)icl__view_count(&call->out) * sizeof(double));
}

void icl__ref_permute(const icl__call *call) {
  const icl__view *out = &call->out;
  const int32_t *dims = call->attr->i + PERMUTE_DIMS + 1;
  int32_t at[ICL_MAX_RANK] = {0};
  for (int64_t i = 0; i < icl__view_count(out); i++, step(out->rank, out->shape, at)) {
    int64_t index = 0;
    for (int d = 0; d < out->rank; d++)
      index += at[d] * stride_of(&call->in[0], dims[d]);
    values(out)[i] = values(&call->in[0])[index];
  }
}

void icl__ref_pad(const icl__call *call) {
  const icl__view *x = &call->in[0], *out = &call->out;
  const int32_t *low = call->attr->i + PAD_LOW + 1;
  int32_t at[ICL_MAX_RANK] = {0};
  for (int64_t i = 0; i < icl__view_count(out); i++, step(out->rank, out->shape, at)) {
    int64_t index = 0;
    bool inside = true;
    for (int d = 0; d < out->rank; d++) {
      inside = inside && at[d] >= low[d] && at[d] - low[d] < x->shape[d];
      index += (at[d] - low[d]) * stride_of(x, d);
    }
    values(out)[i] = inside ? values(x)[index] : call->attr->f[PAD_F_VALUE];
  }
}

void icl__ref_concat(const icl__call *call) {
  int dim = call->attr->i[CONCAT_DIM];
  int64_t first = 0;
  for (int k = 0; k < call->inputs; first += call->in[k++].shape[dim])
    copy_range(&call->out, &call->in[k], dim, first, true);
}

void icl__ref_concat_part(const icl__call *call) {
  copy_range(&call->in[0], &call->out, call->attr->i[PART_DIM], call->attr->i[PART_FIRST], false);
}

void icl__ref_narrow(const icl__call *call) {
  const icl__view *x = &call->in[0];
  int dim = call->attr->i[NARROW_DIM];
  int64_t first = clamp(values(&call->in[1])[0], 0, x->shape[dim] - call->out.shape[dim]);
  copy_range(x, &call->out, dim, first, false);
}

void icl__ref_narrow_grad(const icl__call *call) {
  const icl__view *g = &call->in[0];
  int dim = call->attr->i[NARROW_DIM];
  fill(&call->out, 0);
  copy_range(&call->out, g, dim, clamp(values(&call->in[1])[0], 0, call->out.shape[dim] - g->shape[dim]), true);
}
