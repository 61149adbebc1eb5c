/* sample.c - what is done to the images of a u8 data set on their way into a network: gather, crop, flip, normalise;
 * and rows chosen by number. Rows are moved as bytes, so most of it takes any dtype. */
#include "backend/cpu/kernels/rows.h"
#include "backend/cpu/kernels/vector.h"

#include "ops/attributes.h"
#include "ops/ops.h"

#include <math.h>

/* One position of axis 0, in bytes: rows of `row` bytes, `pitch` apart; the next image begins `step` further. */
typedef struct {
  int64_t rows, row, pitch, step;
} image;

static image image_of(const icl__view *v) {
  int64_t size = (int64_t)icl_dtype_bytes(v->dtype), rows = 1;
  if (v->rank == 1)
    return (image){1, size, size, size};
  for (int d = 1; d < v->rank - 1; d++)
    rows *= v->shape[d];
  return (image){rows, icl__view_columns(v) * size, v->pitch * size, rows * v->pitch * size};
}

static int64_t index_at(const icl__view *index, int64_t i, int64_t size) {
  return within(((const int64_t *)index->data)[i], 0, size - 1);
}

static void gather(const icl__call *call) {
  const icl__view *x = &call->in[0], *index = &call->in[1];
  image from = image_of(x), to = image_of(&call->out);
  for (int64_t i = 0; i < index->shape[0]; i++)
    copy_rows((char *)call->out.data + i * to.step, to.pitch,
              (const char *)x->data + index_at(index, i, x->shape[0]) * from.step, from.pitch, from.rows, from.row);
}

/* ---- gather_grad: for each row of the result, the rows of g that were taken from it, in their order ---- */

/* Chains of numbers of rows of g: first[row of the result], then next[row of g]; -1 ends. */
typedef struct {
  int32_t *first, *next;
} chains;

static size_t chains_bytes(const icl__call *call) {
  return ((size_t)call->out.shape[0] + (size_t)call->in[0].shape[0]) * sizeof(int32_t);
}

static chains make_chains(const icl__call *call) {
  int32_t rows = call->out.shape[0];
  chains c = {call->scratch, (int32_t *)call->scratch + rows};
  for (int32_t r = 0; r < rows; r++)
    c.first[r] = -1;
  for (int32_t i = rows > 0 ? call->in[1].shape[0] - 1 : -1; i >= 0; i--) {
    int64_t r = index_at(&call->in[1], i, rows);
    c.next[i] = c.first[r];
    c.first[r] = i;
  }
  return c;
}

/* The sum of the rows of a chain, whose row 0 would lie at `g`. */
INLINE void add_chain(const chains *c, int32_t first, const char *g, int64_t step, char *y, int64_t count,
                      icl_dtype dtype) {
  for (int64_t k = 0; k < count; k += LANES) {
    int64_t lanes = count - k < LANES ? count - k : LANES;
    vec sum = {0};
    for (int32_t i = first; i >= 0; i = c->next[i])
      sum += load_part(dtype, g + i * step, k, lanes);
    store_part(dtype, y, k, lanes, sum);
  }
}

INLINE void gather_grad_of(const icl__call *call, icl_dtype dtype) {
  image from = image_of(&call->in[0]), to = image_of(&call->out);
  chains c = make_chains(call);
  share own = part_of(call, call->out.shape[0]);
  for (int64_t r = own.begin; r < own.end; r++)
    for (int64_t row = 0; row < to.rows; row++)
      add_chain(&c, c.first[r], (const char *)call->in[0].data + row * from.pitch, from.step,
                (char *)call->out.data + r * to.step + row * to.pitch, to.row / (int64_t)icl_dtype_bytes(dtype), dtype);
}

static void gather_grad(const icl__call *call) { FOR_FLOATS(call->out.dtype, gather_grad_of, call); }

static void one_hot(const icl__call *call) {
  const icl__view *out = &call->out;
  for (int64_t i = 0; i < out->shape[0]; i++) {
    float *row = row_at(out, i);
    int64_t label = ((const int64_t *)call->in[0].data)[i];
    bool is_class = label >= 0 && label < out->shape[1];
    for (int32_t k = 0; k < out->shape[1]; k++)
      row[k] = is_class ? 0 : NAN;
    if (is_class)
      row[label] = 1;
  }
}

/* ---- crop ---- */

static void fill_rows(uint8_t *to, int64_t pitch, int64_t rows, int64_t bytes, int byte) {
  if (pitch == bytes) {
    bytes *= rows;
    rows = 1;
  }
  for (int64_t i = 0; i < rows; i++)
    memset(to + i * pitch, byte, (size_t)bytes);
}

/* The rows of views are pixels. */
static void crop(const icl__call *call) {
  const icl__view *x = &call->in[0], *out = &call->out;
  const int32_t *padding = &call->attr->i[CROP_PADDING_H];
  int32_t height = x->shape[1], width = x->shape[2], to_height = out->shape[1], to_width = out->shape[2];
  int fill = call->attr->i[CROP_FILL];
  for (int64_t n = 0; n < out->shape[0]; n++) {
    const int64_t *offset = row_at(&call->in[1], n);
    int64_t top = within(offset[0], 0, height + 2 * (int64_t)padding[0] - to_height) - padding[0];
    int64_t left = within(offset[1], 0, width + 2 * (int64_t)padding[1] - to_width) - padding[1];
    int64_t begin = within(-left, 0, to_width), end = within(width - left, begin, to_width); /* columns within x */
    for (int64_t i = 0; i < to_height; i++) {
      uint8_t *to = row_at(out, (n * to_height + i) * to_width);
      bool inside = top + i >= 0 && top + i < height && begin < end;
      int64_t first = inside ? begin : to_width, behind = inside ? end : to_width;
      fill_rows(to, out->pitch, first, out->shape[3], fill);
      if (inside)
        copy_rows(to + begin * out->pitch, out->pitch, row_at(x, (n * height + top + i) * width + left + begin),
                  x->pitch, end - begin, x->shape[3]);
      fill_rows(to + behind * out->pitch, out->pitch, to_width - behind, out->shape[3], fill);
    }
  }
}

/* ---- flip ---- */

INLINE void mirror_pixels(char *to, int64_t to_pitch, const char *from, int64_t from_pitch, int64_t width,
                          int64_t bytes) {
  for (int64_t i = 0; i < width; i++)
    memcpy(to + i * to_pitch, from + (width - 1 - i) * from_pitch, (size_t)bytes);
}

static void mirror_row(char *to, int64_t to_pitch, const char *from, int64_t from_pitch, int64_t width, int64_t bytes) {
  switch (bytes) { /* where the size is a constant there are no calls */
#define MIRROR(size)                                                                                                   \
  case size:                                                                                                           \
    mirror_pixels(to, to_pitch, from, from_pitch, width, size);                                                        \
    break;
    MIRROR(1)
    MIRROR(3)
    MIRROR(4)
    MIRROR(6)
    MIRROR(12)
#undef MIRROR
  default:
    mirror_pixels(to, to_pitch, from, from_pitch, width, bytes);
  }
}

static void flip(const icl__call *call) {
  const icl__view *x = &call->in[0], *out = &call->out;
  const uint8_t *which = call->in[1].data;
  int64_t size = (int64_t)icl_dtype_bytes(x->dtype), height = x->shape[1], width = x->shape[2];
  int64_t from_pitch = x->pitch * size, to_pitch = out->pitch * size, bytes = x->shape[3] * size;
  for (int64_t n = 0; n < x->shape[0]; n++) {
    char *to = row_at(out, n * height * width);
    const char *from = row_at(x, n * height * width);
    if (!which[n])
      copy_rows(to, to_pitch, from, from_pitch, height * width, bytes);
    for (int64_t i = 0; which[n] && i < height; i++)
      mirror_row(to + i * width * to_pitch, to_pitch, from + i * width * from_pitch, from_pitch, width, bytes);
  }
}

/* ---- normalize: a table of the 256 results for each channel ---- */

static size_t table_bytes(const icl__call *call) {
  return (size_t)icl__view_columns(&call->out) * 256 * icl_dtype_bytes(call->out.dtype);
}

/* The same operations as in the reference, so that the results are the same numbers. */
static void make_table(const icl__call *call) {
  const double *mean = call->in[1].data, *std = call->in[2].data;
  size_t size = icl_dtype_bytes(call->out.dtype);
  for (int64_t k = 0; k < icl__view_columns(&call->out); k++) {
    double values[256];
    for (int byte = 0; byte < 256; byte++)
      values[byte] = ((double)((float)byte / 255.0f) - mean[k]) / std[k];
    icl__convert(ICL_F64, values, call->out.dtype, (char *)call->scratch + (size_t)k * 256 * size, 256);
  }
}

#define LOOK_UP(type)                                                                                                  \
  INLINE void look_up_##type(const uint8_t *x, int64_t x_pitch, type *y, int64_t y_pitch, int64_t pixels,              \
                             int64_t channels, const type *table) {                                                    \
    for (int64_t i = 0; i < pixels; i++)                                                                               \
      for (int64_t k = 0; k < channels; k++)                                                                           \
        y[i * y_pitch + k] = table[k * 256 + x[i * x_pitch + k]];                                                      \
  }                                                                                                                    \
  static void normalize_##type(const icl__call *call) {                                                                \
    const icl__view *x = &call->in[0], *y = &call->out;                                                                \
    int64_t pixels = icl__view_rows(y), channels = icl__view_columns(y);                                               \
    make_table(call);                                                                                                  \
    if (channels == 3 && is_dense(x) && is_dense(y))                                                                   \
      look_up_##type(x->data, 3, y->data, 3, pixels, 3, call->scratch);                                                \
    else if (channels == 1 && is_dense(x) && is_dense(y))                                                              \
      look_up_##type(x->data, 1, y->data, 1, pixels, 1, call->scratch);                                                \
    else                                                                                                               \
      look_up_##type(x->data, x->pitch, y->data, y->pitch, pixels, channels, call->scratch);                           \
  }
LOOK_UP(uint16_t)
LOOK_UP(uint32_t)
LOOK_UP(uint64_t)

bool ISA_NAME(icl__choose_sample)(const icl__call *prototype, icl__choice *choice) {
  switch (prototype->op) {
  case ICL__OP_gather:
    choice->run = gather;
    return true;
  case ICL__OP_gather_grad:
    *choice = (icl__choice){gather_grad, chains_bytes(prototype), true};
    return is_lane_dtype(prototype->out.dtype);
  case ICL__OP_one_hot:
    choice->run = one_hot;
    return true;
  case ICL__OP_crop:
    choice->run = crop;
    return true;
  case ICL__OP_flip:
    choice->run = flip;
    return true;
  case ICL__OP_normalize: {
    size_t size = icl_dtype_bytes(prototype->out.dtype);
    choice->run = size == 2 ? normalize_uint16_t : size == 4 ? normalize_uint32_t : normalize_uint64_t;
    choice->workspace = table_bytes(prototype);
    return true;
  }
  default:
    return false;
  }
}
