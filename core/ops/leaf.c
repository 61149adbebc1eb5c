/* leaf.c - values from outside, and ops whose value is that of their input. */
#include "ops/families.h"

/* Recording has set shape and dtype already. */
icl_status icl__infer_leaf(icl__node *node) {
  (void)node;
  return ICL_OK;
}

icl_status icl__infer_alias(icl__node *node) {
  const icl__node *x = node->in[0];
  node->number = x->number;
  node->attr.f[0] = x->number ? icl__number_value(x) : 0; /* which then outlives its input */
  return icl__set_shape(node, x->rank, x->shape, (icl_dtype)x->dtype);
}

void icl__batch_leaf(const icl__facts *facts, icl__batch_rule *rule) {
  (void)facts;
  icl__rule_global(rule);
}

void icl__batch_global(const icl__facts *facts, icl__batch_rule *rule) {
  (void)facts;
  icl__rule_global(rule);
}

void icl__batch_alias(const icl__facts *facts, icl__batch_rule *rule) {
  if (facts->inputs == 0 || facts->rank == 0)
    icl__rule_global(rule);
  else
    icl__rule_map(rule, 1, false);
}

/* ---- functions with a gradient of the user's: inputs are the value, then what it was recorded from ---- */

static icl_status give_checked(icl__gradient *pass, icl__node *y, int i, icl__node *gradient) {
  const icl__node *x = y->in[i];
  char have[ICL__SHAPE_TEXT], want[ICL__SHAPE_TEXT];
  if (icl__same_shape(gradient, x))
    return icl__give(pass, y, i, gradient);
  return icl__fail(ICL_ESHAPE, "custom: backward returned %s as the gradient of input %d, which is %s",
                   icl__shape_text(have, (icl_dtype)gradient->dtype, gradient->rank, gradient->shape), i,
                   icl__shape_text(want, (icl_dtype)x->dtype, x->rank, x->shape));
}

icl_status icl__grad_custom(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl_tensor *gradients[ICL_MAX_INPUTS] = {NULL};
  int inputs = y->inputs - 1;
  icl_status status = y->custom->backward(y->custom->context, gy, inputs, gradients);
  for (int i = 0; i < inputs; i++) {
    if (!gradients[i])
      continue;
    icl__node *gradient = icl__gradient_own(pass, ICL_OK, gradients[i]);
    if (status == ICL_OK && icl__wants(y, i + 1))
      status = gradient ? give_checked(pass, y, i + 1, gradient) : pass->status;
  }
  return status;
}
