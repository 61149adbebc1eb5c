/* recompute.c - keep a value for later phases, or compute it again there.
 *
 * A value is computed again if it is cheap, if that keeps fewer bytes than storing it would, and if it reads at most
 * policy.reads times its own bytes, with everything that has to be computed again for it. So the output of a residual
 * block is found from the one before it if that is kept: every other one is. */
#include "plan/stages.h"

#include "base/memory.h"

static size_t add(size_t a, size_t b) { return a > SIZE_MAX - b ? SIZE_MAX : a + b; }

/* Is batched value u in memory in phase p anyway, apart from its use by `except`? */
static bool is_there(const icl__pnode *u, int p, const icl__pnode *except) {
  if (!icl__plan_runs_in_phase(u) || u->phase == p || u->output >= 0)
    return true;
  for (int i = 0; i < u->uses && !u->again; i++) {
    const icl__pnode *w = u->use[i];
    if (w != except && w->phase >= p && (icl__plan_runs_in_phase(w) || w->phase > u->phase))
      return true;
  }
  return false;
}

enum { DEEPEST = 16 };

/* Bytes an image that must be kept so that v can be computed again in phase p. */
static size_t keeps(const icl__pnode *v, int p, int depth) {
  size_t cost = 0;
  for (int i = 0; i < v->inputs; i++) {
    const icl__pnode *u = v->in[i];
    if (!icl__plan_reads_images(v, i) || is_there(u, p, v))
      continue;
    size_t again = icl__plan_cheap(u) && depth < DEEPEST ? keeps(u, p, depth + 1) : SIZE_MAX;
    size_t keep = icl__plan_image_bytes(u);
    cost = add(cost, again < keep ? again : keep);
  }
  return cost;
}

/* Bytes an image read from memory to compute v again in phase p. What lies between stays in the cache. */
static size_t reads(const icl__pnode *v, int p, int depth) {
  size_t bytes = 0;
  for (int i = 0; i < v->inputs; i++) {
    const icl__pnode *u = v->in[i];
    if (!icl__plan_reads_images(v, i))
      continue;
    bool found = icl__plan_cheap(u) && !is_there(u, p, v);
    bytes = add(bytes, !found ? icl__plan_image_bytes(u) : depth < DEEPEST ? reads(u, p, depth + 1) : SIZE_MAX);
  }
  return bytes;
}

/* A gate of each channel, say, is little beside images. */
static size_t little_more(size_t bytes) { return bytes + bytes / 8; }

bool icl__plan_can_recompute(const icl__plan *plan, const icl__pnode *v, int phase) {
  size_t bytes = icl__plan_image_bytes(v);
  if (icl__plan_is_part(plan, v))
    return true; /* it costs nothing */
  return plan->policy.recompute && icl__plan_cheap(v) && v->output < 0 && keeps(v, phase, 0) < bytes &&
         reads(v, phase, 0) <= (size_t)plan->policy.reads * little_more(bytes);
}

/* The last phase in which an op reads v image by image; v's own if none. A value that is seen whole has to be kept. */
static int last_phase(const icl__pnode *v) {
  int last = v->phase;
  for (int i = 0; i < v->uses; i++) {
    const icl__pnode *u = v->use[i];
    for (int j = 0; j < u->inputs; j++)
      if (u->in[j] == v && !icl__plan_reads_images(u, j))
        return v->phase;
    last = u->phase > last ? u->phase : last;
  }
  return last;
}

static void forget_use(icl__pnode *v, const icl__pnode *user) {
  int n = 0;
  for (int i = 0; i < v->uses; i++)
    if (v->use[i] != user)
      v->use[n++] = v->use[i];
  v->uses = n;
}

/* Gives the users in phase p a copy of v of their own. */
static icl_status copy_into(icl__plan *plan, icl__pnode *v, int p) {
  icl__pnode *copy = icl__plan_add(plan, v->op, v, v->inputs, v->in);
  if (!copy)
    return ICL_ENOMEM;
  copy->attr = v->attr;
  copy->batched = v->batched;
  copy->phase = p;
  for (int j = 0; j < v->inputs; j++)
    ICL__TRY(icl__plan_add_use(v->in[j], copy));
  for (int i = 0; i < v->uses; i++) {
    icl__pnode *u = v->use[i];
    if (u->phase != p)
      continue;
    for (int j = 0; j < u->inputs; j++)
      if (u->in[j] == v) {
        u->in[j] = copy;
        ICL__TRY(icl__plan_add_use(copy, u));
      }
  }
  for (int i = 0; i < copy->uses; i++)
    forget_use(v, copy->use[i]);
  plan->recomputed++;
  plan->recomputed_bytes += icl__plan_image_bytes(v) * (size_t)plan->domain_size[v->domain];
  return ICL_OK;
}

/* Takes v out of the plan's work: nothing needs it any more. */
static void drop(icl__pnode *v) {
  for (int j = 0; j < v->inputs; j++)
    forget_use(v->in[j], v);
  v->inputs = 0;
  v->alive = false;
}

/* Takes out the values that only later phases needed, where they have copies now. */
static void drop_unused(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++)
    plan->node[i]->alive = true;
  for (bool again = true; again;) {
    again = false;
    for (int i = plan->nodes - 1; i >= 0; i--) {
      icl__pnode *v = plan->node[i];
      if (!v->alive || v->behaviour != ICL__MAP || v->uses || v->output >= 0)
        continue;
      drop(v);
      again = true;
    }
  }
  int n = 0;
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    if (v->alive) {
      plan->node[n++] = v;
    } else {
      icl__pnode_free(v);
    }
  }
  plan->nodes = n;
}

/* A phase whose ops were all moved away or computed elsewhere vanishes: its section becomes part of the one before. The
 * last one of a plan that sends has no ops and stays. */
static icl_status drop_empty_phases(icl__plan *plan) {
  int *number = icl__calloc((size_t)plan->phases + 1, sizeof *number); /* first 1 for a phase that stays */
  if (!number)
    return ICL_ENOMEM;
  for (int i = 0; i < plan->nodes; i++)
    if (icl__plan_runs_in_phase(plan->node[i]) || icl__plan_sends(plan->node[i]))
      number[plan->node[i]->phase] = 1;
  if (plan->sends)
    number[plan->phases] = 1;
  for (int p = 1; p <= plan->phases; p++)
    number[p] += number[p - 1];
  for (int i = 0; i < plan->nodes; i++)
    plan->node[i]->phase = number[plan->node[i]->phase];
  plan->phases = number[plan->phases];
  icl__free(number);
  return ICL_OK;
}

/* Decided in the order in which values are made: what is computed again from a residual sum, is from one that is kept.
 * Copies are made of users first, so that those of their inputs are made after them. They are appended and need no
 * visit of their own: they are used in their own phase only. */
icl_status icl__plan_keep_or_recompute(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    int last = v->behaviour == ICL__MAP ? last_phase(v) : v->phase;
    v->again = last > v->phase && icl__plan_can_recompute(plan, v, last);
  }
  for (int i = plan->nodes - 1; i >= 0; i--) {
    icl__pnode *v = plan->node[i];
    if (v->behaviour != ICL__MAP)
      continue;
    for (int p; (p = last_phase(v)) > v->phase && icl__plan_can_recompute(plan, v, p);)
      ICL__TRY(copy_into(plan, v, p));
  }
  drop_unused(plan);
  return drop_empty_phases(plan);
}
