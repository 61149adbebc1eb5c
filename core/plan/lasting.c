/* lasting.c - see lasting.h. */
#include "plan/lasting.h"

#include <string.h>

#include "base/memory.h"
#include "plan/device_memory.h"
#include "plan/stages.h"

/* ---- planning ---- */

/* Marks the states that the plan writes. */
static void mark_written(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    v->visited = false;
    for (int k = 0; v->leaf >= 0 && k < plan->outputs; k++)
      v->visited |= plan->state_leaf[k] == v->leaf;
  }
}

/* Is v made of nothing but states that the plan does not write? */
static bool is_settled(const icl__pnode *v) {
  if (v->leaf >= 0)
    return v->kind == ICL__LEAF_STATE && !v->visited;
  bool settled = icl__plan_is_global(v) && v->output < 0 && !icl__plan_sends(v);
  for (int j = 0; j < v->inputs; j++)
    settled = settled && v->in[j]->settled;
  return settled;
}

/* The work of many images counts for more than the memory is worth. */
static bool has_few_images(const icl__plan *plan) {
  enum { FEW = 16 };
  for (int i = 0; i < plan->domains; i++)
    if (plan->domain_size[i] > FEW)
      return false;
  return true;
}

/* How many of those that read v are settled. */
static int settled_uses(const icl__pnode *v) {
  int count = 0;
  for (int i = 0; i < v->uses; i++)
    count += v->use[i]->settled;
  return count;
}

/* What only settled ops read is left out with them; what others read lasts. */
icl_status icl__plan_lasting(icl__plan *plan) {
  if (!has_few_images(plan))
    return ICL_OK;
  plan->settled_leaf = icl__alloc((size_t)plan->leaves + 1, sizeof *plan->settled_leaf);
  if (!plan->settled_leaf)
    return ICL_ENOMEM;
  mark_written(plan);
  for (int i = 0; i < plan->nodes; i++)
    plan->node[i]->settled = is_settled(plan->node[i]);
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    if (v->settled && v->leaf >= 0 && settled_uses(v))
      plan->settled_leaf[plan->settled_leaves++] = v->leaf;
    v->lasting = v->settled && v->leaf < 0 && settled_uses(v) < v->uses;
  }
  return ICL_OK;
}

/* ---- running ---- */

void icl__lasting_drop(icl__lasting *lasting) {
  if (lasting->memory)
    icl__device_release(lasting->plan->backend, lasting->plan->device, lasting->memory);
  lasting->memory = NULL;
  lasting->plan = NULL;
  lasting->filled = false;
}

void icl__lasting_free(icl__lasting *lasting) {
  icl__lasting_drop(lasting);
  icl__free(lasting->version);
  *lasting = (icl__lasting){0};
}

static bool same_states(const icl__lasting *lasting, const icl__plan *plan, const uint64_t *version) {
  for (int i = 0; i < plan->settled_leaves; i++)
    if (lasting->version[i] != version[i])
      return false;
  return true;
}

static icl_status note_states(icl__lasting *lasting, const icl__plan *plan, const uint64_t *version) {
  size_t count = (size_t)plan->settled_leaves;
  uint64_t *grown = icl__grow(lasting->version, &lasting->capacity, count, sizeof *grown);
  if (!grown && count)
    return icl__fail(ICL_ENOMEM, "no memory to note %zu states", count);
  lasting->version = grown;
  if (count)
    memcpy(grown, version, count * sizeof *grown);
  lasting->plan = plan;
  return ICL_OK;
}

/* Without memory to spare the values stay in the arena. */
static void take_memory(icl__lasting *lasting, const icl__plan *plan) {
  if (plan->lasting_bytes > icl__device_available(plan->backend, plan->device) / 2 ||
      icl__device_allocate(plan->backend, plan->device, plan->lasting_bytes, &lasting->memory) != ICL_OK)
    lasting->memory = NULL;
}

icl_status icl__lasting_begin(icl__lasting *lasting, const icl__plan *plan, const uint64_t *version,
                              icl__bindings *bindings) {
  if (lasting->plan != plan || !same_states(lasting, plan, version)) {
    icl__lasting_drop(lasting);
    return note_states(lasting, plan, version);
  }
  if (!lasting->memory)
    take_memory(lasting, plan);
  bindings->lasting = lasting->memory;
  bindings->settled = lasting->filled;
  return ICL_OK;
}
