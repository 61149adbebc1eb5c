/* all_reduce.c - sums over the processes of a group.
 *
 * Every process records the same program over images of its own. Values that have no images, such as parameters, are
 * the same on all of them; gradients are partial, and their sum over the processes is the gradient. */
#include "ops/batch_norm.h"
#include "ops/families.h"

icl_status icl__infer_all_reduce(icl__node *node) {
  const icl__node *x = node->in[0];
  icl_dtype dtype = (icl_dtype)x->dtype;
  if (node->attr.i[ALL_REDUCE_JOIN] && x->op != ICL__OP_bn_sums)
    return icl__value_error(node, "join takes the result of bn_sums, not that of %s", icl__op(x->op)->name);
  if (!icl__is_float(dtype) && dtype != ICL_I64)
    return icl__dtype_error(node, "x must be of a floating-point dtype or i64, not %s; cast it first",
                            icl_dtype_name(dtype));
  return icl__set_shape(node, x->rank, x->shape, dtype);
}

/* A sum that all processes read gets a gradient from each. With join it is k, which comes from the sums of all and is
 * of use to each as it is: the op of bn_sums is passed over, since its gradient takes the joined table. */
icl_status icl__grad_all_reduce(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *x = y->in[0];
  if (!y->attr.i[ALL_REDUCE_JOIN]) {
    if (!icl__same_shape(y, gy))
      return icl__fail(ICL_ENOTSUP, "all_reduce: tables of bn_sums are joined, not added; give it join");
    return icl__give(pass, y, 0, icl__g1(pass, ICL__OP_all_reduce, gy));
  }
  if (!icl__wants(x, 0))
    return ICL_OK;
  return icl__give(pass, x, 0, icl__g3(pass, ICL__OP_bn_sums_grad, x->in[0], gy, y));
}
