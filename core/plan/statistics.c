/* statistics.c - sums of batch norm are taken once for every value, whoever asks for them, and those of a concatenation
 * are the concatenation of its inputs' sums.
 *
 * In a dense block, where each layer normalises all that came before, only the sums of the newest channels are left to
 * take. */
#include "plan/stages.h"

#include "base/memory.h"

static void become_global(icl__pnode *v, int op) {
  v->op = op;
  v->attr = (icl_attributes){0};
  icl__plan_make_global(v);
}

icl__pnode *icl__plan_channels(icl__plan *plan, icl__pnode *values, int32_t first, int32_t length) {
  icl__pnode *v = icl__plan_add(plan, ICL__OP_concat_part, values, 1, &values);
  if (!v)
    return NULL;
  become_global(v, ICL__OP_concat_part);
  v->attr.i[PART_DIM] = v->rank - 1;
  v->attr.i[PART_FIRST] = first;
  v->attr.i[PART_LENGTH] = v->shape[v->rank - 1] = length;
  return v;
}

/* The node for the sums of x: the one that is there, or a new one like v, which is a bn_sums. */
static icl__pnode *sums_of(icl__plan *plan, const icl__pnode *v, icl__pnode *x, icl__pnode **taken) {
  if (taken[x->index])
    return taken[x->index];
  icl__pnode *s = taken[x->index] = icl__plan_add(plan, ICL__OP_bn_sums, v, 1, &x);
  if (!s)
    return NULL;
  s->shape[1] = x->shape[x->rank - 1];
  s->batched = v->batched;
  return s;
}

bool icl__plan_joins_channels(const icl__pnode *x) {
  return x->op == ICL__OP_concat && x->behaviour == ICL__MAP && x->attr.i[CONCAT_DIM] == x->rank - 1;
}

/* bn_sums(concat(a, b)) -> concat(sums of a, sums of b) */
static icl_status become_concat(icl__plan *plan, icl__pnode *v, int parts, icl__pnode *const *part,
                                icl__pnode **taken) {
  icl__pnode *sums[ICL_MAX_INPUTS];
  for (int i = 0; i < parts; i++)
    if (!(sums[i] = sums_of(plan, v, part[i], taken)))
      return ICL_ENOMEM;
  become_global(v, ICL__OP_concat);
  v->attr.i[CONCAT_DIM] = 1;
  v->inputs = parts;
  for (int i = 0; i < parts; i++)
    v->in[i] = sums[i];
  return ICL_OK;
}

icl_status icl__plan_statistics(icl__plan *plan) {
  icl__pnode **taken = icl__calloc((size_t)plan->nodes, sizeof *taken);
  icl_status status = taken ? ICL_OK : ICL_ENOMEM;
  for (int i = 0, n = plan->nodes; i < n && status == ICL_OK; i++) {
    icl__pnode *v = plan->node[i];
    if (v->op != ICL__OP_bn_sums || v->behaviour != ICL__REDUCE || v->output >= 0)
      continue;
    icl__pnode *x = v->in[0];
    bool again = taken[x->index] != NULL;
    if (again)
      status = become_concat(plan, v, 1, &x, taken);
    else if (icl__plan_joins_channels(x))
      status = become_concat(plan, v, x->inputs, x->in, taken);
    if (!again)
      taken[x->index] = v;
  }
  icl__free(taken);
  return status;
}
