/* schedule.c - when each op runs: phases of map and reduce ops, sections of global ones.
 *
 * An op runs as early as its inputs allow. A phase ends only where a map op needs a value that is complete after a
 * phase: a reduced value of its domain, or a batched value that it sees whole. While a domain can go on, no other one
 * runs, so the passes of a subdivided batch follow one another. A phase is also what an all_reduce takes. */
#include "plan/stages.h"

#include "base/memory.h"

/* Is input j of v, which has its phase, there when v runs in phase p (map, reduce) or in section p (global)? */
static bool input_ready(const icl__pnode *v, int j, int p) {
  const icl__pnode *u = v->in[j];
  if (icl__plan_sends(v))
    return u->phase < p;
  if (u->leaf >= 0 || !icl__plan_runs_in_phase(v))
    return u->phase <= p;
  if (icl__plan_runs_in_phase(u) && icl__plan_reads_images(v, j))
    return u->phase <= p;
  return u->phase < p;
}

/* An all_reduce that a phase waits for leaves when those before it have left. */
static bool may_leave(const icl__plan *plan, const icl__pnode *v) {
  const icl__bucket *before = v->slack || !v->bucket->place ? NULL : plan->bucket[v->bucket->place - 1];
  return !before || before->member[0]->phase >= 0;
}

static bool ready(const icl__plan *plan, const icl__pnode *v, int p) {
  if (v->waits || v->pinned > p || (icl__plan_sends(v) && !may_leave(plan, v)))
    return false;
  for (int j = 0; j < v->inputs; j++)
    if (!input_ready(v, j, p))
      return false;
  return true;
}

/* Ops whose inputs have their phase; `left` counts those that have none themselves, here or not yet here. */
typedef struct {
  int count, left;
  icl__pnode **node;
} waiting;

typedef struct {
  icl__plan *plan;
  waiting ops, globals; /* of phases, of sections */
} schedule;

static void enter(schedule *s, icl__pnode *v) {
  waiting *w = icl__plan_runs_in_phase(v) ? &s->ops : &s->globals;
  w->node[w->count++] = v;
}

static void set_phase(schedule *s, icl__pnode *v, int p) {
  v->phase = p;
  for (int i = 0; i < v->uses; i++)
    if (--v->use[i]->waits == 0)
      enter(s, v->use[i]);
}

/* Gives phase p to the ops of a domain (-1: of any) that can run then, those included that enter meanwhile. Returns
 * whether there were any. */
static bool advance(schedule *s, waiting *w, int domain, int p) {
  int kept = 0, left = w->left;
  for (int i = 0; i < w->count; i++) {
    icl__pnode *v = w->node[i];
    if ((domain < 0 || v->domain == domain) && ready(s->plan, v, p))
      set_phase(s, v, p);
    else
      w->node[kept++] = v;
  }
  w->left -= w->count - kept;
  w->count = kept;
  return w->left < left;
}

static void advance_globals(schedule *s, int p) {
  while (advance(s, &s->globals, -1, p)) /* an all_reduce may have waited for one behind it in the list */
    ;
}

/* Is there something to send in phase p? */
static bool has_to_send(const schedule *s, int p) {
  for (int i = 0; i < s->globals.count; i++)
    if (icl__plan_sends(s->globals.node[i]) && ready(s->plan, s->globals.node[i], p))
      return true;
  return false;
}

/* The domain to go on with: the present one if anything of it can run, else that of the first op that can. */
static int choose(const schedule *s, int p, int present) {
  const waiting *w = &s->ops;
  const icl__pnode *first = NULL;
  for (int i = 0; i < w->count; i++) {
    const icl__pnode *v = w->node[i];
    if (!ready(s->plan, v, p))
      continue;
    if (v->domain == present)
      return present;
    first = !first || v->index < first->index ? v : first;
  }
  return first ? first->domain : -1;
}

/* Sets the pins of ops without a phase aside; false if there was none. */
static bool unpin(icl__plan *plan, int p) {
  bool pinned = false;
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    if (v->phase < 0) {
      pinned |= v->pinned > p;
      v->pinned = 0;
    }
  }
  return pinned;
}

static icl_status never_runs(const schedule *s) {
  for (int i = 0; i < s->plan->nodes; i++)
    if (s->plan->node[i]->phase < 0)
      return icl__fail(ICL_EINTERNAL, "planner: %s can never run", icl__plan_op_name(s->plan->node[i]->op));
  return ICL_OK;
}

static icl_status assign(schedule *s) {
  icl__plan *plan = s->plan;
  s->ops.count = s->ops.left = s->globals.count = s->globals.left = 0;
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    v->phase = -1;
    v->waits = v->inputs;
    if (icl__plan_runs_in_phase(v))
      s->ops.left++;
    else if (v->leaf < 0)
      s->globals.left++;
  }
  for (int i = 0; i < plan->nodes; i++)
    if (plan->node[i]->leaf >= 0)
      set_phase(s, plan->node[i], 0);
  int p = 0, domain = -1;
  bool computes = true; /* the last phase */
  advance_globals(s, 0);
  while (s->ops.left || s->globals.left) {
    domain = choose(s, p + 1, domain);
    if (domain < 0 && !has_to_send(s, p + 1)) { /* only pinned ops are left: they need not wait for what never comes */
      if (!unpin(plan, p + 1))
        return never_runs(s);
      continue;
    }
    p++;
    computes = domain >= 0;
    if (computes)
      advance(s, &s->ops, domain, p);
    advance_globals(s, p);
  }
  plan->phases = p + (plan->sends && computes);
  return ICL_OK;
}

/* A global op has slack if no op of a phase waits for its value, directly or through others. */
void icl__plan_slack(icl__plan *plan) {
  for (int i = plan->nodes - 1; i >= 0; i--) {
    icl__pnode *v = plan->node[i];
    v->slack = icl__plan_is_global(v);
    for (int j = 0; j < v->uses; j++)
      v->slack = v->slack && v->use[j]->slack;
  }
}

/* The phase, or section, in which v is needed first; what is to be sent is needed at once. */
static int first_use(const icl__plan *plan, const icl__pnode *v) {
  int first = plan->phases;
  for (int j = 0; j < v->uses; j++) {
    int use = icl__plan_sends(v->use[j]) ? v->phase : v->use[j]->phase;
    first = use < first ? use : first;
  }
  return first;
}

static void postpone(icl__pnode *v, int phase) { v->phase = phase > v->phase ? phase : v->phase; }

/* Marks what needs an all_reduce, directly or through other global ops. */
static void mark_received(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    v->visited = icl__plan_sends(v);
    for (int j = 0; j < v->inputs && icl__plan_is_global(v); j++)
      v->visited |= icl__plan_is_global(v->in[j]) && v->in[j]->visited;
  }
}

/* What uses a postponed value runs after it. */
static void follow(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    for (int j = 0; j < v->inputs && icl__plan_is_global(v); j++)
      postpone(v, v->in[j]->phase + icl__plan_sends(v));
    plan->phases = v->phase > plan->phases ? v->phase : plan->phases;
  }
}

/* Preparations run just before the phase that needs them; new versions of states in the last section, and elementwise
 * ops, where nothing waits for them, beside what needs them: they may become a chain. What the other ranks send is
 * waited for as late as can be. */
static void place_globals(icl__plan *plan) {
  mark_received(plan);
  for (int i = plan->nodes - 1; i >= 0; i--) {
    icl__pnode *v = plan->node[i];
    if (v->op == ICL__PLAN_PREPARE && plan->policy.late_prepare)
      postpone(v, first_use(plan, v) - 1);
    else if (v->state_output && v->slack && v->op != ICL__PLAN_FINISH)
      postpone(v, plan->phases);
    else if (v->output < 0 && v->slack && plan->policy.link && icl__plan_elementwise(v))
      postpone(v, first_use(plan, v));
    else if (v->slack && v->visited)
      postpone(v, v->output < 0 ? first_use(plan, v) : plan->phases);
  }
  do
    follow(plan);
  while (icl__plan_delay_buckets(plan));
}

icl_status icl__plan_schedule(icl__plan *plan) {
  schedule s = {.plan = plan};
  s.ops.node = icl__alloc((size_t)plan->nodes, sizeof *s.ops.node);
  s.globals.node = icl__alloc((size_t)plan->nodes, sizeof *s.globals.node);
  icl_status status = s.ops.node && s.globals.node ? assign(&s) : ICL_ENOMEM;
  bool moved = plan->policy.sink;
  for (int round = 0; round < 4 && moved && status == ICL_OK; round++) {
    status = icl__plan_sink(plan, &moved);
    if (moved && status == ICL_OK)
      status = assign(&s);
  }
  icl__free(s.ops.node);
  icl__free(s.globals.node);
  if (status != ICL_OK)
    return status;
  place_globals(plan);
  plan->phase = icl__calloc((size_t)plan->phases + 1, sizeof *plan->phase);
  return plan->phase ? ICL_OK : ICL_ENOMEM;
}
