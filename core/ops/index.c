/* index.c - rows chosen by number. Indices count from 0. */
#include "ops/families.h"

static icl_status set_rows(icl__node *node, int32_t rows) {
  const icl__node *x = node->in[0];
  int32_t shape[ICL_MAX_RANK] = {rows};
  for (int axis = 1; axis < x->rank; axis++)
    shape[axis] = x->shape[axis];
  return icl__set_shape(node, x->rank, shape, (icl_dtype)x->dtype);
}

static icl_status check_rows(const icl__node *node, const char *name) {
  if (node->in[0]->rank == 0)
    return icl__shape_error(node, "%s must have an axis of rows, but is a scalar", name);
  return icl__expect_rank(node, 1, 1, "index", "(n)");
}

icl_status icl__infer_gather(icl__node *node) {
  const icl__node *x = node->in[0], *index = node->in[1];
  ICL__TRY(check_rows(node, "x"));
  if (x->shape[0] == 0 && index->shape[0] > 0)
    return icl__shape_error(node, "x has no rows to choose from");
  ICL__TRY(icl__expect_indices(node, x->shape[0], "index"));
  return set_rows(node, index->shape[0]);
}

icl_status icl__infer_gather_grad(icl__node *node) {
  const icl__node *g = node->in[0], *index = node->in[1];
  int32_t size = node->attr.i[GATHER_SIZE];
  ICL__TRY(check_rows(node, "g"));
  ICL__TRY(icl__expect_float(node, 0, "g"));
  ICL__TRY(icl__expect_indices(node, size, "index"));
  if (g->shape[0] != index->shape[0])
    return icl__shape_error(node, "g has %d rows, but index has %d entries", (int)g->shape[0], (int)index->shape[0]);
  return set_rows(node, size);
}

icl_status icl__infer_one_hot(icl__node *node) {
  const icl__node *labels = node->in[0];
  int32_t classes = node->attr.i[ONE_HOT_CLASSES];
  ICL__TRY(icl__expect_rank(node, 0, 1, "labels", "(n)"));
  if (classes < 1)
    return icl__value_error(node, "classes must be at least 1, not %d", (int)classes);
  ICL__TRY(icl__expect_indices(node, classes, "labels"));
  return icl__set_shape(node, 2, (const int32_t[]){labels->shape[0], classes}, ICL_F32);
}

void icl__batch_gather(const icl__facts *facts, icl__batch_rule *rule) {
  (void)facts;
  icl__rule_map(rule, 2, true);
}

icl_status icl__grad_gather(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl_attributes attr = {.i[GATHER_SIZE] = y->in[0]->shape[0]};
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_gather_grad, 2, (icl__node *[]){gy, y->in[1]}, &attr));
}

icl_status icl__grad_gather_grad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  return icl__give(pass, y, 0, icl__g2(pass, ICL__OP_gather, gy, y->in[1]));
}
