/* index.c - reference kernels of ops that take positions as tensors: indices and labels. One outside the axis is
 * clamped to it. */
#include "backend/ref/ref.h"

#include <math.h>
#include <string.h>

/* Elements of a row x[i] of x (m, ...). */
static int64_t row_size(const icl__view *x) {
  int64_t size = 1;
  for (int d = 1; d < x->rank; d++)
    size *= x->shape[d];
  return size;
}

void icl__ref_gather(const icl__call *call) {
  const icl__view *x = &call->in[0], *index = &call->in[1];
  int64_t size = row_size(x);
  for (int64_t i = 0; i < index->shape[0]; i++)
    memcpy(values(&call->out) + i * size, values(x) + clamp(values(index)[i], 0, x->shape[0] - 1) * size,
           (size_t)size * sizeof(double));
}

void icl__ref_gather_grad(const icl__call *call) {
  const icl__view *g = &call->in[0], *index = &call->in[1], *out = &call->out;
  int64_t size = row_size(g);
  fill(out, 0);
  for (int64_t i = 0; i < index->shape[0]; i++)
    for (int64_t k = 0; k < size; k++)
      values(out)[clamp(values(index)[i], 0, out->shape[0] - 1) * size + k] += values(g)[i * size + k];
}

void icl__ref_one_hot(const icl__call *call) {
  int32_t classes = call->out.shape[1];
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    double label = values(&call->in[0])[i / classes];
    values(&call->out)[i] = label < 0 || label >= classes ? (double)NAN : i % classes == label;
  }
}
