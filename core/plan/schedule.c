/* schedule.c - when each op runs: phases of map and reduce ops, sections of global ones.
 *
 * An op runs as early as its inputs allow. A phase ends only where a map op needs a value that is complete after a
 * phase: a reduced value of its domain, or a batched value that it sees whole. While a domain can go on, no other one
 * runs, so the passes of a subdivided batch follow one another. */
#include "plan/plan.h"

#include "base/memory.h"

/* Is input j of v, which has its phase, there when v runs in phase p (map, reduce) or in section p (global)? */
static bool input_ready(const icl__pnode *v, int j, int p) {
  const icl__pnode *u = v->in[j];
  if (u->leaf >= 0 || !icl__plan_runs_in_phase(v))
    return u->phase <= p;
  if (icl__plan_runs_in_phase(u) && icl__plan_reads_images(v, j))
    return u->phase <= p;
  return u->phase < p;
}

static bool ready(const icl__pnode *v, int p) {
  if (v->waits || v->pin > p)
    return false;
  for (int j = 0; j < v->inputs; j++)
    if (!input_ready(v, j, p))
      return false;
  return true;
}

/* The waiting ops, in order: done ones are dropped as time goes on. */
typedef struct {
  int count;
  icl__pnode **node;
} waiting;

static void compact(waiting *w) {
  int n = 0;
  for (int i = 0; i < w->count; i++)
    if (w->node[i]->phase < 0)
      w->node[n++] = w->node[i];
  w->count = n;
}

static void set_phase(icl__pnode *v, int p) {
  v->phase = p;
  for (int i = 0; i < v->uses; i++)
    v->use[i]->waits--;
}

static void run_section(waiting *globals, int p) {
  for (int i = 0; i < globals->count; i++)
    if (ready(globals->node[i], p))
      set_phase(globals->node[i], p);
  compact(globals);
}

/* The domain to go on with: the present one if anything of it can run, else that of the first op that can. */
static int choose(const waiting *w, int p, int present) {
  int first = -1;
  for (int i = 0; i < w->count; i++) {
    const icl__pnode *v = w->node[i];
    if ((first >= 0 && v->domain != present) || !ready(v, p))
      continue;
    if (v->domain == present)
      return present;
    first = v->domain;
  }
  return first;
}

static icl_status assign(icl__plan *plan, waiting *ops, waiting *globals) {
  ops->count = globals->count = 0;
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    v->phase = -1;
    v->waits = v->inputs;
    if (icl__plan_runs_in_phase(v))
      ops->node[ops->count++] = v;
    else if (v->leaf < 0)
      globals->node[globals->count++] = v;
  }
  for (int i = 0; i < plan->nodes; i++)
    if (plan->node[i]->leaf >= 0)
      set_phase(plan->node[i], 0);
  int p = 0, domain = -1;
  run_section(globals, 0);
  while (ops->count) {
    domain = choose(ops, p + 1, domain);
    if (domain < 0) { /* only pinned ops are left: they need not wait for phases that never come */
      bool pinned = false;
      for (int i = 0; i < ops->count; i++) {
        pinned |= ops->node[i]->pin > p + 1;
        ops->node[i]->pin = 0;
      }
      if (!pinned)
        return icl__fail(ICL_EINTERNAL, "planner: %s can never run", icl__plan_op_name(ops->node[0]->op));
      continue;
    }
    p++;
    for (int i = 0; i < ops->count; i++)
      if (ops->node[i]->domain == domain && ready(ops->node[i], p))
        set_phase(ops->node[i], p);
    compact(ops);
    run_section(globals, p);
  }
  plan->phases = p;
  return globals->count ? icl__fail(ICL_EINTERNAL, "planner: %s can never run", icl__plan_op_name(globals->node[0]->op))
                        : ICL_OK;
}

/* A global op has slack if no op of a phase waits for its value, directly or through others. */
static void find_slack(icl__plan *plan) {
  for (int i = plan->nodes - 1; i >= 0; i--) {
    icl__pnode *v = plan->node[i];
    v->slack = icl__plan_is_global(v);
    for (int j = 0; j < v->uses; j++)
      v->slack = v->slack && v->use[j]->slack;
  }
}

/* Preparations run just before the phase that needs them; new versions of states in the last section. */
static void place_globals(icl__plan *plan) {
  for (int i = plan->nodes - 1; i >= 0; i--) {
    icl__pnode *v = plan->node[i];
    if (v->op == ICL__PLAN_PREPARE && plan->policy.late_prepare) {
      int first = plan->phases;
      for (int j = 0; j < v->uses; j++)
        first = v->use[j]->phase - 1 < first ? v->use[j]->phase - 1 : first;
      v->phase = first > v->phase ? first : v->phase;
    }
    if (v->state_output && v->slack && v->op != ICL__PLAN_FINISH)
      v->phase = plan->phases;
  }
  for (int i = 0; i < plan->nodes; i++) /* what uses a postponed version runs after it */
    for (int j = 0; j < plan->node[i]->inputs && icl__plan_is_global(plan->node[i]); j++)
      if (plan->node[i]->in[j]->phase > plan->node[i]->phase)
        plan->node[i]->phase = plan->node[i]->in[j]->phase;
}

icl_status icl__plan_schedule(icl__plan *plan) {
  waiting ops = {0, icl__alloc((size_t)plan->nodes, sizeof *ops.node)};
  waiting globals = {0, icl__alloc((size_t)plan->nodes, sizeof *globals.node)};
  icl_status status = ops.node && globals.node ? assign(plan, &ops, &globals) : ICL_ENOMEM;
  find_slack(plan);
  bool moved = plan->policy.sink;
  for (int round = 0; round < 4 && moved && status == ICL_OK; round++) {
    status = icl__plan_sink(plan, &moved);
    if (moved && status == ICL_OK)
      status = assign(plan, &ops, &globals);
  }
  icl__free(ops.node);
  icl__free(globals.node);
  if (status != ICL_OK)
    return status;
  place_globals(plan);
  plan->phase = icl__calloc((size_t)plan->phases + 1, sizeof *plan->phase);
  return plan->phase ? ICL_OK : ICL_ENOMEM;
}
