/* loss.c - softmax over the last axis and the cross entropy of whole distributions. */
#include "ops/families.h"

icl_status icl__infer_softmax(icl__node *node) {
  const icl__node *x = node->in[0];
  ICL__TRY(icl__expect_float(node, 0, "x"));
  if (x->rank == 0 || x->shape[x->rank - 1] == 0)
    return icl__shape_error(node, "x must have a last axis with elements");
  return icl__set_shape(node, x->rank, x->shape, icl__wide_dtype(node));
}

icl_status icl__infer_cross_entropy(icl__node *node) {
  const icl__node *logits = node->in[0], *target = node->in[1];
  ICL__TRY(icl__expect_float(node, 0, "logits"));
  ICL__TRY(icl__expect_float(node, 1, "target"));
  ICL__TRY(icl__expect_rank(node, 0, 2, "logits", "(n, classes)"));
  ICL__TRY(icl__expect_rank(node, 1, 2, "target", "(n, classes); one_hot() makes it from labels"));
  if (logits->shape[0] != target->shape[0])
    return icl__shape_error(node, "there are %d rows of logits, but %d of targets", (int)logits->shape[0],
                            (int)target->shape[0]);
  if (logits->shape[1] != target->shape[1] || logits->shape[1] == 0)
    return icl__shape_error(node, "logits have %d classes, but targets %d", (int)logits->shape[1],
                            (int)target->shape[1]);
  return icl__set_shape(node, 1, logits->shape, icl__wide_dtype(node));
}

/* The last axis is not the batch if there is only one. */
void icl__batch_rows(const icl__facts *facts, icl__batch_rule *rule) {
  if (facts->rank >= 2)
    icl__rule_map(rule, 1, true);
  else
    icl__rule_global(rule);
}

/* Every input has the batch on its axis 0. */
void icl__batch_map(const icl__facts *facts, icl__batch_rule *rule) {
  icl__rule_map(rule, (1u << facts->inputs) - 1, true);
}

/* ---- gradients ---- */

#define G1(op, a)    icl__g1(pass, ICL__OP_##op, a)
#define G2(op, a, b) icl__g2(pass, ICL__OP_##op, a, b)

/* y (g - sum g y) */
icl_status icl__grad_softmax(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *mean = icl__g_sum_rows(pass, G2(mul, gy, y));
  return icl__give(pass, y, 0, G2(mul, y, G2(sub, gy, mean)));
}

/* g - exp(y) sum g */
icl_status icl__grad_log_softmax(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *sum = icl__g_sum_rows(pass, gy);
  return icl__give(pass, y, 0, G2(sub, gy, G2(mul, G1(exp, y), sum)));
}

/* logits: g (softmax(logits) sum target - target); target: - g log softmax(logits) */
icl_status icl__grad_cross_entropy(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *logits = y->in[0], *target = y->in[1];
  icl__node *g = icl__g_reshape(pass, gy, 2, (const int32_t[]){gy->shape[0], 1});
  if (icl__wants(y, 0)) {
    icl__node *expected = G2(mul, G1(softmax, logits), icl__g_sum_rows(pass, target));
    ICL__TRY(icl__give(pass, y, 0, G2(mul, G2(sub, expected, target), g)));
  }
  if (icl__wants(y, 1))
    ICL__TRY(icl__give(pass, y, 1, G1(neg, G2(mul, G1(log_softmax, logits), g))));
  return ICL_OK;
}
