/* along.c - what goes along one axis: running sums, order, elements chosen by their position. */
#include "ops/families.h"

/* ---- cumsum ---- */

icl_status icl__infer_cumsum(icl__node *node) {
  const icl__node *x = node->in[0];
  ICL__TRY(icl__expect_axis(node, ALONG_DIM, x->rank));
  return icl__set_shape(node, x->rank, x->shape, icl__sum_dtype((icl_dtype)x->dtype));
}

/* An element is in the sums from its position on, so its gradient is the sum from there on. */
icl_status icl__grad_cumsum(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl_attributes attr = y->attr;
  attr.i[CUMSUM_REVERSE] = !attr.i[CUMSUM_REVERSE];
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_cumsum, 1, &gy, &attr));
}

/* ---- argsort ---- */

/* A length of -1 stays, so that it means all positions of a batch of any size. */
icl_status icl__infer_argsort(icl__node *node) {
  ICL__TRY(icl__expect_axis(node, ALONG_DIM, node->in[0]->rank));
  int32_t dim = node->attr.i[ALONG_DIM], length = node->attr.i[ARGSORT_LENGTH], size = node->in[0]->shape[dim];
  if (length < -1 || length > size)
    return icl__value_error(node, "length must be from 0 to %d, the size of axis %d, or -1 for all, not %d", (int)size,
                            (int)dim, (int)length);
  return icl__set_size(node, dim, length < 0 ? size : length, ICL_I64);
}

/* ---- gather_along ---- */

/* The first input, called `name`, and index are of one shape but for the axis; sets dim to count from 0. */
static icl_status check_index(icl__node *node, int32_t limit, bool equal, const char *name) {
  const icl__node *x = node->in[0], *index = node->in[1];
  int32_t dim = node->attr.i[ALONG_DIM];
  bool fits = index->rank == x->rank;
  for (int axis = 0; fits && axis < x->rank; axis++)
    fits = (axis == dim && !equal) || index->shape[axis] == x->shape[axis];
  if (!fits && equal)
    return icl__shape_error(node, "index must be of the shape of %s", name);
  if (!fits)
    return icl__shape_error(node, "index must be of the shape of %s but for axis %d", name, (int)dim);
  if (limit == 0 && icl__node_count(index) > 0)
    return icl__shape_error(node, "axis %d has no positions to choose from", (int)dim);
  return icl__expect_indices(node, limit, "index");
}

icl_status icl__infer_gather_along(icl__node *node) {
  const icl__node *x = node->in[0];
  ICL__TRY(icl__expect_axis(node, ALONG_DIM, x->rank));
  int32_t dim = node->attr.i[ALONG_DIM];
  ICL__TRY(check_index(node, x->shape[dim], false, "x"));
  return icl__set_shape(node, x->rank, node->in[1]->shape, (icl_dtype)x->dtype);
}

icl_status icl__infer_gather_along_grad(icl__node *node) {
  ICL__TRY(icl__expect_axis(node, ALONG_DIM, node->in[0]->rank));
  ICL__TRY(icl__expect_float(node, 0, "g"));
  int32_t dim = node->attr.i[ALONG_DIM], size = node->attr.i[GATHER_ALONG_SIZE];
  if (size < 0)
    return icl__value_error(node, "size must be at least 0, not %d", (int)size);
  ICL__TRY(check_index(node, size, true, "g"));
  return icl__set_size(node, dim, size, (icl_dtype)node->in[0]->dtype);
}

icl_status icl__grad_gather_along(icl__gradient *pass, icl__node *y, icl__node *gy) {
  int dim = y->attr.i[ALONG_DIM];
  icl_attributes attr = {.i = {[ALONG_DIM] = dim, [GATHER_ALONG_SIZE] = y->in[0]->shape[dim]}};
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_gather_along_grad, 2, (icl__node *[]){gy, y->in[1]}, &attr));
}

icl_status icl__grad_gather_along_grad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl_attributes attr = {.i[ALONG_DIM] = y->attr.i[ALONG_DIM]};
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_gather_along, 2, (icl__node *[]){gy, y->in[1]}, &attr));
}

/* ---- batch ---- */

void icl__batch_along(const icl__facts *facts, icl__batch_rule *rule) {
  if (facts->attr->i[ALONG_DIM] == 0)
    icl__rule_global(rule);
  else
    icl__rule_map(rule, (1u << facts->inputs) - 1, false);
}
