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

/* Is v made of nothing but states that the plan does not write, and kept in a place of its own? */
static bool is_settled(const icl__pnode *v) {
  if (v->leaf >= 0)
    return v->kind == ICL__LEAF_STATE && !v->visited;
  bool settled = icl__plan_is_global(v) && v->output < 0 && !v->inside && !icl__plan_sends(v);
  for (int j = 0; j < v->inputs; j++)
    settled = settled && v->in[j]->settled;
  return settled;
}

/* Of some images, but few: the work of many counts for more than the memory is worth. */
bool icl__plan_has_few_images(const icl__plan *plan) {
  enum { FEW_IMAGES = 16 };
  for (int i = 0; i < plan->domains; i++)
    if (plan->domain_size[i] > FEW_IMAGES)
      return false;
  return plan->domains > 0;
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
  if (!icl__plan_has_few_images(plan))
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
    if (v->settled && v->leaf < 0 && settled_uses(v) < v->uses)
      v->store = ICL__STORE_LASTING;
  }
  return ICL_OK;
}

/* ---- running ---- */

void icl__lasting_drop(icl__lasting *lasting) {
  if (lasting->memory)
    icl__device_release(lasting->backend, lasting->device, lasting->memory);
  lasting->memory = NULL;
  lasting->bytes = 0;
  lasting->plan = NULL;
}

void icl__lasting_free(icl__lasting *lasting) {
  icl__lasting_drop(lasting);
  icl__free(lasting->version);
  *lasting = (icl__lasting){0};
}

icl_status icl__lasting_reserve(icl__lasting *lasting, const icl__plan *plan) {
  if (plan->lasting_bytes <= lasting->bytes)
    return ICL_OK;
  icl__lasting_drop(lasting);
  ICL__TRY(icl__device_allocate(plan->backend, plan->device, plan->lasting_bytes, &lasting->memory));
  lasting->bytes = plan->lasting_bytes;
  lasting->backend = plan->backend;
  lasting->device = plan->device;
  return ICL_OK;
}

static bool is_filled(const icl__lasting *lasting, const icl__plan *plan, const uint64_t *version) {
  if (lasting->plan != plan)
    return false;
  for (int i = 0; i < plan->settled_leaves; i++)
    if (lasting->version[i] != version[i])
      return false;
  return true;
}

/* Memory whose values are of no use is kept for the next plan, but not for long. */
static void age(icl__lasting *lasting) {
  enum { OLD = 16 };
  if (lasting->memory && !lasting->plan && ++lasting->idle > OLD)
    icl__lasting_drop(lasting);
}

void icl__lasting_begin(icl__lasting *lasting, const icl__plan *plan, const uint64_t *version,
                        icl__bindings *bindings) {
  if (!plan->lasting_bytes) {
    age(lasting);
    return;
  }
  bindings->settled = is_filled(lasting, plan, version);
  if (!bindings->settled)
    lasting->plan = NULL;
  bindings->lasting = lasting->memory;
  lasting->idle = 0;
}

void icl__lasting_end(icl__lasting *lasting, const icl__plan *plan, const uint64_t *version) {
  size_t count = (size_t)plan->settled_leaves;
  uint64_t *grown = icl__grow(lasting->version, &lasting->capacity, count + 1, sizeof *grown);
  if (!grown)
    return; /* the next run fills them again */
  memcpy(grown, version, count * sizeof *grown);
  lasting->version = grown;
  lasting->plan = plan;
}
