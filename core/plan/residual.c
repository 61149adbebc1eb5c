/* residual.c - the end of a residual block in one pass: relu(scale_shift(x, c) + rest) -> scale_shift(x, c, rest) with
 * relu. In bf16 it is rounded once then, in place of three times. */
#include "plan/stages.h"

/* Is u a value that v alone reads, of the same images and shape? */
static bool is_within(const icl__pnode *u, const icl__pnode *v) {
  return u->uses == 1 && u->output < 0 && u->behaviour == v->behaviour && u->domain == v->domain &&
         u->dtype == v->dtype && icl__plan_same_shape(u, v);
}

static bool is_plain_scale_shift(const icl__pnode *v) {
  return v->op == ICL__OP_scale_shift && v->inputs == 2 && !v->attr.i[SCALE_SHIFT_RELU];
}

static void join(icl__plan *plan, icl__pnode *v) {
  const icl__pnode *sum = v->op == ICL__OP_relu && v->behaviour == ICL__MAP ? v->in[0] : NULL;
  if (!sum || sum->op != ICL__OP_add_n || sum->inputs != 2 || !is_within(sum, v))
    return;
  int at = 0;
  while (at < 2 && !(is_plain_scale_shift(sum->in[at]) && is_within(sum->in[at], sum)))
    at++;
  if (at == 2 || !icl__plan_reads_images(sum, 1 - at))
    return;
  const icl__pnode *s = sum->in[at];
  v->op = ICL__OP_scale_shift;
  v->attr = (icl_attributes){.i[SCALE_SHIFT_RELU] = 1};
  v->in[0] = s->in[0];
  v->in[1] = s->in[1];
  v->in[2] = sum->in[1 - at];
  v->inputs = 3;
  icl__plan_rule(v);
  plan->joined++;
}

/* Needs the uses of nodes, and leaves them to be found again. */
void icl__plan_residual(icl__plan *plan) {
  for (int i = 0; i < plan->nodes && plan->policy.join; i++)
    join(plan, plan->node[i]);
}
