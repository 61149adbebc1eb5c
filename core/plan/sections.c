/* sections.c - global ops over threads: the waves of each section.
 *
 * Small ops that follow one another stay on one thread and need no barrier; large ones that can be computed in parts
 * are split among all threads, in a wave of their own. The smallest load decides which thread takes what is left. A
 * chain is placed as one op. */
#include "plan/plan.h"

#include "base/memory.h"

enum { SPLIT_BYTES = 64 << 10, OP_COST = 2000 };

static size_t traffic(const icl__pnode *v) { return v->opaque ? v->opaque : icl__plan_bytes(v); }

/* Of v alone; what stays in blocks costs no traffic. */
static size_t cost_of(const icl__plan *plan, const icl__pnode *v) {
  size_t bytes = OP_COST + (v->store == ICL__STORE_BLOCK ? 0 : traffic(v));
  for (int j = 0; j < v->inputs; j++)
    if (v->in[j]->store != ICL__STORE_BLOCK)
      bytes += traffic(v->in[j]) * (v->in[j]->behaviour == ICL__REDUCE ? (size_t)plan->policy.threads : 1);
  return bytes;
}

static size_t cost(const icl__plan *plan, const icl__pnode *chain) {
  size_t bytes = 0;
  for (const icl__pnode *v = chain; v; v = v->link)
    bytes += cost_of(plan, v);
  return bytes;
}

enum { NOBODY = -2, ALL = -1 };

/* The first wave v can run in, and the thread that made its inputs in that wave: NOBODY if none was, ALL if several
 * did. */
static void find_wave(const icl__pnode *v, int *wave, int *on) {
  for (int j = 0; j < v->inputs; j++) {
    const icl__pnode *u = v->in[j];
    if (!icl__plan_is_global(u) || u->phase != v->phase || u->chain == v->chain)
      continue;
    if (u->wave > *wave || *on == NOBODY) {
      *wave = u->wave;
      *on = u->on;
    } else if (u->wave == *wave && u->on != *on) {
      *on = ALL;
    }
  }
}

static icl_status grow_waves(icl__plan *plan, icl__phase *phase, int wave, size_t **load) {
  if (wave < phase->waves)
    return ICL_OK;
  size_t threads = (size_t)plan->policy.threads, slots = ((size_t)wave + 1) * threads,
         old = (size_t)phase->waves * threads;
  icl__item **item = icl__realloc(phase->item, slots, sizeof *item);
  if (item)
    phase->item = item;
  int *items = item ? icl__realloc(phase->items, slots, sizeof *items) : NULL;
  if (items)
    phase->items = items;
  size_t *loads = items ? icl__realloc(*load, slots, sizeof *loads) : NULL;
  if (!loads)
    return ICL_ENOMEM;
  *load = loads;
  for (size_t i = old; i < slots; i++) {
    phase->item[i] = NULL;
    phase->items[i] = 0;
    loads[i] = 0;
  }
  phase->waves = wave + 1;
  return ICL_OK;
}

static icl_status add_item(icl__phase *phase, int slot, icl__item item) {
  icl__item *grown = icl__realloc(phase->item[slot], (size_t)phase->items[slot] + 1, sizeof *grown);
  if (!grown)
    return ICL_ENOMEM;
  phase->item[slot] = grown;
  grown[phase->items[slot]++] = item;
  return ICL_OK;
}

static icl_status place(icl__plan *plan, icl__phase *phase, icl__pnode *chain, size_t **load) {
  int threads = plan->policy.threads, wave = 0, on = NOBODY;
  size_t bytes = cost(plan, chain);
  bool split = plan->policy.split && chain->splits && bytes > SPLIT_BYTES && threads > 1;
  for (const icl__pnode *v = chain; v; v = v->link)
    find_wave(v, &wave, &on);
  if (on != NOBODY && (split || on == ALL)) { /* inputs of several threads are complete after a barrier */
    wave++;
    on = ALL;
  }
  ICL__TRY(grow_waves(plan, phase, wave, load));
  if (!split && on < 0) {
    on = 0;
    for (int t = 1; t < threads; t++)
      if ((*load)[wave * threads + t] < (*load)[wave * threads + on])
        on = t;
  }
  for (icl__pnode *v = chain; v; v = v->link) {
    v->wave = wave;
    v->on = split ? ALL : on;
  }
  for (int t = 0; t < threads; t++) {
    if (!split && t != on)
      continue;
    icl__item item = {chain, split ? t : 0, split ? threads : 1};
    ICL__TRY(add_item(phase, wave * threads + t, item));
    (*load)[wave * threads + t] += bytes / (size_t)item.parts;
  }
  return ICL_OK;
}

/* Chains and ops of one level, chains first: an op may read one of its level. */
static icl_status place_level(icl__plan *plan, int level, size_t **load) {
  for (int alone = 0; alone < 2; alone++)
    for (int i = 0; i < plan->nodes; i++) {
      icl__pnode *v = plan->node[i];
      if (icl__plan_is_global(v) && v->level == level && v->chain == v && alone == !v->link)
        ICL__TRY(place(plan, &plan->phase[v->phase], v, &load[v->phase]));
    }
  return ICL_OK;
}

icl_status icl__plan_sections(icl__plan *plan) {
  size_t **load = icl__calloc((size_t)plan->phases + 1, sizeof *load);
  if (!load)
    return ICL_ENOMEM;
  int levels = 0;
  for (int i = 0; i < plan->nodes; i++)
    levels = plan->node[i]->level >= levels ? plan->node[i]->level + 1 : levels;
  icl_status status = ICL_OK;
  for (int level = 0; level < levels && status == ICL_OK; level++)
    status = place_level(plan, level, load);
  for (int p = 0; p <= plan->phases; p++)
    icl__free(load[p]);
  icl__free(load);
  return status;
}
