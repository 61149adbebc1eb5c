/* along.c - reference kernels of what goes along one axis: running sums, order, elements chosen by their position. An
 * index outside the axis is clamped to it. */
#include "backend/ref/ref.h"

/* Series along an axis; `v` has no elements where it has none. */
static int64_t series_count(const icl__view *v, int dim) {
  return v->shape[dim] ? icl__view_count(v) / v->shape[dim] : 0;
}

void icl__ref_cumsum(const icl__call *call) {
  const icl__view *x = &call->in[0];
  int dim = call->attr->i[ALONG_DIM];
  int64_t step = stride_of(x, dim), size = x->shape[dim];
  bool reverse = call->attr->i[CUMSUM_REVERSE];
  for (int64_t i = 0; i < series_count(x, dim); i++) {
    const double *from = series_at(x, dim, i);
    double *to = series_at(&call->out, dim, i), sum = 0;
    for (int64_t k = 0; k < size; k++) {
      int64_t at = (reverse ? size - 1 - k : k) * step;
      sum += from[at];
      to[at] = sum;
    }
  }
}

/* ---- argsort: a heap of the first positions of the order, the last of them on top ---- */

typedef struct {
  const double *x; /* a series */
  double *y;       /* the heap: positions in it */
  int64_t step;    /* of both */
  bool descending;
} heap;

/* Equals are in the order of their positions. */
static bool comes_before(const heap *h, double a, double b) {
  double x = h->x[(int64_t)a * h->step], other = h->x[(int64_t)b * h->step];
  if (is_larger(x, other) || is_larger(other, x))
    return is_larger(x, other) == h->descending;
  return a < b;
}

/* Entry i sinks to its place among the first `count`. */
static void sink(const heap *h, int64_t i, int64_t count) {
  for (int64_t child; (child = 2 * i + 1) < count; i = child) {
    double *entry = h->y + i * h->step, *other = h->y + child * h->step, old = *entry;
    if (child + 1 < count && comes_before(h, *other, other[h->step])) {
      child++;
      other += h->step;
    }
    if (!comes_before(h, old, *other))
      return;
    *entry = *other;
    *other = old;
  }
}

static void sort(const heap *h, int64_t size, int64_t length) {
  for (int64_t i = 0; i < length; i++)
    h->y[i * h->step] = (double)i;
  for (int64_t i = length / 2; i-- > 0;)
    sink(h, i, length);
  for (int64_t i = length; length > 0 && i < size; i++)
    if (comes_before(h, (double)i, h->y[0])) {
      h->y[0] = (double)i;
      sink(h, 0, length);
    }
  for (int64_t last = length - 1; last > 0; last--) {
    double top = h->y[0];
    h->y[0] = h->y[last * h->step];
    h->y[last * h->step] = top;
    sink(h, 0, last);
  }
}

void icl__ref_argsort(const icl__call *call) {
  const icl__view *x = &call->in[0], *out = &call->out;
  int dim = call->attr->i[ALONG_DIM];
  for (int64_t i = 0; i < series_count(out, dim); i++) {
    heap h = {series_at(x, dim, i), series_at(out, dim, i), stride_of(x, dim), call->attr->i[ARGSORT_DESCENDING]};
    sort(&h, x->shape[dim], out->shape[dim]);
  }
}

/* ---- gather_along ---- */

void icl__ref_gather_along(const icl__call *call) {
  const icl__view *x = &call->in[0], *index = &call->in[1], *out = &call->out;
  int dim = call->attr->i[ALONG_DIM];
  int64_t step = stride_of(x, dim);
  for (int64_t i = 0; i < series_count(out, dim); i++) {
    const double *from = series_at(x, dim, i), *at = series_at(index, dim, i);
    double *to = series_at(out, dim, i);
    for (int64_t k = 0; k < out->shape[dim]; k++)
      to[k * step] = from[clamp(at[k * step], 0, x->shape[dim] - 1) * step];
  }
}

void icl__ref_gather_along_grad(const icl__call *call) {
  const icl__view *g = &call->in[0], *index = &call->in[1], *out = &call->out;
  int dim = call->attr->i[ALONG_DIM];
  int64_t step = stride_of(g, dim);
  fill(out, 0);
  for (int64_t i = 0; i < series_count(g, dim); i++) {
    const double *from = series_at(g, dim, i), *at = series_at(index, dim, i);
    double *to = series_at(out, dim, i);
    for (int64_t k = 0; k < g->shape[dim]; k++)
      to[clamp(at[k * step], 0, out->shape[dim] - 1) * step] += from[k * step];
  }
}
