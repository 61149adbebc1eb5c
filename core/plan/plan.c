/* plan.c - the graph of a plan: import, editing, order, and the sequence of stages that makes a plan. */
#include "plan/plan.h"

#include <string.h>

#include "base/memory.h"

const char *icl__plan_op_name(int op) {
  return op == ICL__PLAN_FINISH ? "finish" : op == ICL__PLAN_PREPARE ? "prepare" : icl__op(op)->name;
}

/* ---- questions ---- */

bool icl__plan_runs_in_phase(const icl__pnode *v) { return v->behaviour != ICL__GLOBAL; }
bool icl__plan_is_global(const icl__pnode *v) { return v->behaviour == ICL__GLOBAL && v->leaf < 0; }

static unsigned flags(const icl__pnode *v) { return v->op < ICL__OP_COUNT ? icl__op(v->op)->flags : 0; }
bool icl__plan_cheap(const icl__pnode *v) { return v->behaviour == ICL__MAP && (flags(v) & ICL__CHEAP); }
bool icl__plan_reads_images(const icl__pnode *v, int input) { return v->batched >> input & 1; }

bool icl__plan_pointwise(const icl__pnode *v) {
  return (flags(v) & ICL__POINTWISE) || v->op == ICL__OP_add_n || v->op == ICL__OP_cast ||
         v->op == ICL__OP_scale_shift || v->op == ICL__OP_bn_scale || v->op == ICL__OP_bn_sums_grad ||
         v->op == ICL__OP_bn_input_grad || v->op == ICL__OP_bn_scale_mask;
}

bool icl__plan_same_shape(const icl__pnode *a, const icl__pnode *b) {
  return a->rank == b->rank && !memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape);
}

size_t icl__plan_bytes(const icl__pnode *v) {
  return (size_t)icl__count(v->rank, v->shape) * icl_dtype_bytes(v->stored);
}

size_t icl__plan_image_bytes(const icl__pnode *v) {
  return v->rank ? (size_t)icl__count(v->rank - 1, v->shape + 1) * icl_dtype_bytes(v->stored) : 0;
}

int64_t icl__plan_pitch(const icl__pnode *v) {
  const icl__pnode *root = v->same ? v->same : v;
  return root->width ? root->width : root->rank ? root->shape[root->rank - 1] : 1;
}

size_t icl__plan_image_stride(const icl__pnode *v) {
  if (v->rank < 2)
    return icl__plan_image_bytes(v);
  return (size_t)(icl__count(v->rank - 2, v->shape + 1) * icl__plan_pitch(v)) * icl_dtype_bytes(v->stored);
}

void icl__plan_facts(const icl__pnode *v, icl__facts *facts) {
  *facts = (icl__facts){
      .op = v->op, .inputs = v->inputs, .dtype = v->dtype, .rank = v->rank, .shape = v->shape, .attr = &v->attr};
  for (int i = 0; i < v->inputs; i++) {
    facts->in[i].dtype = v->in[i]->dtype;
    facts->in[i].rank = v->in[i]->rank;
    facts->in[i].shape = v->in[i]->shape;
  }
}

/* ---- editing ---- */

static icl_status append(icl__plan *plan, icl__pnode **result) {
  icl__pnode **grown = icl__grow(plan->node, &plan->capacity, (size_t)plan->nodes + 1, sizeof *grown);
  if (grown)
    plan->node = grown;
  icl__pnode *v = grown ? icl__calloc(1, sizeof *v) : NULL;
  if (!v)
    return ICL_ENOMEM;
  v->index = plan->nodes;
  v->leaf = v->output = v->domain = -1;
  plan->node[plan->nodes++] = v;
  *result = v;
  return ICL_OK;
}

/* A node with the shape, dtype, layer and batch of `like`; NULL when memory is out. */
icl__pnode *icl__plan_add(icl__plan *plan, int op, const icl__pnode *like, int inputs, icl__pnode *const *in) {
  icl__pnode *v;
  if (append(plan, &v) != ICL_OK)
    return NULL;
  v->op = op;
  v->inputs = inputs;
  for (int i = 0; i < inputs; i++)
    v->in[i] = in[i];
  v->dtype = like->dtype;
  v->stored = like->stored;
  v->rank = like->rank;
  memcpy(v->shape, like->shape, sizeof v->shape);
  v->layer = like->layer;
  v->key = like->key;
  v->domain = like->domain;
  v->behaviour = like->behaviour;
  return v;
}

void icl__plan_replace(icl__plan *plan, icl__pnode *from, icl__pnode *to, const icl__pnode *except) {
  for (int i = 0; i < plan->nodes; i++)
    for (int j = 0; j < plan->node[i]->inputs && plan->node[i] != except; j++)
      if (plan->node[i]->in[j] == from)
        plan->node[i]->in[j] = to;
}

static void mark_alive(icl__plan *plan) {
  for (int i = plan->nodes - 1; i >= 0; i--) {
    icl__pnode *v = plan->node[i];
    v->alive |= v->output >= 0 || v->leaf >= 0;
    for (int j = 0; v->alive && j < v->inputs; j++)
      v->in[j]->alive = true;
  }
}

/* Emits `v` after its inputs; an explicit stack, since made nodes may form long chains. */
static void emit(icl__pnode *v, icl__pnode **out, int *count, icl__pnode **stack) {
  int depth = 0;
  stack[depth++] = v;
  while (depth) {
    icl__pnode *top = stack[depth - 1];
    bool ready = true;
    for (int j = 0; j < top->inputs && ready && !top->visited; j++)
      if (!top->in[j]->visited) {
        stack[depth++] = top->in[j];
        ready = false;
      }
    if (!ready)
      continue;
    if (!top->visited) {
      top->visited = true;
      out[(*count)++] = top;
    }
    depth--;
  }
}

/* Drops dead nodes and restores a topological order: the recorded one, with made nodes just before their first user. */
icl_status icl__plan_sort(icl__plan *plan) {
  int n = plan->nodes, count = 0;
  icl__pnode **out = icl__alloc((size_t)n, sizeof *out), **stack = icl__alloc((size_t)n + 1, sizeof *stack);
  if (!out || !stack) {
    icl__free(out);
    icl__free(stack);
    return ICL_ENOMEM;
  }
  for (int i = 0; i < n; i++)
    plan->node[i]->alive = plan->node[i]->visited = false;
  for (int made = 0; made <= 1; made++) /* made nodes lie at the end and are emitted by need, unless they are outputs */
    for (int i = 0; i < n; i++)
      if ((plan->node[i]->key >= 0) == !made && !plan->node[i]->visited)
        emit(plan->node[i], out, &count, stack);
  memcpy(plan->node, out, sizeof *out * (size_t)count);
  mark_alive(plan);
  plan->nodes = 0;
  for (int i = 0; i < count; i++) {
    icl__pnode *v = out[i];
    if (v->alive) {
      v->index = plan->nodes;
      plan->node[plan->nodes++] = v;
    } else {
      icl__free(v->use);
      icl__free(v);
    }
  }
  icl__free(out);
  icl__free(stack);
  return ICL_OK;
}

icl_status icl__plan_add_use(icl__pnode *v, icl__pnode *user) {
  icl__pnode **grown = icl__grow(v->use, &v->use_capacity, (size_t)v->uses + 1, sizeof *grown);
  if (!grown)
    return ICL_ENOMEM;
  v->use = grown;
  v->use[v->uses++] = user;
  return ICL_OK;
}

icl_status icl__plan_uses(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++) {
    plan->node[i]->uses = 0;
    plan->node[i]->index = i;
  }
  for (int i = 0; i < plan->nodes; i++)
    for (int j = 0; j < plan->node[i]->inputs; j++)
      ICL__TRY(icl__plan_add_use(plan->node[i]->in[j], plan->node[i]));
  return ICL_OK;
}

/* ---- import ---- */

static bool is_leaf(const icl__node *node) { return node->value || !node->inputs; }

static icl_status import(icl__plan *plan, int count, icl__node *const *nodes, int outputs,
                         const icl__plan_output *output) {
  for (int i = 0; i < count; i++) {
    const icl__node *node = nodes[i];
    icl__pnode *v;
    ICL__TRY(append(plan, &v));
    bool leaf = is_leaf(node);
    v->op = leaf ? ICL__OP_constant : node->op;
    v->key = i;
    v->dtype = v->stored = (icl_dtype)node->dtype;
    v->rank = node->rank;
    memcpy(v->shape, node->shape, sizeof v->shape);
    v->layer = node->layer;
    if (leaf) {
      v->leaf = plan->leaves++;
      continue;
    }
    v->attr = node->attr;
    v->inputs = node->inputs;
    for (int j = 0; j < v->inputs; j++)
      v->in[j] = plan->node[icl__resolve(node->in[j])->slot];
  }
  plan->outputs = outputs;
  plan->state_leaf = icl__alloc((size_t)outputs, sizeof *plan->state_leaf);
  plan->in_place = icl__alloc((size_t)outputs, sizeof *plan->in_place);
  if (!plan->state_leaf || !plan->in_place)
    return ICL_ENOMEM;
  for (int k = 0; k < outputs; k++) {
    plan->node[output[k].node]->output = k;
    plan->node[output[k].node]->state_output = output[k].state != 0;
    plan->state_leaf[k] = output[k].state_leaf;
    plan->in_place[k] = -1;
  }
  return ICL_OK;
}

/* ---- the sequence ---- */

/* A reduction is computed in parts; FINISH makes its value of them, and takes over what the value was asked for. */
static icl_status add_finishes(icl__plan *plan) {
  for (int i = 0, n = plan->nodes; i < n; i++) {
    icl__pnode *v = plan->node[i];
    if (v->behaviour != ICL__REDUCE)
      continue;
    icl__pnode *f = icl__plan_add(plan, ICL__PLAN_FINISH, v, 0, NULL);
    if (!f)
      return ICL_ENOMEM;
    f->behaviour = ICL__GLOBAL;
    f->domain = f->key = -1;
    for (int j = 0; j < v->uses; j++)
      for (int k = 0; k < v->use[j]->inputs; k++)
        if (v->use[j]->in[k] == v)
          v->use[j]->in[k] = f;
    f->in[f->inputs++] = v;
    f->output = v->output;
    f->state_output = v->state_output;
    v->output = -1;
    v->state_output = false;
    if (icl__is_float(v->dtype) && (v->op == ICL__OP_sum || v->op == ICL__OP_sum_to))
      v->stored = ICL_F64; /* sums across chunks and threads lose nothing */
  }
  return ICL_OK;
}

static icl_status make(icl__plan *plan) {
  ICL__TRY(icl__plan_domains(plan));
  ICL__TRY(icl__plan_rewrite(plan));
  ICL__TRY(icl__plan_sort(plan));
  ICL__TRY(icl__plan_uses(plan));
  ICL__TRY(icl__plan_dense(plan));
  ICL__TRY(icl__plan_sort(plan));
  ICL__TRY(icl__plan_uses(plan));
  ICL__TRY(add_finishes(plan));
  if (plan->backend->rewrite)
    ICL__TRY(plan->backend->rewrite(plan->device, plan));
  ICL__TRY(icl__plan_sort(plan));
  ICL__TRY(icl__plan_uses(plan));
  ICL__TRY(icl__plan_schedule(plan));
  ICL__TRY(icl__plan_keep_or_recompute(plan));
  ICL__TRY(icl__plan_instructions(plan));
  icl__plan_share(plan);
  if (plan->backend->lower)
    ICL__TRY(plan->backend->lower(plan->device, plan));
  icl__plan_chains(plan);
  ICL__TRY(icl__plan_sections(plan));
  return icl__plan_storage(plan);
}

icl_status icl__plan_make(const icl__backend *backend, void *device, const icl__policy *policy, int count,
                          icl__node *const *nodes, int outputs, const icl__plan_output *output, icl__plan **result) {
  icl__plan *plan = icl__calloc(1, sizeof *plan);
  if (!plan)
    return ICL_ENOMEM;
  plan->policy = *policy;
  plan->backend = backend;
  plan->device = device;
  icl_status status = import(plan, count, nodes, outputs, output);
  if (status == ICL_OK && !backend->unplanned)
    status = make(plan);
  if (status == ICL_OK)
    status = backend->compile(device, plan, &plan->program);
  if (status != ICL_OK) {
    icl__plan_free(plan);
    return status;
  }
  *result = plan;
  return ICL_OK;
}

void icl__plan_free(icl__plan *plan) {
  if (!plan)
    return;
  if (plan->program)
    plan->backend->discard(plan->device, plan->program);
  for (int p = 0; plan->phase && p <= plan->phases; p++) {
    icl__phase *phase = &plan->phase[p];
    icl__free(phase->instruction);
    for (int k = 0; phase->item && k < phase->waves * plan->policy.threads; k++)
      icl__free(phase->item[k]);
    icl__free(phase->item);
    icl__free(phase->items);
  }
  icl__free(plan->phase);
  for (int i = 0; i < plan->nodes; i++) {
    icl__free(plan->node[i]->kernel);
    icl__free(plan->node[i]->use);
    icl__free(plan->node[i]);
  }
  icl__free(plan->node);
  icl__free(plan->domain_size);
  icl__free(plan->state_leaf);
  icl__free(plan->in_place);
  icl__free(plan->key);
  icl__free(plan);
}
