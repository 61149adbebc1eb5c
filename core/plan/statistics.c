/* statistics.c - sums of batch norm are taken once for every value, whoever asks for them, and those of a concatenation
 * are the concatenation of its inputs' sums.
 *
 * Every batch norm has a pivot of its own, so sums that are there already are moved to it. In a dense block, where each
 * layer normalises all that came before, only the sums of the newest channels are left to take. */
#include "plan/stages.h"

#include "base/memory.h"

/* The sums of a value, around which pivot; {NULL, NULL}: not taken yet. */
typedef struct {
  icl__pnode *sums, *pivot;
} taken;

static void become_global(icl__pnode *v, int op) {
  v->op = op;
  v->attr = (icl_attributes){0};
  icl__plan_make_global(v);
}

/* bn_sums(x, pivot) -> bn_sums_shift(sums, old pivot, pivot) */
static void become_shift(icl__pnode *v, const icl__pnode *x, taken t, icl__pnode *pivot) {
  become_global(v, ICL__OP_bn_sums_shift);
  v->attr.i[BN_COUNT] = (int32_t)icl__count(x->rank - 1, x->shape);
  v->inputs = 3;
  v->in[0] = t.sums;
  v->in[1] = t.pivot;
  v->in[2] = pivot;
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

/* A node for the sums of x around `pivot`, like v, which is a bn_sums: moved, if there are some, else taken. */
static icl__pnode *sums_of(icl__plan *plan, const icl__pnode *v, icl__pnode *x, icl__pnode *pivot, taken *t) {
  icl__pnode *in[] = {x, pivot}, *s = icl__plan_add(plan, ICL__OP_bn_sums, v, 2, in);
  if (!s)
    return NULL;
  s->shape[1] = x->shape[x->rank - 1];
  s->batched = v->batched;
  if (t->sums)
    become_shift(s, x, *t, pivot);
  else
    *t = (taken){s, pivot};
  return s;
}

bool icl__plan_joins_channels(const icl__pnode *x) {
  return x->op == ICL__OP_concat && x->behaviour == ICL__MAP && x->attr.i[CONCAT_DIM] == x->rank - 1;
}

/* bn_sums(concat(a, b), pivot) -> concat(sums of a, sums of b) */
static icl_status become_concat(icl__plan *plan, icl__pnode *v, const icl__pnode *x, icl__pnode *pivot, taken *all) {
  icl__pnode *parts[ICL_MAX_INPUTS];
  int32_t first = 0;
  for (int i = 0; i < x->inputs; i++) {
    icl__pnode *u = x->in[i];
    int32_t length = u->shape[u->rank - 1];
    icl__pnode *own = icl__plan_channels(plan, pivot, first, length);
    parts[i] = own ? sums_of(plan, v, u, own, &all[u->index]) : NULL;
    if (!parts[i])
      return ICL_ENOMEM;
    first += length;
  }
  become_global(v, ICL__OP_concat);
  v->attr.i[CONCAT_DIM] = 1;
  v->inputs = x->inputs;
  for (int i = 0; i < x->inputs; i++)
    v->in[i] = parts[i];
  return ICL_OK;
}

icl_status icl__plan_statistics(icl__plan *plan) {
  taken *all = icl__calloc((size_t)plan->nodes, sizeof *all);
  icl_status status = all ? ICL_OK : ICL_ENOMEM;
  for (int i = 0, n = plan->nodes; i < n && status == ICL_OK; i++) {
    icl__pnode *v = plan->node[i];
    if (v->op != ICL__OP_bn_sums || v->behaviour != ICL__REDUCE || v->output >= 0)
      continue;
    icl__pnode *x = v->in[0], *pivot = v->in[1];
    taken *t = &all[x->index];
    if (t->sums) {
      become_shift(v, x, *t, pivot);
    } else {
      if (icl__plan_joins_channels(x))
        status = become_concat(plan, v, x, pivot, all);
      *t = (taken){v, pivot};
    }
  }
  icl__free(all);
  return status;
}
