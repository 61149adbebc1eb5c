/* sections.c - global ops over threads: the waves of each section.
 *
 * Small ops that follow one another stay on one thread and need no barrier; large ones that can be computed in parts
 * are split among all threads, in a wave of their own, and so that a thread has a moment between its parts in which it
 * can be asked to stop. The smallest load decides which thread takes what is left. A chain is placed as one op. */
#include "plan/stages.h"

#include "base/memory.h"

enum { SPLIT_BYTES = 64 << 10, PART_BYTES = 16 << 20, OP_COST = 2000 };

static size_t cost(const icl__plan *plan, const icl__pnode *chain) {
  size_t bytes = 0;
  for (const icl__pnode *v = chain; v; v = v->link)
    bytes += OP_COST + icl__plan_traffic(plan, v);
  return bytes;
}

/* Is v there before its section, because it has come in the phase? */
static bool has_come(const icl__pnode *v) { return icl__plan_sends(v) && v->inside; }

enum { NOBODY = -2, ALL = -1 };

/* The first wave v can run in, and the thread that made its inputs in that wave: NOBODY if none was, ALL if several
 * did. */
static void find_wave(const icl__pnode *v, int *wave, int *on) {
  for (int j = 0; j < v->inputs; j++) {
    const icl__pnode *u = v->in[j];
    if (!icl__plan_is_global(u) || u->phase != v->phase || u->chain == v->chain || has_come(u))
      continue;
    if (u->wave > *wave || *on == NOBODY) {
      *wave = u->wave;
      *on = u->on;
    } else if (u->wave == *wave && u->on != *on) {
      *on = ALL;
    }
  }
}

static icl_status grow_waves(icl__phase *phase, int wave, int threads) {
  if (wave < phase->waves)
    return ICL_OK;
  int old = phase->waves * threads, needed = (wave + 1) * threads;
  icl__lane *grown = icl__grow(phase->lane, &phase->lane_capacity, (size_t)needed, sizeof *grown);
  if (!grown)
    return ICL_ENOMEM;
  phase->lane = grown;
  for (int i = old; i < needed; i++)
    phase->lane[i] = (icl__lane){0};
  phase->waves = wave + 1;
  return ICL_OK;
}

static icl_status add_item(icl__lane *lane, icl__item item, size_t bytes) {
  icl__item *grown = icl__grow(lane->item, &lane->capacity, (size_t)lane->items + 1, sizeof *grown);
  if (!grown)
    return ICL_ENOMEM;
  lane->item = grown;
  lane->item[lane->items++] = item;
  lane->load += bytes;
  return ICL_OK;
}

static int least_loaded(const icl__lane *lane, int threads) {
  int least = 0;
  for (int t = 1; t < threads; t++)
    if (lane[t].load < lane[least].load)
      least = t;
  return least;
}

static icl_status place(icl__plan *plan, icl__phase *phase, icl__pnode *chain) {
  int threads = plan->policy.threads, wave = 0, on = NOBODY;
  size_t bytes = cost(plan, chain);
  bool split = plan->policy.split && chain->splits && bytes > SPLIT_BYTES && threads > 1;
  for (const icl__pnode *v = chain; v; v = v->link)
    find_wave(v, &wave, &on);
  if (on != NOBODY && (split || on == ALL)) { /* inputs of several threads are complete after a barrier */
    wave++;
    on = ALL;
  }
  ICL__TRY(grow_waves(phase, wave, threads));
  icl__lane *lane = &phase->lane[wave * threads];
  if (split)
    on = ALL;
  else if (on < 0)
    on = least_loaded(lane, threads);
  for (icl__pnode *v = chain; v; v = v->link) {
    v->wave = wave;
    v->on = on;
  }
  if (!split)
    return add_item(&lane[on], (icl__item){chain, 0, 1}, bytes);
  int each = 1 + (int)(bytes / (size_t)threads / PART_BYTES);
  for (int part = 0; part < each * threads; part++)
    ICL__TRY(add_item(&lane[part / each], (icl__item){chain, part, each * threads}, bytes / (size_t)(each * threads)));
  return ICL_OK;
}

/* Chains and ops of one level, chains first: an op may read one of its level. */
static icl_status place_level(icl__plan *plan, int level) {
  for (int alone = 0; alone < 2; alone++)
    for (int i = 0; i < plan->nodes; i++) {
      icl__pnode *v = plan->node[i];
      if (icl__plan_is_global(v) && v->level == level && v->chain == v && alone == !v->link && !has_come(v))
        ICL__TRY(place(plan, &plan->phase[v->phase], v));
    }
  return ICL_OK;
}

icl_status icl__plan_sections(icl__plan *plan) {
  int levels = 0;
  for (int i = 0; i < plan->nodes; i++)
    levels = plan->node[i]->level >= levels ? plan->node[i]->level + 1 : levels;
  for (int level = 0; level < levels; level++)
    ICL__TRY(place_level(plan, level));
  return ICL_OK;
}
