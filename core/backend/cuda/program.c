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

/* What a batch norm's running statistics become is known with its sums. With check_nan they wait for the verdict. */
static void join_running(const icl__cuda_program *p, icl__pnode *table) {
  icl__cuda_unit *unit = icl__cuda_unit_of(table);
  const icl__pnode *mean = find_running(p->plan, table, BN_MEAN), *variance = find_running(p->plan, table, BN_VARIANCE);
  if (p->device->check_nan || unit->kind != ICL__CUDA_BN_FORWARD || !mean || !variance ||
      mean->attr.f[BN_F_FACTOR] != 1 || mean->attr.f[BN_F_MOMENTUM] != variance->attr.f[BN_F_MOMENTUM])
    return;
  unit->running[0] = mean;
  unit->running[1] = variance;
  icl__cuda_unit_of(mean)->kind = icl__cuda_unit_of(variance)->kind = ICL__CUDA_NONE;
}

/* ---- steps ---- */

static void begin_step(icl__cuda_program *p, icl__pnode **node, bool last) {
  p->step[p->steps++] = (icl__cuda_step){.node = node, .last = last};
}

static void add_phase(icl__cuda_program *p, const icl__phase *phase, int *listed) {
  for (int i = 0; i < phase->instructions; i++) {
    icl__pnode *v = phase->instruction[i];
    if (kind_of(v) == ICL__CUDA_NONE)
      continue;
    begin_step(p, &p->listed[*listed], false);
    p->listed[(*listed)++] = v;
    p->step[p->steps - 1].nodes = 1;
  }
}

/* How many ops of its section come before v, one for another; `depth` has those of all before it. */
static int depth_of(const icl__pnode *v, const int *depth) {
  int least = 0;
  for (int j = 0; j < v->inputs; j++) {
    const icl__pnode *u = v->in[j];
    if (icl__plan_is_global(u) && u->phase == v->phase && depth[u->index] >= least)
      least = depth[u->index] + 1;
  }
  return least;
}

/* Can one launch compute several nodes like v? */
static bool is_shared(const icl__pnode *v) {
  return kind_of(v) == ICL__CUDA_TRANSPOSE || kind_of(v) == ICL__CUDA_CHAIN;
}

static bool is_wide(const icl__pnode *v) { return kind_of(v) == ICL__CUDA_CHAIN && icl__cuda_is_wide(v); }

/* Those of the nodes of one depth that one launch computes. */
static void add_shared(icl__cuda_program *p, const icl__lane *lane, const int *depth, int d, icl__cuda_kind kind,
                       bool wide, bool last, int *listed) {
  int first = *listed;
  for (int i = 0; i < lane->items; i++) {
    icl__pnode *v = lane->item[i].node;
    if (depth[v->index] == d && kind_of(v) == kind && is_wide(v) == wide)
      p->listed[(*listed)++] = v;
  }
  if (*listed == first)
    return;
  begin_step(p, &p->listed[first], last);
  p->step[p->steps - 1].nodes = *listed - first;
  p->step[p->steps - 1].wide = wide;
}

/* Ops of a section that do not wait for one another are put together. What a state was is read before it is written:
 * the planner writes over it only where its readers are needed for the new version. */
static void add_section(icl__cuda_program *p, const icl__phase *phase, bool last, int *depth, int *listed) {
  if (!phase->waves)
    return;
  const icl__lane *lane = &phase->lane[0];
  int deepest = 0;
  for (int i = 0; i < lane->items; i++) {
    const icl__pnode *v = lane->item[i].node;
    depth[v->index] = depth_of(v, depth);
    deepest = depth[v->index] > deepest ? depth[v->index] : deepest;
  }
  for (int d = 0; d <= deepest; d++) {
    add_shared(p, lane, depth, d, ICL__CUDA_TRANSPOSE, false, last, listed);
    for (int i = 0; i < lane->items; i++) {
      icl__pnode *v = lane->item[i].node;
      if (depth[v->index] != d || kind_of(v) == ICL__CUDA_NONE || is_shared(v))
        continue;
      begin_step(p, &p->listed[*listed], last);
      p->listed[(*listed)++] = v;
      p->step[p->steps - 1].nodes = 1;
    }
    add_shared(p, lane, depth, d, ICL__CUDA_CHAIN, false, last, listed);
    add_shared(p, lane, depth, d, ICL__CUDA_CHAIN, true, last, listed);
  }
}

static icl_status list_steps(icl__cuda_program *p) {
  icl__plan *plan = p->plan;
  size_t nodes = (size_t)plan->nodes;
  int *depth = icl__calloc(nodes, sizeof *depth), listed = 0;
  p->listed = icl__calloc(nodes, sizeof *p->listed);
  p->step = icl__calloc(nodes, sizeof *p->step);
  if (!depth || !p->listed || !p->step) {
    icl__free(depth);
    return ICL_ENOMEM;
  }
  for (int q = 0; q <= plan->phases; q++) {
    if (q)
      add_phase(p, &plan->phase[q], &listed);
    add_section(p, &plan->phase[q], q == plan->phases, depth, &listed);
  }
  icl__free(depth);
  return ICL_OK;
}

/* ---- memory of the program ---- */

static size_t aligned(size_t bytes) {
  enum { LINE = 16 };
  return (bytes + LINE - 1) / LINE * LINE;
}

static bool is_transposition(const icl__cuda_step *s) { return kind_of(s->node[0]) == ICL__CUDA_TRANSPOSE; }

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
    if (!transposition && s->nodes == 1)
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

static icl_status make(icl__cuda_program *p) {
  void *memory;
  ICL__TRY(note_leaves(p));
  for (int i = 0; i < p->plan->nodes && p->plan->policy.join; i++)
    if (p->plan->node[i]->op == ICL__OP_bn_coefficients)
      join_running(p, p->plan->node[i]);
  ICL__TRY(list_steps(p));
  place_tables(p);
  p->table = icl__calloc(1, p->bytes - p->tables + 1);
  if (!p->table)
    return ICL_ENOMEM;
  ICL__TRY(icl__cuda_allocate(p->device, p->bytes + 1, &memory));
  p->memory = memory;
  p->plan->device_bytes += p->bytes;
  return ICL_OK;
}

icl_status icl__cuda_compile(void *device, icl__plan *plan, void **result) {
  icl__cuda_program *p = icl__calloc(1, sizeof *p);
  if (!p)
    return ICL_ENOMEM;
  p->device = device;
  p->plan = plan;
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
  if (p->graph)
    cudaGraphExecDestroy(p->graph);
  for (int i = 0; i < p->steps; i++)
    if (p->step[i].before)
      cudaEventDestroy(p->step[i].before);
  if (p->end)
    cudaEventDestroy(p->end);
  for (int i = 0; p->leaf && i < p->plan->leaves; i++)
    if (p->leaf[i].slot)
      icl__cuda_release(device, p->leaf[i].slot);
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
