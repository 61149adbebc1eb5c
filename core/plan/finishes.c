/* finishes.c - a reduction is computed in parts; FINISH makes its value of them, and takes over what the value was
 * asked for. */
#include "plan/stages.h"

icl_status icl__plan_finishes(icl__plan *plan) {
  for (int i = 0, n = plan->nodes; i < n; i++) {
    icl__pnode *v = plan->node[i];
    if (v->behaviour != ICL__REDUCE)
      continue;
    icl__pnode *f = icl__plan_add(plan, ICL__PLAN_FINISH, v, 0, NULL);
    if (!f)
      return ICL_ENOMEM;
    icl__plan_make_global(f);
    f->key = -1;
    for (int j = 0; j < v->uses; j++)
      for (int k = 0; k < v->use[j]->inputs; k++)
        if (v->use[j]->in[k] == v)
          v->use[j]->in[k] = f;
    f->in[f->inputs++] = v;
    f->output = v->output;
    f->state_output = v->state_output;
    v->output = -1;
    v->state_output = false;
    if (icl__is_float(v->dtype) && (icl__plan_flags(v) & ICL__WIDE))
      v->stored = ICL_F64; /* sums across chunks and threads lose nothing */
  }
  return ICL_OK;
}
