/* dense.c - gradients of dense blocks: what statistics add to them is added once.
 *
 * The gradient of a batch norm is a g, which is known at once, and k0 - k1 (x - mean), which is known when the sums
 * over the batch are. In a dense block each layer normalises the concatenation of all that came before it, so a channel
 * gets a term k0 - k1 (x - mean), with the same x and mean, from every layer behind its own. Here these numbers are
 * added up instead of images: only a g is added to a gradient, in the phase that makes g, and neither g nor x are read
 * once more in the next. */
#include "plan/stages.h"

/* The input of the concatenation x whose channels `part` takes, or NULL. */
static icl__pnode *source_of(const icl__pnode *x, const icl__pnode *part) {
  int32_t first = 0;
  if (part->op != ICL__OP_concat_part || part->output >= 0 || part->attr.i[PART_DIM] != x->rank - 1)
    return NULL;
  for (int i = 0; i < x->inputs; i++) {
    int32_t length = x->in[i]->shape[x->rank - 1];
    if (part->attr.i[PART_FIRST] == first && part->attr.i[PART_LENGTH] == length)
      return x->in[i];
    first += length;
  }
  return NULL;
}

/* Does v add `part` to a gradient for x, whose batch norm adds a term of x anyway? */
static bool adds_to(const icl__pnode *v, const icl__pnode *part, const icl__pnode *x) {
  return v->op == ICL__OP_bn_input_grad && v->inputs == 5 && v->in[4] == part && v->in[1] == x && v->in[0] != part;
}

/* Is v the gradient for a concatenation, seen in parts only, of which one goes on in the block? */
static bool is_dense(const icl__pnode *v) {
  if (v->op != ICL__OP_bn_input_grad || !v->attr.i[BN_MASK] || v->output >= 0 || !icl__plan_joins_channels(v->in[1]))
    return false;
  bool goes_on = false;
  for (int i = 0; i < v->uses; i++) {
    const icl__pnode *part = v->use[i], *x = source_of(v->in[1], part);
    if (!x)
      return false;
    for (int j = 0; j < part->uses; j++)
      goes_on |= adds_to(part->use[j], part, x);
  }
  return goes_on;
}

/* Users of `part`, a part of a gradient for `all` without its term of k and `sums`, add that term: to k if they have
 * one of x. Else x is read where it lies within `all`, so that nothing is kept twice. */
static icl_status add_term(icl__plan *plan, icl__pnode *part, icl__pnode *all, icl__pnode *k, icl__pnode *sums) {
  const icl__pnode *source = source_of(all, part);
  icl__pnode *x = icl__plan_add(plan, ICL__OP_concat_part, part, 1, &all);
  icl__pnode *in[] = {x, k, sums, part}, *whole = x ? icl__plan_add(plan, ICL__OP_bn_sums_grad, part, 4, in) : NULL;
  if (!whole)
    return ICL_ENOMEM;
  x->attr = part->attr;
  icl__plan_rule(x);
  icl__plan_rule(whole);
  for (int i = 0; i < part->uses; i++) {
    icl__pnode *user = part->use[i];
    if (adds_to(user, part, source)) {
      if (!(user->in[3] = icl__plan_add(plan, ICL__OP_add, k, 2, (icl__pnode *[]){user->in[3], k})))
        return ICL_ENOMEM;
      continue;
    }
    for (int j = 0; j < user->inputs; j++)
      if (user->in[j] == part)
        user->in[j] = whole;
  }
  return ICL_OK;
}

/* bn_input_grad(g, x, c, k, rest) -> bn_scale_mask(g, x, c, rest), and k to the users of its parts */
static icl_status delay_term(icl__plan *plan, icl__pnode *v) {
  icl__pnode *k = v->in[3], *sums = v->in[2]->in[0];
  for (int i = 0; i < v->uses; i++) {
    icl__pnode *part = v->use[i];
    int32_t first = part->attr.i[PART_FIRST], length = part->attr.i[PART_LENGTH];
    icl__pnode *own = icl__plan_channels(plan, k, first, length);
    icl__pnode *own_sums = icl__plan_channels(plan, sums, first, length);
    if (!own || !own_sums)
      return ICL_ENOMEM;
    ICL__TRY(add_term(plan, part, v->in[1], own, own_sums));
  }
  v->op = ICL__OP_bn_scale_mask;
  v->attr = (icl_attributes){0};
  v->in[3] = v->in[4];
  v->inputs--;
  icl__plan_rule(v);
  return ICL_OK;
}

/* Needs the uses of nodes, and leaves them to be found again. */
icl_status icl__plan_dense(icl__plan *plan) {
  if (!plan->policy.concat)
    return ICL_OK;
  for (int i = 0, n = plan->nodes; i < n; i++)
    if (is_dense(plan->node[i]))
      ICL__TRY(delay_term(plan, plan->node[i]));
  return ICL_OK;
}
