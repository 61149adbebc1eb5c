/* random.c - draws from the counter-based generator, and dropout.
 *
 * A draw depends on its key, on the image (its id, or its number in the batch) and on the element within the image. */
#include "ops/families.h"

static icl_status expect_key(const icl__node *node, int i) {
  ICL__TRY(icl__expect_dtype(node, i, ICL_I64, "key"));
  if (icl__shape_is(node->in[i], 1, (const int32_t[]){4}))
    return ICL_OK;
  return icl__shape_error(node, "key must be (4): seed low, seed high, a, b");
}

static icl_status expect_probability(const icl__node *node, int i) {
  ICL__TRY(icl__expect_float(node, i, "p"));
  return icl__expect_one(node, i, "p");
}

/* The input that may hold ids. */
static int id_input(int op) { return op == ICL__OP_dropout ? 3 : op == ICL__OP_bernoulli ? 2 : 1; }

/* Ids of a draw of this shape, if there are any. */
static icl_status expect_ids(const icl__node *node, int rank, const int32_t *shape) {
  int id = id_input(node->op);
  if (node->inputs <= id)
    return ICL_OK;
  ICL__TRY(icl__expect_dtype(node, id, ICL_I64, "id"));
  if (rank > 0 && icl__shape_is(node->in[id], 1, shape))
    return ICL_OK;
  return icl__shape_error(node, "id must be (n), one for each of the images that axis 0 of the shape counts");
}

static icl_status infer_draw(icl__node *node, icl_dtype dtype) {
  const int32_t *shape;
  int rank = icl__list(&node->attr, TARGET_SHAPE, &shape);
  ICL__TRY(expect_key(node, 0));
  ICL__TRY(icl__set_shape(node, rank, shape, dtype));
  return expect_ids(node, rank, shape);
}

icl_status icl__infer_draw(icl__node *node) { return infer_draw(node, ICL_F32); }

icl_status icl__infer_bernoulli(icl__node *node) {
  ICL__TRY(expect_probability(node, 1));
  return infer_draw(node, ICL_BOOL);
}

icl_status icl__infer_randint(icl__node *node) {
  int32_t low = node->attr.i[RANDINT_LOW], high = node->attr.i[RANDINT_HIGH];
  if (low > high)
    return icl__value_error(node, "low must be at most high, but %d > %d", (int)low, (int)high);
  return infer_draw(node, ICL_I64);
}

icl_status icl__infer_dropout(icl__node *node) {
  const icl__node *x = node->in[0];
  ICL__TRY(icl__expect_float(node, 0, "x"));
  ICL__TRY(expect_key(node, 1));
  ICL__TRY(expect_probability(node, 2));
  ICL__TRY(expect_ids(node, x->rank, x->shape));
  return icl__set_shape(node, x->rank, x->shape, (icl_dtype)x->dtype);
}

/* Without ids the draw joins the batch of whatever uses it. */
void icl__batch_draw(const icl__facts *facts, icl__batch_rule *rule) {
  int id = id_input(facts->op);
  if (facts->rank == 0)
    icl__rule_global(rule);
  else if (facts->inputs > id)
    icl__rule_map(rule, 1u << id, true);
  else
    icl__rule_map(rule, 0, false);
}

void icl__batch_dropout(const icl__facts *facts, icl__batch_rule *rule) {
  int id = id_input(facts->op);
  if (facts->rank == 0)
    icl__rule_global(rule);
  else
    icl__rule_map(rule, 1 | (facts->inputs > id ? 1u << id : 0), false);
}

/* The same key drops the same elements of g. */
icl_status icl__grad_dropout(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *in[] = {gy, y->in[1], y->in[2], y->inputs > 3 ? y->in[3] : NULL};
  return icl__give(pass, y, 0, icl__g(pass, ICL__OP_dropout, y->inputs, in, NULL));
}
