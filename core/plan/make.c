/* make.c - the sequence of stages that makes a plan. */
#include "plan/make.h"

#include <string.h>

#include "base/memory.h"
#include "plan/stages.h"

static icl_status import(icl__plan *plan, int count, const icl__plan_node *nodes, int outputs,
                         const icl__plan_output *output) {
  for (int i = 0; i < count; i++) {
    const icl__plan_node *node = &nodes[i];
    icl__pnode *v;
    ICL__TRY(icl__plan_append(plan, &v));
    v->kind = node->kind;
    v->op = node->kind ? ICL__OP_constant : node->op;
    plan->sends |= icl__plan_sends(v);
    v->key = i;
    v->dtype = v->stored = node->dtype;
    v->rank = node->rank;
    memcpy(v->shape, node->shape, (size_t)node->rank * sizeof *v->shape);
    v->layer = node->layer;
    if (node->kind) {
      v->leaf = plan->leaves++;
      continue;
    }
    v->attr = *node->attr;
    v->inputs = node->inputs;
    for (int j = 0; j < v->inputs; j++)
      v->in[j] = plan->node[node->in[j]];
  }
  plan->outputs = outputs;
  plan->state_leaf = icl__alloc((size_t)outputs, sizeof *plan->state_leaf);
  plan->in_place = icl__calloc((size_t)outputs, sizeof *plan->in_place);
  plan->slot = icl__alloc((size_t)outputs, sizeof *plan->slot);
  if (!plan->state_leaf || !plan->in_place || !plan->slot)
    return ICL_ENOMEM;
  for (int k = 0; k < outputs; k++) {
    plan->node[output[k].node]->output = k;
    plan->node[output[k].node]->state_output = output[k].state != 0;
    plan->state_leaf[k] = output[k].state_leaf;
    plan->slot[k] = ICL__NO_SLOT;
  }
  return ICL_OK;
}

/* A device that runs the nodes in order only needs their users. It writes outputs when all is computed. */
static icl_status leave_unplanned(icl__plan *plan) {
  for (int i = 0; i < plan->nodes && plan->policy.inplace; i++)
    if (plan->node[i]->state_output)
      plan->in_place[plan->node[i]->output] = true;
  return icl__plan_uses(plan);
}

static icl_status run_stages(icl__plan *plan) {
  const icl__backend *backend = plan->backend;
  if (backend->unplanned)
    return leave_unplanned(plan);
  ICL__TRY(icl__plan_domains(plan));
  ICL__TRY(icl__plan_rewrite(plan));
  ICL__TRY(icl__plan_tidy(plan));
  icl__plan_residual(plan);
  ICL__TRY(icl__plan_tidy(plan));
  ICL__TRY(icl__plan_dense(plan));
  ICL__TRY(icl__plan_tidy(plan));
  ICL__TRY(icl__plan_finishes(plan));
  if (backend->rewrite)
    ICL__TRY(backend->rewrite(plan->device, plan));
  ICL__TRY(icl__plan_tidy(plan));
  icl__plan_slack(plan);
  ICL__TRY(icl__plan_buckets(plan));
  ICL__TRY(icl__plan_cuts(plan));
  ICL__TRY(icl__plan_schedule(plan));
  ICL__TRY(icl__plan_keep_or_recompute(plan));
  icl__plan_time_buckets(plan);
  ICL__TRY(icl__plan_instructions(plan));
  icl__plan_share(plan);
  icl__plan_fill_buckets(plan);
  if (backend->lower)
    ICL__TRY(backend->lower(plan->device, plan));
  if (backend->leaves_out)
    ICL__TRY(icl__plan_lasting(plan));
  icl__plan_chains(plan);
  ICL__TRY(icl__plan_sections(plan));
  return icl__plan_storage(plan);
}

icl_status icl__plan_make(const icl__backend *backend, void *device, const icl__policy *policy, int count,
                          const icl__plan_node *nodes, int outputs, const icl__plan_output *output,
                          icl__plan **result) {
  icl__plan *plan = icl__calloc(1, sizeof *plan);
  if (!plan)
    return ICL_ENOMEM;
  plan->policy = *policy;
  plan->backend = backend;
  plan->device = device;
  icl_status status = import(plan, count, nodes, outputs, output);
  if (status == ICL_OK)
    status = run_stages(plan);
  if (status == ICL_OK)
    status = backend->compile(device, plan, &plan->program);
  if (status != ICL_OK) {
    icl__plan_free(plan);
    return status;
  }
  *result = plan;
  return ICL_OK;
}

void icl__plan_free(icl__plan *plan) {
  if (!plan)
    return;
  if (plan->program)
    plan->backend->discard(plan->device, plan->program);
  if (plan->backend && plan->backend->forget)
    plan->backend->forget(plan->device, plan);
  for (int p = 0; plan->phase && p <= plan->phases; p++) {
    icl__phase *phase = &plan->phase[p];
    icl__free(phase->instruction);
    for (int k = 0; k < phase->waves * plan->policy.threads; k++)
      icl__free(phase->lane[k].item);
    icl__free(phase->lane);
  }
  icl__free(plan->phase);
  for (int i = 0; i < plan->nodes; i++)
    icl__pnode_free(plan->node[i]);
  icl__free(plan->node);
  for (int i = 0; i < plan->buckets; i++) {
    icl__free(plan->bucket[i]->member);
    icl__free(plan->bucket[i]);
  }
  icl__free(plan->bucket);
  icl__free(plan->domain_size);
  icl__free(plan->state_leaf);
  icl__free(plan->in_place);
  icl__free(plan->slot);
  icl__free(plan->settled_leaf);
  icl__free(plan->key);
  icl__free(plan);
}
