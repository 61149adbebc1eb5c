/* chains.c - elementwise global ops that run as one.
 *
 * An optimizer written in Lua is a dozen elementwise ops for each parameter. Ops of one shape that read one another
 * make a chain: its section places it as it places an op, and it runs block by block, so that a block is still in the
 * cache when the next op reads it. A value that only the chain reads is never in memory as a whole.
 *
 * Levels keep a chain from waiting for itself: what a chain reads from outside has a lower level than the chain. */
#include "plan/stages.h"

#include <limits.h>

static bool is_single(const icl__pnode *v) { return icl__count(v->rank, v->shape) == 1; }

static bool is_dense(const icl__pnode *v) {
  return !v->opaque && v->rank && icl__plan_pitch(v) == v->shape[v->rank - 1];
}

/* May v be part of a chain? Its inputs must be of its shape, or single numbers. */
static bool may_link(const icl__pnode *v) {
  if (!icl__plan_is_global(v) || !icl__plan_elementwise(v) || !v->splits || is_single(v))
    return false;
  for (int j = 0; j < v->inputs; j++)
    if (!is_single(v->in[j]) && !(icl__plan_same_shape(v->in[j], v) && is_dense(v->in[j])))
      return false;
  return true;
}

static bool runs_before(const icl__pnode *u, const icl__pnode *v) {
  return icl__plan_is_global(u) && u->phase == v->phase;
}

/* Is u, which v reads, never part of v's chain? What lasts is left out by itself. */
static bool apart(const icl__pnode *u, const icl__pnode *v) { return !u->links || u->settled != v->settled; }

static void find_level(icl__pnode *v) {
  v->chain = v;
  v->level = 0;
  v->links = may_link(v);
  for (int j = 0; j < v->inputs; j++) {
    const icl__pnode *u = v->in[j];
    int least = runs_before(u, v) ? u->level + (v->links && apart(u, v)) : 0;
    v->level = least > v->level ? least : v->level;
  }
}

/* As high as what reads v allows: so it meets more of its chain. */
static void raise_level(icl__pnode *v) {
  int lowest = INT_MAX;
  for (int i = 0; v->links && i < v->uses; i++) {
    const icl__pnode *u = v->use[i];
    int most = runs_before(v, u) ? u->level - (u->links && apart(v, u)) : INT_MAX;
    lowest = most < lowest ? most : lowest;
  }
  v->level = lowest < INT_MAX ? lowest : v->level;
}

static icl__pnode *first_of(icl__pnode *v) {
  while (v->chain != v)
    v = v->chain;
  return v;
}

/* Joins the chains of v and of those of its inputs that are of the same level. */
static void join(icl__pnode *v) {
  for (int j = 0; v->links && j < v->inputs; j++) {
    icl__pnode *u = v->in[j];
    if (!runs_before(u, v) || apart(u, v) || u->level != v->level)
      continue;
    icl__pnode *a = first_of(u), *b = first_of(v);
    *(a->index < b->index ? &b->chain : &a->chain) = a->index < b->index ? a : b;
  }
}

/* Puts v at the end of its chain. */
static void append(icl__pnode *v) {
  icl__pnode *last = v->chain = first_of(v);
  while (last->link)
    last = last->link;
  if (v != v->chain) {
    v->place = last->place + 1;
    last->link = v;
  }
}

/* A value that only its chain reads is kept a block at a time. */
static void choose_store(icl__pnode *v) {
  if (!v->chain->link || v->output >= 0)
    return;
  v->last_place = v->place;
  for (int i = 0; i < v->uses; i++) {
    if (v->use[i]->chain != v->chain)
      return;
    v->last_place = v->use[i]->place > v->last_place ? v->use[i]->place : v->last_place;
  }
  v->store = ICL__STORE_BLOCK;
}

void icl__plan_chains(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++)
    find_level(plan->node[i]);
  for (int i = plan->nodes - 1; i >= 0; i--)
    raise_level(plan->node[i]);
  for (int i = 0; plan->policy.link && i < plan->nodes; i++)
    join(plan->node[i]);
  for (int i = 0; i < plan->nodes; i++)
    append(plan->node[i]);
  for (int i = 0; i < plan->nodes; i++)
    choose_store(plan->node[i]);
}
