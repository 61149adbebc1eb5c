/* matmul.c - the matrix product. */
#include "ops/families.h"

icl_status icl__infer_matmul(icl__node *node) {
  const icl__node *a = node->in[0], *b = node->in[1];
  bool transpose_a = node->attr.i[MATMUL_TRANSPOSE_A], transpose_b = node->attr.i[MATMUL_TRANSPOSE_B];
  ICL__TRY(icl__expect_float(node, 0, "a"));
  ICL__TRY(icl__expect_float(node, 1, "b"));
  ICL__TRY(icl__expect_rank(node, 0, 2, "a", transpose_a ? "(k, m)" : "(m, k)"));
  ICL__TRY(icl__expect_rank(node, 1, 2, "b", transpose_b ? "(n, k)" : "(k, n)"));
  int32_t k = a->shape[!transpose_a], other_k = b->shape[transpose_b];
  if (k != other_k)
    return icl__shape_error(node, "a has %d columns%s, but b has %d rows%s; they must be equal", (int)k,
                            transpose_a ? " once transposed" : "", (int)other_k, transpose_b ? " once transposed" : "");
  int32_t shape[] = {a->shape[transpose_a], b->shape[!transpose_b]};
  return icl__set_shape(node, 2, shape, icl__wide_dtype(node));
}

/* a (images, k) gives a row for each image; a (images, m), transposed, with b (images, n) is a sum over images. */
void icl__batch_matmul(const icl__facts *facts, icl__batch_rule *rule) {
  bool transpose_a = facts->attr->i[MATMUL_TRANSPOSE_A], transpose_b = facts->attr->i[MATMUL_TRANSPOSE_B];
  if (!transpose_a)
    icl__rule_map(rule, 1, false);
  else if (!transpose_b)
    icl__rule_reduce(rule, 3, false);
  else
    icl__rule_global(rule);
}

static icl__node *product(icl__gradient *pass, icl__node *a, bool transpose_a, icl__node *b, bool transpose_b) {
  icl_attributes attr = {.i = {[MATMUL_TRANSPOSE_A] = transpose_a, [MATMUL_TRANSPOSE_B] = transpose_b}};
  return icl__g(pass, ICL__OP_matmul, 2, (icl__node *[]){a, b}, &attr);
}

/* With A and B as they enter the product: dA = g B^T, dB = A^T g; either is transposed where its factor was. */
icl_status icl__grad_matmul(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *a = y->in[0], *b = y->in[1];
  bool ta = y->attr.i[MATMUL_TRANSPOSE_A], tb = y->attr.i[MATMUL_TRANSPOSE_B];
  if (icl__wants(y, 1))
    ICL__TRY(icl__give(pass, y, 1, tb ? product(pass, gy, true, a, ta) : product(pass, a, !ta, gy, false)));
  if (icl__wants(y, 0))
    ICL__TRY(icl__give(pass, y, 0, ta ? product(pass, b, tb, gy, true) : product(pass, gy, false, b, !tb)));
  return ICL_OK;
}
