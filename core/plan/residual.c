/* residual.c - the end of a residual block in one pass: batch norm, the sum with the shortcut and the relu if there is
 * one. In bf16 it is rounded once then, in place of two or three times. */
#include "plan/stages.h"

/* Is u a value that v alone reads, of the same images and shape? */
static bool is_within(const icl__pnode *u, const icl__pnode *v) {
  return u->uses == 1 && u->output < 0 && u->behaviour == v->behaviour && u->domain == v->domain &&
         u->dtype == v->dtype && icl__plan_same_shape(u, v);
}

static bool is_plain_scale_shift(const icl__pnode *v) {
  return v->op == ICL__OP_scale_shift && v->inputs == 2 && !v->attr.i[SCALE_SHIFT_RELU];
}

/* scale_shift(x, c) + rest -> scale_shift(x, c, rest) */
static void join_sum(icl__plan *plan, icl__pnode *v) {
  if (v->op != ICL__OP_add_n || v->behaviour != ICL__MAP || v->inputs != 2)
    return;
  int at = 0;
  while (at < 2 && !(is_plain_scale_shift(v->in[at]) && is_within(v->in[at], v)))
    at++;
  if (at == 2 || !icl__plan_reads_images(v, 1 - at))
    return;
  const icl__pnode *s = v->in[at];
  icl__pnode *rest = v->in[1 - at];
  v->op = ICL__OP_scale_shift;
  v->attr = s->attr;
  v->in[0] = s->in[0];
  v->in[1] = s->in[1];
  v->in[2] = rest;
  v->inputs = 3;
  icl__plan_rule(v);
  plan->joined++;
}

/* Needs the uses of nodes, and leaves them to be found again. */
void icl__plan_residual(icl__plan *plan) {
  for (int i = 0; i < plan->nodes && plan->policy.join; i++) {
    icl__pnode *v = plan->node[i];
    join_sum(plan, v);
    if (v->op == ICL__OP_relu && is_within(v->in[0], v))
      icl__plan_join_relu(plan, v);
  }
}
