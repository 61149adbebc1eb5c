/* program.c - from a placed plan to the list of its launches. */
#include "backend/cuda/program.h"

#include <string.h>

#include "base/memory.h"
#include "ops/batch_norm.h"

static icl__cuda_kind kind_of(const icl__pnode *v) { return icl__cuda_unit_of(v)->kind; }

/* ---- running statistics ---- */

/* The running statistic that row `row` of a table moves, where it is written in place and read by nobody else; NULL:
 * there is none. */
static const icl__pnode *find_running(const icl__plan *plan, const icl__pnode *table, int row) {
  const icl__pnode *found = NULL;
  for (int i = 0; i < table->uses; i++) {
    const icl__pnode *v = table->use[i];
    if (v->op != ICL__OP_bn_running || v->attr.i[BN_ROW] != row)
      continue;
    const icl__pnode *old = v->in[1];
    if (found || v->output < 0 || !plan->in_place[v->output] || v->uses || old->kind != ICL__LEAF_STATE ||
        old->uses != 1 || old->leaf != plan->state_leaf[v->output])
      return NULL;
    found = v;
  }
  return found;
}

/* What a batch norm's running statistics become is known with its sums. With check_nan they wait for the verdict, in a
 * group until all ranks have come so far. */
static void join_running(const icl__cuda_program *p, icl__pnode *table) {
  icl__cuda_unit *unit = icl__cuda_unit_of(table);
  const icl__pnode *mean = find_running(p->plan, table, BN_MEAN), *variance = find_running(p->plan, table, BN_VARIANCE);
  if (p->device->check_nan || p->plan->sends || unit->kind != ICL__CUDA_BN_FORWARD || !mean || !variance ||
      mean->attr.f[BN_F_FACTOR] != 1 || mean->attr.f[BN_F_MOMENTUM] != variance->attr.f[BN_F_MOMENTUM])
    return;
  unit->running[0] = mean;
  unit->running[1] = variance;
  icl__cuda_unit_of(mean)->kind = icl__cuda_unit_of(variance)->kind = ICL__CUDA_NONE;
}

/* ---- updates ---- */

/* May v compute its input u along with itself, at its own time? */
static bool may_take_in(const icl__plan *plan, const icl__pnode *v, const icl__pnode *u) {
  return kind_of(u) == ICL__CUDA_CHAIN && icl__plan_is_global(u) && u->phase == plan->phases && u->uses == 1 &&
         icl__plan_same_shape(u, v) && u->stored == ICL_F32 && !icl__cuda_is_wide(u) && !icl__cuda_is_wide(v);
}

/* Its inputs, as they have become since it was made. */
static icl__cuda_expression *expression_of(const icl__pnode *v) {
  icl__cuda_expression *e = &icl__cuda_unit_of(v)->expression;
  for (int j = 0; j < v->inputs && v->op == ICL__PLAN_CHAIN && !e->others; j++)
    e->in[j] = v->in[j];
  return e;
}

/* A parameter's new version is made in one pass with the buffers of its optimizer, which are stored as they pass by. */
static void join_update(const icl__plan *plan, icl__pnode *v) {
  if (kind_of(v) != ICL__CUDA_CHAIN || !icl__plan_is_global(v) || v->phase != plan->phases)
    return;
  for (int j = 0; j < v->inputs; j++) {
    icl__pnode *u = v->in[j];
    if (may_take_in(plan, v, u) && icl__cuda_take_in(expression_of(v), u, expression_of(u)))
      icl__cuda_unit_of(u)->kind = ICL__CUDA_NONE;
  }
}

/* ---- steps ---- */

typedef struct {
  icl__cuda_program *program;
  int listed; /* nodes, so far */
  int *depth; /* of ops of sections, by node */
  int phase;
  bool last; /* in the last section */
} lister;

static bool is_in_place(const icl__plan *plan, const icl__pnode *v) {
  return v->output >= 0 && plan->in_place[v->output];
}

/* Does the launch of v store a state where it lies? */
static bool stores(const icl__plan *plan, const icl__pnode *v) {
  const icl__cuda_unit *unit = icl__cuda_unit_of(v);
  bool found = unit->running[0] || is_in_place(plan, v);
  for (int i = 0; i < unit->expression.others; i++)
    found = found || is_in_place(plan, unit->expression.other_node[i]);
  return found;
}

/* The step of the nodes that were listed from `first` on. */
static icl__cuda_step *add_step(lister *l, int first) {
  icl__cuda_program *p = l->program;
  icl__cuda_step *s = &p->step[p->steps++];
  *s = (icl__cuda_step){
      .node = &p->listed[first], .nodes = l->listed - first, .phase = l->phase, .last = l->last, .wait_for = {-1, -1}};
  s->beside = s->nodes && icl__cuda_unit_of(s->node[0])->beside;
  for (int k = 0; k < s->nodes; k++)
    s->stores = s->stores || stores(p->plan, s->node[k]);
  return s;
}

/* What leaves at the beginning of a phase. */
static void add_sends(lister *l) {
  for (int i = 0; i < l->program->plan->buckets; i++) {
    const icl__bucket *b = l->program->plan->bucket[i];
    if (b->start == l->phase)
      add_step(l, l->listed)->sends = b;
  }
}

/* What has to be there at its end. */
static void add_awaits(lister *l) {
  const icl__cuda_program *p = l->program;
  for (int i = 0; i < p->plan->buckets; i++) {
    const icl__bucket *b = p->plan->bucket[i];
    if (b->wait != l->phase)
      continue;
    icl__cuda_step *s = add_step(l, l->listed);
    s->awaits = b;
    while (p->step[++s->wait_for[0]].sends != b)
      ;
  }
}

static void add_node(lister *l, icl__pnode *v) {
  l->program->listed[l->listed++] = v;
  add_step(l, l->listed - 1);
}

static void add_phase(lister *l, const icl__phase *phase) {
  for (int i = 0; i < phase->instructions; i++)
    if (kind_of(phase->instruction[i]) != ICL__CUDA_NONE)
      add_node(l, phase->instruction[i]);
}

/* How many ops of its section come before v, one for another. */
static int depth_of(const lister *l, const icl__pnode *v) {
  int least = 0;
  for (int j = 0; j < v->inputs; j++) {
    const icl__pnode *u = v->in[j];
    if (icl__plan_is_global(u) && u->phase == v->phase && l->depth[u->index] >= least)
      least = l->depth[u->index] + 1;
  }
  return least;
}

/* Can one launch compute several nodes like v? */
static bool is_shared(const icl__pnode *v) {
  return kind_of(v) == ICL__CUDA_TRANSPOSE || kind_of(v) == ICL__CUDA_CHAIN;
}

static bool is_wide(const icl__pnode *v) { return kind_of(v) == ICL__CUDA_CHAIN && icl__cuda_is_wide(v); }

/* Those of the nodes of one depth that one launch computes. */
static void add_shared(lister *l, const icl__lane *lane, int depth, icl__cuda_kind kind, bool wide) {
  int first = l->listed;
  for (int i = 0; i < lane->items; i++) {
    icl__pnode *v = lane->item[i].node;
    if (l->depth[v->index] == depth && kind_of(v) == kind && is_wide(v) == wide)
      l->program->listed[l->listed++] = v;
  }
  if (l->listed > first)
    add_step(l, first)->wide = wide;
}

/* Ops of a section that do not wait for one another are put together. What a state was is read before it is written:
 * the planner writes over it only where its readers are needed for the new version. */
static void add_section(lister *l, const icl__phase *phase) {
  if (!phase->waves)
    return;
  const icl__lane *lane = &phase->lane[0];
  int deepest = 0;
  for (int i = 0; i < lane->items; i++) {
    const icl__pnode *v = lane->item[i].node;
    int depth = l->depth[v->index] = depth_of(l, v);
    deepest = depth > deepest ? depth : deepest;
  }
  for (int d = 0; d <= deepest; d++) {
    add_shared(l, lane, d, ICL__CUDA_TRANSPOSE, false);
    for (int i = 0; i < lane->items; i++) {
      icl__pnode *v = lane->item[i].node;
      if (l->depth[v->index] == d && kind_of(v) != ICL__CUDA_NONE && !is_shared(v))
        add_node(l, v);
    }
    add_shared(l, lane, d, ICL__CUDA_CHAIN, false);
    add_shared(l, lane, d, ICL__CUDA_CHAIN, true);
  }
}

static icl_status list_steps(icl__cuda_program *p) {
  const icl__plan *plan = p->plan;
  size_t nodes = (size_t)plan->nodes;
  lister l = {.program = p, .depth = icl__calloc(nodes, sizeof *l.depth)};
  p->listed = icl__calloc(nodes, sizeof *p->listed);
  p->step = icl__calloc(nodes + 2 * (size_t)plan->buckets, sizeof *p->step);
  icl_status status = l.depth && p->listed && p->step ? ICL_OK : ICL_ENOMEM;
  for (int q = 0; q <= plan->phases && status == ICL_OK; q++) {
    l.phase = q;
    if (q) {
      add_sends(&l);
      add_phase(&l, &plan->phase[q]);
      add_awaits(&l);
    }
    l.last = q == plan->phases;
    if (l.last && plan->sends)
      p->firm = p->steps;
    add_section(&l, &plan->phase[q]);
  }
  icl__free(l.depth);
  if (status != ICL_OK)
    return status;
  if (!plan->sends)
    p->firm = p->steps;
  icl__cuda_place_waits(p);
  return ICL_OK;
}

/* ---- memory of the program ---- */

static size_t aligned(size_t bytes) {
  enum { LINE = 16 };
  return (bytes + LINE - 1) / LINE * LINE;
}

static bool is_transposition(const icl__cuda_step *s) { return s->nodes && kind_of(s->node[0]) == ICL__CUDA_TRANSPOSE; }

static int blocks_of(const icl__pnode *v) {
  if (kind_of(v) == ICL__CUDA_CHAIN)
    return icl__cuda_chain_blocks(v);
  icl__cuda_transpose t = icl__cuda_transpose_of(v);
  return icl__cuda_transpose_tiles(t.rows, t.columns);
}

/* A single chain goes with its launch by value. */
static void place_tables(icl__cuda_program *p) {
  size_t at = 0;
  for (int i = 0; i < p->steps; i++) {
    icl__cuda_step *s = &p->step[i];
    bool transposition = is_transposition(s);
    if (!transposition && s->nodes <= 1)
      continue;
    for (int k = 0; k < s->nodes; k++)
      s->count += blocks_of(s->node[k]);
    s->table = at;
    at += aligned((size_t)s->nodes * (transposition ? sizeof(icl__cuda_transpose) : sizeof(icl__chain)));
    s->blocks = at;
    at += aligned((size_t)s->count * (transposition ? sizeof(icl__cuda_transpose_tile) : sizeof(icl__chain_block)));
  }
  p->flags = aligned((size_t)p->numbers * sizeof(double));
  p->tables = p->flags + aligned((size_t)p->plan->nodes * sizeof(int32_t));
  p->bytes = p->tables + at;
}

static icl_status note_leaves(icl__cuda_program *p) {
  icl__plan *plan = p->plan;
  p->leaf = icl__calloc((size_t)plan->leaves + 1, sizeof *p->leaf);
  p->number_of_leaf = icl__calloc((size_t)plan->leaves + 1, sizeof *p->number_of_leaf);
  p->output = icl__calloc((size_t)plan->outputs + 1, sizeof *p->output);
  if (!p->leaf || !p->number_of_leaf || !p->output)
    return ICL_ENOMEM;
  for (int i = 0; i < plan->nodes; i++) {
    const icl__pnode *v = plan->node[i];
    if (v->leaf < 0)
      continue;
    p->leaf[v->leaf].kind = v->kind;
    p->leaf[v->leaf].bytes = icl__plan_bytes(v);
    if (v->kind == ICL__LEAF_NUMBER)
      p->number_of_leaf[v->leaf] = p->numbers++;
  }
  return ICL_OK;
}

/* Convolutions beside the others run one after another, so they share a workspace. */
static size_t workspace_of(const icl__cuda_program *p) {
  size_t most = 0;
  for (int i = 0; i < p->steps; i++) {
    size_t bytes = p->step[i].beside ? icl__cuda_unit_of(p->step[i].node[0])->workspace : 0;
    most = bytes > most ? bytes : most;
  }
  return most;
}

static icl_status take_memory(icl__cuda_program *p, size_t bytes, char **result) {
  void *memory;
  if (!bytes)
    return ICL_OK;
  ICL__TRY(icl__cuda_allocate(p->device, bytes, &memory));
  *result = memory;
  p->plan->device_bytes += bytes;
  return ICL_OK;
}

static icl_status make(icl__cuda_program *p) {
  ICL__TRY(note_leaves(p));
  for (int i = 0; i < p->plan->nodes && p->plan->policy.join; i++)
    if (p->plan->node[i]->op == ICL__OP_bn_coefficients)
      join_running(p, p->plan->node[i]);
  for (int i = 0; i < p->plan->nodes && p->plan->policy.join; i++)
    join_update(p->plan, p->plan->node[i]);
  ICL__TRY(list_steps(p));
  ICL__TRY(take_memory(p, workspace_of(p), &p->workspace));
  ICL__TRY(take_memory(p, icl__cuda_room(p), &p->received));
  place_tables(p);
  p->table = icl__calloc(1, p->bytes - p->tables + 1);
  if (!p->table)
    return ICL_ENOMEM;
  return take_memory(p, p->bytes + 1, &p->memory);
}

icl_status icl__cuda_compile(void *device, icl__plan *plan, void **result) {
  icl__cuda_program *p = icl__calloc(1, sizeof *p);
  if (!p)
    return ICL_ENOMEM;
  p->device = device;
  p->plan = plan;
  p->stale = true;
  icl_status status = make(p);
  if (status != ICL_OK) {
    icl__cuda_discard(device, p);
    return status;
  }
  *result = p;
  return ICL_OK;
}

/* The stream may be at work on what was begun last. */
void icl__cuda_discard(void *device, void *program) {
  icl__cuda_program *p = program;
  icl__cuda_wait(device);
  icl__cuda_drop_graphs(p);
  for (int i = 0; i < p->steps; i++) {
    if (p->step[i].before)
      cudaEventDestroy(p->step[i].before);
    if (p->step[i].done)
      cudaEventDestroy(p->step[i].done);
  }
  if (p->end)
    cudaEventDestroy(p->end);
  for (int i = 0; p->leaf && i < p->plan->leaves; i++)
    if (p->leaf[i].slot)
      icl__cuda_release(device, p->leaf[i].slot);
  if (p->workspace)
    icl__cuda_release(device, p->workspace);
  if (p->received)
    icl__cuda_release(device, p->received);
  if (p->memory)
    icl__cuda_release(device, p->memory);
  icl__free(p->table);
  icl__free(p->output);
  icl__free(p->number_of_leaf);
  icl__free(p->leaf);
  icl__free(p->step);
  icl__free(p->listed);
  icl__free(p);
}
