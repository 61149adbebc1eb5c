/* edit.c - the graph of a plan: questions, new nodes, order, users. */
#include "plan/stages.h"

#include <string.h>

#include "base/memory.h"

const char *icl__plan_op_name(int op) {
  static const char *const made[] = {"finish", "prepare", "chain"};
  return op < ICL__OP_COUNT ? icl__op(op)->name : made[op - ICL__OP_COUNT];
}

/* ---- questions ---- */

bool icl__plan_runs_in_phase(const icl__pnode *v) { return v->behaviour != ICL__GLOBAL; }
bool icl__plan_is_global(const icl__pnode *v) { return v->behaviour == ICL__GLOBAL && v->leaf < 0; }

bool icl__plan_sends(const icl__pnode *v) { return v->op == ICL__OP_all_reduce; }

unsigned icl__plan_flags(const icl__pnode *v) {
  return v->op < ICL__OP_COUNT ? icl__op(v->op)->flags : v->op == ICL__PLAN_CHAIN ? ICL__ELEMENTWISE : 0;
}
bool icl__plan_cheap(const icl__pnode *v) { return v->behaviour == ICL__MAP && (icl__plan_flags(v) & ICL__CHEAP); }
bool icl__plan_elementwise(const icl__pnode *v) { return (icl__plan_flags(v) & ICL__ELEMENTWISE) != 0; }
bool icl__plan_reads_images(const icl__pnode *v, int input) { return v->batched >> input & 1; }

bool icl__plan_same_shape(const icl__pnode *a, const icl__pnode *b) {
  return icl__equal_shapes(a->rank, a->shape, b->rank, b->shape);
}

size_t icl__plan_bytes(const icl__pnode *v) {
  return (size_t)icl__count(v->rank, v->shape) * icl_dtype_bytes(v->stored);
}

size_t icl__plan_stored_bytes(const icl__pnode *v) { return v->opaque ? v->opaque : icl__plan_bytes(v); }

size_t icl__plan_image_bytes(const icl__pnode *v) {
  return v->rank ? (size_t)icl__count(v->rank - 1, v->shape + 1) * icl_dtype_bytes(v->stored) : 0;
}

icl__pnode *icl__plan_root(const icl__pnode *v) { return v->same ? v->same : (icl__pnode *)(uintptr_t)v; }

int64_t icl__plan_pitch(const icl__pnode *v) {
  const icl__pnode *root = icl__plan_root(v);
  return root->width ? root->width : root->rank ? root->shape[root->rank - 1] : 1;
}

size_t icl__plan_image_stride(const icl__pnode *v) {
  if (v->rank < 2)
    return icl__plan_image_bytes(v);
  return (size_t)(icl__count(v->rank - 2, v->shape + 1) * icl__plan_pitch(v)) * icl_dtype_bytes(v->stored);
}

/* ---- nodes ---- */

icl_status icl__plan_append(icl__plan *plan, icl__pnode **result) {
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

icl__pnode *icl__plan_add(icl__plan *plan, int op, const icl__pnode *like, int inputs, icl__pnode *const *in) {
  icl__pnode *v;
  if (icl__plan_append(plan, &v) != ICL_OK)
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

void icl__plan_make_global(icl__pnode *v) {
  v->behaviour = ICL__GLOBAL;
  v->batched = 0;
  v->domain = -1;
}

void icl__pnode_free(icl__pnode *v) {
  icl__free(v->use);
  icl__free(v);
}

/* ---- order and users ---- */

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

static icl_status sort(icl__plan *plan) {
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
      icl__pnode_free(v);
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

icl_status icl__plan_tidy(icl__plan *plan) {
  ICL__TRY(sort(plan));
  return icl__plan_uses(plan);
}
