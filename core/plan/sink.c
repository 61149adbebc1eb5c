/* sink.c - ops with slack wait for the later phase where their inputs are at hand.
 *
 * The backward pass of a shortcut convolution goes to the phase that computes the block's other convolution from the
 * same input; a weight gradient waits until its input is computed again for something else. A byte kept counts 2, a
 * byte computed again 1. */
#include "plan/stages.h"

/* Cost of running v in phase p, where `needed` is the phase of its first user. */
static size_t cost_in_phase(const icl__plan *plan, const icl__pnode *v, int p, int needed) {
  size_t cost = v->behaviour == ICL__MAP && needed > p ? 2 * icl__plan_image_bytes(v) : 0;
  for (int i = 0; i < v->inputs; i++) {
    const icl__pnode *u = v->in[i];
    if (!icl__plan_runs_in_phase(u) || !icl__plan_reads_images(v, i) || u->phase == p)
      continue;
    bool there = false, kept = false;
    for (int k = 0; k < u->uses; k++) {
      const icl__pnode *w = u->use[k];
      if (w == v || !icl__plan_runs_in_phase(w))
        continue;
      there |= w->phase == p;
      kept |= w->phase >= p;
    }
    if (icl__plan_can_recompute(plan, u, p))
      cost += there ? 0 : icl__plan_image_bytes(u);
    else if (!kept)
      cost += 2 * icl__plan_image_bytes(u);
  }
  return cost;
}

/* The last phase v may run in. What begins a phase stays apart from what it reads. */
static int latest(const icl__plan *plan, const icl__pnode *v) {
  int until = plan->phases;
  for (int i = 0; i < v->uses; i++) {
    const icl__pnode *u = v->use[i];
    if (v->behaviour == ICL__REDUCE && u->slack)
      continue;
    int limit = u->phase - u->cuts;
    for (int j = 0; j < u->inputs; j++)
      if (u->in[j] == v && icl__plan_runs_in_phase(u) && !icl__plan_reads_images(u, j))
        limit = u->phase - 1;
    until = limit < until ? limit : until;
  }
  return until;
}

static bool may_sink(const icl__pnode *v) {
  return icl__plan_runs_in_phase(v) && !icl__plan_cheap(v) && v->output < 0 && !(icl__plan_flags(v) & ICL__DRAW);
}

icl_status icl__plan_sink(icl__plan *plan, bool *moved) {
  *moved = false;
  for (int i = plan->nodes - 1; i >= 0; i--) {
    icl__pnode *v = plan->node[i];
    int until = latest(plan, v), best = v->phase;
    if (!may_sink(v) || until <= v->phase)
      continue;
    size_t least = cost_in_phase(plan, v, v->phase, until), cost;
    for (int j = 0; j < v->inputs; j++)
      for (int k = 0; k < v->in[j]->uses && icl__plan_reads_images(v, j); k++) {
        const icl__pnode *u = v->in[j]->use[k];
        if (u->domain != v->domain || !icl__plan_runs_in_phase(u) || u->phase <= v->phase || u->phase > until)
          continue;
        if ((cost = cost_in_phase(plan, v, u->phase, until)) < least) {
          least = cost;
          best = u->phase;
        }
      }
    bool first_user_is_ours = false;
    for (int k = 0; k < v->uses && v->behaviour == ICL__MAP; k++)
      first_user_is_ours |= v->use[k]->phase == until && v->use[k]->domain == v->domain;
    if (first_user_is_ours && (cost = cost_in_phase(plan, v, until, until)) < least) {
      least = cost;
      best = until;
    }
    if (best > v->phase) {
      v->pinned = v->phase = best;
      *moved = true;
      plan->sunk++;
    }
  }
  return ICL_OK;
}
