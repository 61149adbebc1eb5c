/* rewrite.c - graph to graph: equal expressions become one, neighbours that one kernel can do are joined.
 *
 * A rule changes the last node of its pattern in place, so the order stays topological; what nobody uses any more is
 * dropped by icl__plan_tidy(). */
#include "plan/stages.h"

#include <string.h>

#include "base/memory.h"

/* ---- merge: f(x), f(x) -> one f(x) ---- */

static bool mergeable(const icl__pnode *v) { return v->leaf < 0 && v->output < 0 && !(icl__plan_flags(v) & ICL__DRAW); }

static bool same_value(const icl__pnode *a, const icl__pnode *b) {
  return a->op == b->op && a->inputs == b->inputs && a->dtype == b->dtype &&
         !memcmp(a->in, b->in, sizeof *a->in * (size_t)a->inputs) && !memcmp(&a->attr, &b->attr, sizeof a->attr);
}

static size_t hash_value(const icl__pnode *v) {
  uint64_t h = (uint64_t)v->op * 0x9e3779b97f4a7c15u + (uint64_t)v->inputs;
  for (int i = 0; i < v->inputs; i++)
    h = (h ^ (uint64_t)v->in[i]->index) * 0xff51afd7ed558ccdu;
  return (size_t)(h ^ h >> 31);
}

static icl_status merge(icl__plan *plan) {
  size_t size = 64;
  while (size < 2 * (size_t)plan->nodes)
    size *= 2;
  icl__pnode **table = icl__calloc(size, sizeof *table), **to = icl__calloc((size_t)plan->nodes, sizeof *to);
  if (!table || !to) {
    icl__free(table);
    icl__free(to);
    return ICL_ENOMEM;
  }
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    for (int j = 0; j < v->inputs; j++)
      v->in[j] = to[v->in[j]->index];
    to[i] = v;
    if (v->leaf >= 0 || (icl__plan_flags(v) & ICL__DRAW))
      continue;
    size_t at = hash_value(v) & (size - 1);
    while (table[at] && !same_value(table[at], v))
      at = (at + 1) & (size - 1);
    if (!table[at]) {
      table[at] = v;
    } else if (mergeable(v)) {
      to[i] = table[at];
      plan->merged++;
    }
  }
  icl__free(table);
  icl__free(to);
  return ICL_OK;
}

/* ---- joins ---- */

/* add(x, y) of one shape and dtype -> add_n(x, y), so that sums have one form */
static void unify_sums(icl__pnode *v) {
  if (v->op != ICL__OP_add)
    return;
  for (int i = 0; i < 2; i++)
    if (v->in[i]->dtype != v->dtype || !icl__plan_same_shape(v->in[i], v))
      return;
  v->op = ICL__OP_add_n;
}

void icl__plan_join_relu(icl__plan *plan, icl__pnode *v) {
  if (v->op != ICL__OP_relu || v->in[0]->op != ICL__OP_scale_shift || v->in[0]->attr.i[SCALE_SHIFT_RELU])
    return;
  const icl__pnode *s = v->in[0];
  v->op = ICL__OP_scale_shift;
  v->attr.i[SCALE_SHIFT_RELU] = 1;
  v->inputs = s->inputs;
  memcpy(v->in, s->in, sizeof *v->in * (size_t)s->inputs);
  icl__plan_rule(v);
  plan->joined++;
}

/* Is g = relu_grad(gy, scale_shift(x, coefficients) with relu)? Then its mask can be found again from x. */
static bool is_masked(const icl__pnode *g, const icl__pnode *x, const icl__pnode *coefficients) {
  const icl__pnode *y = g->op == ICL__OP_relu_grad ? g->in[1] : NULL;
  return y && y->op == ICL__OP_scale_shift && y->inputs == 2 && y->attr.i[SCALE_SHIFT_RELU] && y->in[0] == x &&
         y->in[1] == coefficients;
}

/* bn_scale_sums(relu_grad(gy, relu(a (x - mean) + b)), x, c) -> bn_scale_sums(gy, x, c) with mask */
static void join_mask(icl__plan *plan, icl__pnode *v) {
  if (v->op != ICL__OP_bn_scale_sums || v->attr.i[BN_MASK] || !is_masked(v->in[0], v->in[1], v->in[2]))
    return;
  v->in[0] = v->in[0]->in[0];
  v->attr.i[BN_MASK] = 1;
  plan->joined++;
}

/* The terms of a sum that are the two halves of one batch norm gradient. */
static bool find_halves(const icl__pnode *sum, int *scale, int *sums) {
  for (int i = 0; i < sum->inputs; i++)
    for (int j = 0; j < sum->inputs; j++) {
      const icl__pnode *a = sum->in[i], *b = sum->in[j];
      if (a->op != ICL__OP_bn_scale || b->op != ICL__OP_bn_sums_grad)
        continue;
      const icl__pnode *c = a->in[1], *k = b->in[1];
      if (c->op != ICL__OP_bn_coefficients || c->in[0] != b->in[2] || k->op != ICL__OP_bn_coefficients_grad ||
          k->in[1] != c)
        continue;
      *scale = i;
      *sums = j;
      return true;
    }
  return false;
}

/* bn_scale(g, c) + bn_sums_grad(x, k, sums) + rest -> bn_input_grad(g, x, c, k, rest), with mask if g is masked by
 * a (x - mean) + b. In bf16 the two halves are rounded and then their sum, the joined op is rounded once: so results
 * without joins are those of op by op, with an error that is 1.4 times as large. */
static icl_status join_bn_gradient(icl__plan *plan, icl__pnode *v) {
  int scale, sums, rest = 0;
  if (v->op != ICL__OP_add_n || !find_halves(v, &scale, &sums))
    return ICL_OK;
  icl__pnode *g = v->in[scale]->in[0], *c = v->in[scale]->in[1], *x = v->in[sums]->in[0], *k = v->in[sums]->in[1];
  icl__pnode *terms[ICL_MAX_INPUTS], *other = NULL;
  if (g->dtype != x->dtype)
    return ICL_OK;
  for (int i = 0; i < v->inputs; i++)
    if (i != scale && i != sums)
      terms[rest++] = v->in[i];
  if (rest == 1)
    other = terms[0];
  else if (rest > 1) {
    if (!(other = icl__plan_add(plan, ICL__OP_add_n, v, rest, terms)))
      return ICL_ENOMEM;
    other->behaviour = v->behaviour;
    other->batched = (1u << rest) - 1;
    ICL__TRY(join_bn_gradient(plan, other));
  }
  bool mask = is_masked(g, x, c);
  v->op = ICL__OP_bn_input_grad;
  v->attr = (icl_attributes){.i[BN_MASK] = mask};
  v->in[0] = mask ? g->in[0] : g;
  v->in[1] = x;
  v->in[2] = c;
  v->in[3] = k;
  v->in[4] = other;
  v->inputs = other ? 5 : 4;
  icl__plan_rule(v);
  plan->joined++;
  return ICL_OK;
}

icl_status icl__plan_rewrite(icl__plan *plan) {
  if (plan->policy.merge)
    ICL__TRY(merge(plan));
  if (plan->policy.concat)
    ICL__TRY(icl__plan_statistics(plan));
  if (!plan->policy.join)
    return ICL_OK;
  for (int i = 0; i < plan->nodes; i++) {
    unify_sums(plan->node[i]);
    icl__plan_join_relu(plan, plan->node[i]);
  }
  for (int i = 0, n = plan->nodes; i < n; i++) {
    join_mask(plan, plan->node[i]);
    ICL__TRY(join_bn_gradient(plan, plan->node[i]));
  }
  return ICL_OK;
}
