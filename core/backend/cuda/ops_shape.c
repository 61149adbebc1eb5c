/* ops_shape.c - ops that only move elements: each is a move (kernels.h), with as few axes and as wide elements as its
 * shapes allow. */
#include "backend/cuda/ops.h"

#include <string.h>

#include "base/dtype.h"
#include "ops/attributes.h"

enum { WIDEST = 16 };

/* ---- a move ---- */

/* Of all of `shape`, from and to dense arrays of that shape. */
static icl__cuda_move whole(const icl__view *shape, const void *from, void *to) {
  icl__cuda_move m = {.rank = shape->rank, .axis = -1, .from = from, .to = to};
  for (int d = 0; d < m.rank; d++)
    m.size[d] = m.extent[d] = shape->shape[d];
  icl__cuda_strides(shape, m.rank, shape->shape, m.from_stride);
  icl__cuda_strides(shape, m.rank, shape->shape, m.to_stride);
  return m;
}

/* Is axis d copied as it is? */
static bool is_plain(const icl__cuda_move *m, int d) {
  return d != m->axis && m->low[d] == 0 && m->extent[d] == m->size[d];
}

/* May axis d take in the one behind it? */
static bool merges(const icl__cuda_move *m, int d) {
  int32_t inner = m->size[d + 1];
  bool fits =
      icl__cuda_fits(m->size[d], inner) && icl__cuda_fits(m->low[d], inner) && icl__cuda_fits(m->extent[d], inner);
  return fits && d != m->axis && is_plain(m, d + 1) && m->from_stride[d] == m->from_stride[d + 1] * inner &&
         m->to_stride[d] == m->to_stride[d + 1] * inner;
}

static void merge(icl__cuda_move *m, int d) {
  int32_t inner = m->size[d + 1];
  m->size[d] *= inner;
  m->low[d] *= inner;
  m->extent[d] *= inner;
  m->from_stride[d] = m->from_stride[d + 1];
  m->to_stride[d] = m->to_stride[d + 1];
  m->rank--;
  m->axis -= m->axis > d;
  for (int i = d + 1; i < m->rank; i++) {
    m->size[i] = m->size[i + 1];
    m->low[i] = m->low[i + 1];
    m->extent[i] = m->extent[i + 1];
    m->from_stride[i] = m->from_stride[i + 1];
    m->to_stride[i] = m->to_stride[i + 1];
  }
}

void icl__cuda_merge_move(icl__cuda_move *m) {
  for (int d = m->rank - 2; d >= 0; d--)
    if (merges(m, d))
      merge(m, d);
}

/* Do two elements move as one? */
static bool widens(const icl__cuda_move *m, int bytes) {
  int last = m->rank - 1;
  bool good = m->rank && bytes < WIDEST && last != m->axis && m->from_stride[last] == 1 && m->to_stride[last] == 1 &&
              m->size[last] % 2 == 0 && m->low[last] % 2 == 0 && m->extent[last] % 2 == 0 &&
              (uintptr_t)m->from % (2 * (size_t)bytes) == 0 && (uintptr_t)m->to % (2 * (size_t)bytes) == 0 &&
              (2 * bytes < WIDEST || m->fill == 0);
  for (int d = 0; d < last; d++)
    good = good && m->from_stride[d] % 2 == 0 && m->to_stride[d] % 2 == 0;
  return good;
}

static void widen(icl__cuda_move *m, int bytes) {
  int last = m->rank - 1;
  m->size[last] /= 2;
  m->low[last] /= 2;
  m->extent[last] /= 2;
  for (int d = 0; d < last; d++) {
    m->from_stride[d] /= 2;
    m->to_stride[d] /= 2;
  }
  m->fill |= bytes < 8 ? m->fill << 8 * bytes : 0;
}

static cudaError_t move(icl__cuda_op *op, icl__cuda_move m) {
  int bytes = (int)icl_dtype_bytes(op->call->out.dtype);
  for (int d = 0; d < m.rank; d++)
    if (m.size[d] == 0)
      return cudaSuccess;
  icl__cuda_merge_move(&m);
  for (; widens(&m, bytes); bytes *= 2)
    widen(&m, bytes);
  return icl__cuda_move_elements(&m, bytes, op->stream);
}

/* ---- ops ---- */

ICL__CUDA_OP(reshape) {
  size_t bytes = (size_t)icl__view_count(&op->call->out) * icl_dtype_bytes(op->call->out.dtype);
  return cudaMemcpyAsync(op->call->out.data, op->call->in[0].data, bytes, cudaMemcpyDeviceToDevice, op->stream);
}

/* Swaps two axes of a move of all elements, which does not mind. */
static void swap(icl__cuda_move *m, int a, int b) {
  icl__cuda_move old = *m;
  m->size[a] = old.size[b], m->size[b] = old.size[a];
  m->from_stride[a] = old.from_stride[b], m->from_stride[b] = old.from_stride[a];
  m->to_stride[a] = old.to_stride[b], m->to_stride[b] = old.to_stride[a];
}

/* Brings a move of all elements into the form of icl__cuda_move_turned. False if that would be no gain: an axis is
 * dense on both sides, or so short that what is read here and there lies together after all. */
static bool turn(icl__cuda_move *m) {
  enum { SHORT = 16 };
  icl__cuda_merge_move(m);
  int last = m->rank - 1, dense = last;
  while (dense >= 0 && m->from_stride[dense] != 1)
    dense--;
  if (dense < 0 || dense == last || m->size[dense] < SHORT || m->size[last] < SHORT)
    return false;
  swap(m, dense, last - 1);
  swap(m, last - 1, last);
  return true;
}

ICL__CUDA_OP(permute) {
  const icl__view *x = &op->call->in[0], *y = &op->call->out;
  icl__cuda_move m = {.axis = -1, .from = x->data, .to = y->data};
  int64_t from[ICL_MAX_RANK], to[ICL_MAX_RANK];
  icl__cuda_strides(x, x->rank, x->shape, from);
  icl__cuda_strides(y, y->rank, y->shape, to);
  for (int d = 0; d < y->rank; d++) {
    if (y->shape[d] == 1)
      continue;
    m.size[m.rank] = m.extent[m.rank] = y->shape[d];
    m.from_stride[m.rank] = from[op->call->attr->i[PERMUTE_DIMS + 1 + d]];
    m.to_stride[m.rank++] = to[d];
  }
  if (turn(&m))
    return icl__cuda_move_turned(&m, (int)icl_dtype_bytes(y->dtype), op->stream);
  return move(op, m);
}

/* The smaller `part` lies within `whole_view` from `first` on along axis `dim`, to be cut out of it or put into it. */
static cudaError_t cut(icl__cuda_op *op, int dim, int64_t first, const int64_t *shift) {
  const icl__view *x = &op->call->in[0], *y = &op->call->out;
  icl__cuda_move m = whole(y, x->data, y->data);
  icl__cuda_strides(x, x->rank, x->shape, m.from_stride);
  m.low[dim] = -(int32_t)first;
  m.extent[dim] = x->shape[dim];
  m.axis = shift ? dim : -1;
  m.shift = shift;
  m.shift_limit = x->shape[dim] - y->shape[dim];
  m.backwards = true;
  return move(op, m);
}

ICL__CUDA_OP(concat_part) {
  const int32_t *attr = op->call->attr->i;
  return cut(op, attr[PART_DIM], attr[PART_FIRST], NULL);
}

ICL__CUDA_OP(narrow) { return cut(op, op->call->attr->i[NARROW_DIM], 0, op->call->in[1].data); }

ICL__CUDA_OP(narrow_grad) {
  const icl__view *g = &op->call->in[0], *y = &op->call->out;
  int dim = op->call->attr->i[NARROW_DIM];
  icl__cuda_move m = whole(y, g->data, y->data);
  icl__cuda_strides(g, g->rank, g->shape, m.from_stride);
  m.extent[dim] = g->shape[dim];
  m.axis = dim;
  m.shift = op->call->in[1].data;
  m.shift_limit = y->shape[dim] - g->shape[dim];
  return move(op, m);
}

ICL__CUDA_OP(pad) {
  const icl__view *x = &op->call->in[0], *y = &op->call->out;
  icl__cuda_move m = whole(y, x->data, y->data);
  icl__cuda_strides(x, x->rank, x->shape, m.from_stride);
  for (int d = 0; d < m.rank; d++) {
    m.low[d] = op->call->attr->i[PAD_LOW + 1 + d];
    m.extent[d] = x->shape[d];
  }
  icl__store_f64(y->dtype, &m.fill, 0, op->call->attr->f[PAD_F_VALUE]);
  return move(op, m);
}

/* Each input goes to its part of the result. */
ICL__CUDA_OP(concat) {
  const icl__view *y = &op->call->out;
  int dim = op->call->attr->i[CONCAT_DIM];
  int64_t stride[ICL_MAX_RANK], first = 0;
  cudaError_t error = cudaSuccess;
  icl__cuda_strides(y, y->rank, y->shape, stride);
  for (int k = 0; k < op->call->inputs && error == cudaSuccess; k++) {
    const icl__view *x = &op->call->in[k];
    char *to = (char *)y->data + (size_t)(first * stride[dim]) * icl_dtype_bytes(y->dtype);
    icl__cuda_move m = whole(x, x->data, to);
    memcpy(m.to_stride, stride, sizeof stride);
    error = move(op, m);
    first += x->shape[dim];
  }
  return error;
}
