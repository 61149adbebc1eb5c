/* buckets.c - what is sent to the other ranks, together and in which order.
 *
 * Ranks plan for themselves, and a phase of one may be another's two, so nothing here looks at phases: what ranks have
 * in common is the order in which everything was recorded. In it all_reduces that nothing waits for, as those of
 * gradients, are gathered in buckets, as long as none depends on another. An all_reduce that the phases wait for, as
 * that of batch norm's sums, is sent by itself and before all buckets. A bucket is sent when the last op that one of
 * its members needs was recorded, by which the gradients of the last layer leave first.
 *
 * With the last bucket travel the flags of the step. It leaves when all else is computed: who has it from all ranks
 * knows that none of them has failed. */
#include "plan/stages.h"

#include "base/memory.h"
#include "group/flags.h"

typedef struct {
  icl__plan *plan;
  int open[ICL_DTYPE_COUNT]; /* the bucket that takes more of this dtype; -1: there is none */
  int first;                 /* the first bucket that may have several members; -1: there is none yet */
  int *ready, *after;        /* of each node, as in icl__bucket */
} gathering;

/* ---- what is sent ---- */

static bool joins(const icl__pnode *v) { return icl__plan_sends(v) && v->attr.i[ALL_REDUCE_JOIN]; }

/* Is v to be the sum that the threads of one process would have: of partial sums in f64, rounded once? Those in a
 * layout of a kernel's own are added in f32 there, too. */
static bool adds_in_f64(const icl__pnode *v) {
  const icl__pnode *f = v->in[0];
  return v->attr.i[ALL_REDUCE_WIDE] && v->dtype == ICL_F32 && f->op == ICL__PLAN_FINISH &&
         !(icl__plan_flags(f->in[0]) & ICL__OPAQUE);
}

static icl_dtype dtype_of(const icl__pnode *v) {
  if (adds_in_f64(v))
    return ICL_F64;
  return icl_dtype_bytes(v->dtype) < sizeof(float) ? ICL_F32 : v->dtype;
}

static size_t elements(const icl__pnode *v) { return (size_t)icl__count(v->rank, v->shape); }

/* Values begin on cache lines. */
static size_t padded(icl_dtype dtype, size_t count) {
  size_t line = ICL__ALIGNMENT / icl_dtype_bytes(dtype);
  return (count + line - 1) / line * line;
}

size_t icl__bucket_bytes(const icl__bucket *b) {
  return (b->count + (b->flags ? ICL__FLAGS : 0)) * icl_dtype_bytes(b->dtype);
}

/* ---- gathering ---- */

static icl__bucket *add_bucket(icl__plan *plan, icl_dtype dtype) {
  icl__bucket **grown =
      icl__grow(plan->bucket, &plan->bucket_capacity, (size_t)plan->buckets + 1, sizeof(icl__bucket *));
  if (grown)
    plan->bucket = grown;
  icl__bucket *b = grown ? icl__calloc(1, sizeof *b) : NULL;
  if (!b)
    return NULL;
  b->dtype = dtype;
  b->number = plan->buckets;
  return plan->bucket[plan->buckets++] = b;
}

/* The first parameters get their gradients last, and nothing is left then to be computed while they travel. */
static bool has_room(const gathering *g, const icl__bucket *b, const icl__pnode *v) {
  const icl__policy *policy = &g->plan->policy;
  size_t most = b->number == g->first ? policy->last_bucket_bytes : policy->bucket_bytes;
  return (b->count + elements(v)) * icl_dtype_bytes(b->dtype) <= most;
}

/* The bucket that v goes into. */
static icl__bucket *bucket_for(gathering *g, icl__pnode *v) {
  icl__plan *plan = g->plan;
  icl_dtype dtype = dtype_of(v);
  int *open = &g->open[dtype];
  bool alone = !v->slack || joins(v) || !plan->policy.bucket;
  if (!alone && *open >= 0 && has_room(g, plan->bucket[*open], v))
    return plan->bucket[*open];
  icl__bucket *b = add_bucket(plan, dtype);
  if (!b || alone)
    return b;
  g->first = g->first < 0 ? b->number : g->first;
  *open = b->number;
  return b;
}

static icl_status put(gathering *g, icl__pnode *v) {
  for (int d = 0; d < ICL_DTYPE_COUNT; d++) /* it may need a member of these */
    if (g->open[d] < g->after[v->index])
      g->open[d] = -1;
  icl__bucket *b = bucket_for(g, v);
  icl__pnode **grown = b ? icl__grow(b->member, &b->capacity, (size_t)b->members + 1, sizeof *grown) : NULL;
  if (!grown)
    return ICL_ENOMEM;
  b->member = grown;
  b->member[b->members++] = v;
  if (adds_in_f64(v) && v->in[0]->uses == 1 && v->in[0]->output < 0)
    v->in[0]->stored = ICL_F64;
  v->bucket = b;
  v->element = b->count;
  b->join = joins(v);
  b->count += padded(b->dtype, elements(v));
  b->ready = g->ready[v->index] > b->ready ? g->ready[v->index] : b->ready;
  b->after = g->after[v->index] > b->after ? g->after[v->index] : b->after;
  g->after[v->index] = b->number + 1;
  return ICL_OK;
}

static icl_status gather(gathering *g) {
  for (int i = 0; i < g->plan->nodes; i++) {
    icl__pnode *v = g->plan->node[i];
    g->ready[i] = icl__plan_runs_in_phase(v) ? v->key : 0;
    g->after[i] = 0;
    for (int j = 0; j < v->inputs; j++) {
      int u = v->in[j]->index;
      if (!icl__plan_runs_in_phase(v) && g->ready[u] > g->ready[i])
        g->ready[i] = g->ready[u];
      g->after[i] = g->after[u] > g->after[i] ? g->after[u] : g->after[i];
    }
    if (icl__plan_sends(v))
      ICL__TRY(put(g, v));
  }
  return ICL_OK;
}

/* ---- the order ---- */

/* Is there a member that a phase waits for? Then it is the only one. */
static bool hurries(const icl__bucket *b) { return b->members && !b->member[0]->slack; }

static bool goes_before(const icl__bucket *b, const icl__bucket *other) {
  if (hurries(b) != hurries(other))
    return hurries(b);
  return !hurries(b) && b->ready < other->ready && b->after <= other->number;
}

static void sort(icl__plan *plan) {
  for (int i = 1; i < plan->buckets; i++) {
    icl__bucket *b = plan->bucket[i];
    int at = i;
    for (; at > 0 && goes_before(b, plan->bucket[at - 1]); at--)
      plan->bucket[at] = plan->bucket[at - 1];
    plan->bucket[at] = b;
  }
  for (int i = 0; i < plan->buckets; i++)
    plan->bucket[i]->place = i;
}

/* The last bucket has the flags; where none can wait until the end there is one for them alone. */
static icl_status add_flags(icl__plan *plan) {
  icl__bucket *last = plan->bucket[plan->buckets - 1];
  if (hurries(last) || last->join)
    last = add_bucket(plan, ICL_F32);
  if (!last)
    return ICL_ENOMEM;
  last->place = plan->buckets - 1;
  last->flags = true;
  return ICL_OK;
}

icl_status icl__plan_buckets(icl__plan *plan) {
  if (!plan->sends)
    return ICL_OK;
  size_t n = (size_t)plan->nodes;
  gathering g = {
      .plan = plan, .first = -1, .ready = icl__alloc(n, sizeof *g.ready), .after = icl__alloc(n, sizeof *g.after)};
  for (int d = 0; d < ICL_DTYPE_COUNT; d++)
    g.open[d] = -1;
  icl_status status = g.ready && g.after ? gather(&g) : ICL_ENOMEM;
  icl__free(g.ready);
  icl__free(g.after);
  ICL__TRY(status);
  sort(plan);
  return add_flags(plan);
}

/* ---- time ---- */

/* The first phase in which a bucket can be on its way, if the one before it leaves in phase `start`. */
static int start_of(const icl__plan *plan, const icl__bucket *b, int start) {
  for (int i = 0; i < b->members; i++) {
    int there = b->member[i]->in[0]->phase + 1;
    start = there > start ? there : start;
  }
  return b->flags ? plan->phases : start;
}

bool icl__plan_delay_buckets(icl__plan *plan) {
  bool moved = false;
  for (int i = 0, start = 1; i < plan->buckets; i++) {
    icl__bucket *b = plan->bucket[i];
    start = start_of(plan, b, start);
    for (int k = 0; k < b->members; k++)
      if (b->member[k]->phase < start) {
        b->member[k]->phase = start;
        moved = true;
      }
  }
  return moved;
}

void icl__plan_time_buckets(icl__plan *plan) {
  for (int i = 0, start = 1; i < plan->buckets; i++) {
    icl__bucket *b = plan->bucket[i];
    b->start = start = start_of(plan, b, start);
    b->wait = plan->phases;
    for (int k = 0; k < b->members; k++)
      b->wait = b->member[k]->phase < b->wait ? b->member[k]->phase : b->wait;
  }
}

/* ---- memory ---- */

/* Can what is sent be written into the bucket where it is made? */
static bool is_made_inside(const icl__pnode *u, const icl__bucket *b) {
  return icl__plan_is_global(u) && u->store == ICL__STORE_SHARED && u->uses == 1 && u->stored == b->dtype && !u->inside;
}

void icl__plan_fill_buckets(icl__plan *plan) {
  for (int i = 0; i < plan->buckets; i++) {
    icl__bucket *b = plan->bucket[i];
    for (int k = 0; k < b->members; k++) {
      icl__pnode *v = b->member[k], *u = v->in[0];
      v->inside = !b->join && v->store == ICL__STORE_SHARED && v->stored == b->dtype;
      if (!is_made_inside(u, b))
        continue;
      u->inside = true;
      u->bucket = b;
      u->element = v->element;
    }
  }
}
