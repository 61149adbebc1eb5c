/* domains.c - which ops share a batch on axis 0.
 *
 * Ops that read or make a value image by image are joined; a group in which no op has a batch by its nature (a chain on
 * weights, say) is global. */
#include "plan/stages.h"

#include "base/memory.h"

static int root(int *parent, int i) {
  while (parent[i] != i)
    i = parent[i] = parent[parent[i]];
  return i;
}

static void find_facts(const icl__pnode *v, icl__facts *facts) {
  *facts = (icl__facts){
      .op = v->op, .inputs = v->inputs, .dtype = v->dtype, .rank = v->rank, .shape = v->shape, .attr = &v->attr};
  for (int i = 0; i < v->inputs; i++) {
    facts->in[i].dtype = v->in[i]->dtype;
    facts->in[i].rank = v->in[i]->rank;
    facts->in[i].shape = v->in[i]->shape;
  }
}

void icl__plan_rule(icl__pnode *v) {
  icl__facts facts;
  icl__batch_rule rule = {ICL__GLOBAL, 0, false};
  find_facts(v, &facts);
  icl__op(v->op)->batch(&facts, &rule);
  v->behaviour = rule.behaviour;
  v->batched = rule.behaviour == ICL__GLOBAL ? 0 : rule.batched;
  v->seed = rule.seed;
}

/* The group of a reduction is that of its inputs: its value has no batch. */
static int group(const icl__pnode *v, int *parent) {
  if (v->behaviour == ICL__MAP)
    return root(parent, v->index);
  for (int j = 0; j < v->inputs; j++)
    if (icl__plan_reads_images(v, j) && v->in[j]->behaviour == ICL__MAP)
      return root(parent, v->in[j]->index);
  return root(parent, v->index);
}

static void join_groups(icl__plan *plan, int *parent) {
  for (int i = 0; i < plan->nodes; i++) {
    const icl__pnode *v = plan->node[i];
    int g = -1;
    if (v->behaviour == ICL__MAP)
      g = root(parent, i);
    for (int j = 0; j < v->inputs; j++) {
      const icl__pnode *u = v->in[j];
      if (!icl__plan_reads_images(v, j) || u->behaviour != ICL__MAP)
        continue;
      int other = root(parent, u->index);
      if (g >= 0)
        parent[other] = g;
      g = root(parent, other);
    }
  }
}

static int32_t images(const icl__pnode *v) {
  if (v->behaviour == ICL__MAP)
    return v->shape[0];
  for (int j = 0; j < v->inputs; j++)
    if (icl__plan_reads_images(v, j))
      return v->in[j]->shape[0];
  return 0;
}

static icl_status number_groups(icl__plan *plan, int *parent, int *domain, const bool *seeded) {
  plan->domain_size = icl__alloc((size_t)plan->nodes, sizeof *plan->domain_size);
  if (!plan->domain_size)
    return ICL_ENOMEM;
  for (int i = 0; i < plan->nodes; i++)
    domain[i] = -1;
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    if (v->behaviour == ICL__GLOBAL)
      continue;
    int g = group(v, parent);
    if (!seeded[g])
      continue;
    if (domain[g] < 0) {
      domain[g] = plan->domains;
      plan->domain_size[plan->domains++] = images(v);
    }
    v->domain = domain[g];
  }
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    if (v->domain < 0)
      icl__plan_make_global(v);
  }
  return ICL_OK;
}

icl_status icl__plan_domains(icl__plan *plan) {
  size_t n = (size_t)plan->nodes;
  int *parent = icl__alloc(n, sizeof *parent), *domain = icl__alloc(n, sizeof *domain);
  bool *seeded = icl__calloc(n, sizeof *seeded);
  icl_status status = parent && domain && seeded ? ICL_OK : ICL_ENOMEM;
  for (int i = 0; i < plan->nodes && status == ICL_OK; i++) {
    parent[i] = i;
    if (plan->node[i]->leaf < 0)
      icl__plan_rule(plan->node[i]);
  }
  if (status == ICL_OK) {
    join_groups(plan, parent);
    for (int i = 0; i < plan->nodes; i++)
      if (plan->node[i]->behaviour != ICL__GLOBAL && plan->node[i]->seed)
        seeded[group(plan->node[i], parent)] = true;
    status = number_groups(plan, parent, domain, seeded);
  }
  icl__free(parent);
  icl__free(domain);
  icl__free(seeded);
  return status;
}
