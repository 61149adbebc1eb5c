/* sample.c - reference kernels on samples of a u8 data set. */
#include "backend/ref/ref.h"

/* The window of each image that begins at `offset` of the padded image; an offset that leaves no whole window is moved
 * to the nearest that does. */
void icl__ref_crop(const icl__call *call) {
  const icl__view *x = &call->in[0], *out = &call->out;
  const int32_t *attr = call->attr->i;
  int32_t at[ICL_MAX_RANK] = {0};
  for (int64_t i = 0; i < icl__view_count(out); i++, step(out->rank, out->shape, at)) {
    const double *offset = values(&call->in[1]) + at[0] * 2;
    int64_t top = clamp(offset[0], 0, x->shape[1] + 2 * attr[CROP_PADDING_H] - out->shape[1]);
    int64_t left = clamp(offset[1], 0, x->shape[2] + 2 * attr[CROP_PADDING_W] - out->shape[2]);
    int64_t row = top + at[1] - attr[CROP_PADDING_H], column = left + at[2] - attr[CROP_PADDING_W];
    bool inside = row >= 0 && row < x->shape[1] && column >= 0 && column < x->shape[2];
    values(out)[i] = inside ? values(x)[((at[0] * x->shape[1] + row) * x->shape[2] + column) * x->shape[3] + at[3]]
                            : attr[CROP_FILL];
  }
}

void icl__ref_flip(const icl__call *call) {
  const icl__view *x = &call->in[0];
  int32_t width = x->shape[2], at[ICL_MAX_RANK] = {0};
  for (int64_t i = 0; i < icl__view_count(x); i++, step(x->rank, x->shape, at)) {
    int64_t mirrored = i + (width - 1 - 2 * (int64_t)at[2]) * x->shape[3];
    values(&call->out)[i] = values(x)[values(&call->in[1])[at[0]] != 0 ? mirrored : i];
  }
}

/* The division by 255 is rounded to f32, as image libraries do it. */
void icl__ref_normalize(const icl__call *call) {
  int64_t c = icl__view_columns(&call->out);
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    double x = (double)((float)values(&call->in[0])[i] / 255.0f);
    values(&call->out)[i] = (x - values(&call->in[1])[i % c]) / values(&call->in[2])[i % c];
  }
}
