/* evaluate.c - from recorded nodes to values: canonical form, plan, bindings, run, commit.
 *
 * The canonical form of what is to be evaluated is a byte string: every needed node in recorded order with op, dtype,
 * shape, attributes and the numbers of its inputs, leaves without their values, and the list of outputs. It is the key
 * of the plan cache and is compared in full. Aliases (state versions, detach, custom) do not appear in it. */
#include "graph/engine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "ops/ops.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct {
  icl__node *node;     /* resolved: not an alias */
  icl_state *state;    /* the only one that asks for it, as its new version; NULL: kept, or wanted by several */
  icl__buffer *buffer; /* where the value goes */
} output;

typedef struct {
  icl_state *state;
  icl__buffer *held; /* its new version, if that exists before the run, which may write states over it */
} write;

typedef struct {
  icl_engine *engine;
  uint64_t mark;
  int nodes, node_capacity;
  icl__node **node; /* needed, leaves included, in canonical order */
  size_t *offset;   /* where each begins in the key */
  int leaves;
  int outputs, output_capacity;
  output *out;
  int writes;
  write *written;
  uint8_t *key;
  size_t key_bytes, key_capacity;
  bool failed; /* an allocation did */
} work;

/* ---- aliases and leaves ---- */

static bool is_alias(const icl__node *node) { return (icl__op(node->op)->flags & ICL__ALIAS) && node->inputs; }

icl__node *icl__resolve(icl__node *node) {
  while (!node->value && is_alias(node))
    node = node->in[0];
  return node;
}

const void *icl__node_data(const icl__node *node) {
  while (!node->value && is_alias(node))
    node = node->in[0];
  if (node->value)
    return node->value->data;
  return node->number ? &node->attr.f[0] : NULL;
}

/* Where a leaf is read from: also the stored value of a state. */
static const void *leaf_data(const icl__node *node) {
  const void *data = icl__node_data(node);
  if (!data && node->op == ICL__OP_state && node->version == node->state->version)
    data = node->state->stored->data;
  return data;
}

static icl_status missing_leaf(const icl__node *node, const icl__node *user) {
  if (node->op == ICL__OP_state)
    return icl__fail(
        ICL_ENOVALUE,
        "%s needs the version of state %s from before the write at %s:%d, which a read inside this step has "
        "already stored; call keep() on the old value before, or read after the step",
        icl_tensor_op(user), node->state->name, node->state->write_source ? node->state->write_source : "?",
        node->state->write_line);
  return icl__fail(ICL_ENOVALUE, "%s needs a %s whose step has ended; call keep() on it inside that step",
                   icl_tensor_op(user), icl_tensor_op(node));
}

/* ---- canonical form ---- */

static void put(work *w, const void *data, size_t bytes) {
  if (!bytes)
    return;
  if (w->key_bytes + bytes > w->key_capacity) {
    size_t capacity = 2 * w->key_capacity + bytes + 4096;
    uint8_t *grown = icl__realloc(w->key, capacity, 1);
    if (!grown) {
      w->failed = true;
      return;
    }
    w->key = grown;
    w->key_capacity = capacity;
  }
  memcpy(w->key + w->key_bytes, data, bytes);
  w->key_bytes += bytes;
}

static void put_node(work *w, icl__node *node, bool leaf) {
  if (w->nodes == w->node_capacity) {
    int capacity = w->node_capacity ? 2 * w->node_capacity : 1024;
    icl__node **grown = icl__realloc(w->node, (size_t)capacity, sizeof *grown);
    if (!grown) {
      w->failed = true;
      return;
    }
    w->node = grown;
    size_t *offset = icl__realloc(w->offset, (size_t)capacity, sizeof *offset);
    if (!offset) {
      w->failed = true;
      return;
    }
    w->offset = offset;
    w->node_capacity = capacity;
  }
  node->slot = w->nodes;
  w->offset[w->nodes] = w->key_bytes;
  w->node[w->nodes++] = node;
  w->leaves += leaf;
  uint8_t head[4] = {leaf ? 255 : (uint8_t)(node->op & 255), (uint8_t)node->dtype,
                     (uint8_t)(node->rank | (node->number ? 128 : 0)), leaf ? 0 : node->inputs};
  put(w, head, sizeof head);
  put(w, node->shape, sizeof *node->shape * node->rank);
  if (leaf)
    return;
  int32_t in[ICL_MAX_INPUTS];
  for (int i = 0; i < node->inputs; i++)
    in[i] = icl__resolve(node->in[i])->slot;
  put(w, in, sizeof *in * node->inputs);
  if (icl__op(node->op)->specs)
    put(w, &node->attr, sizeof node->attr);
}

/* Leaves get a mark of their own when they are first met: it is one above the mark of needed nodes. */
static icl_status visit(work *w, icl__node *node) {
  for (int i = 0; i < node->inputs; i++) {
    icl__node *in = icl__resolve(node->in[i]);
    if (in->mark == w->mark + 1 || in->mark == w->mark)
      continue;
    if (!leaf_data(in))
      return missing_leaf(in, node);
    in->mark = w->mark + 1;
    put_node(w, in, true);
  }
  put_node(w, node, false);
  return ICL_OK;
}

/* Backward over the recorded order: marks what the outputs need; forward: writes it down. */
static icl_status canonical(work *w, int count, icl__node *const *nodes) {
  for (int i = count - 1; i >= 0; i--) {
    icl__node *node = nodes[i];
    if (node->mark != w->mark || node->value)
      continue;
    for (int j = 0; j < node->inputs; j++) {
      icl__node *in = icl__resolve(node->in[j]);
      if (!in->value && in->inputs)
        in->mark = w->mark;
    }
  }
  for (int i = 0; i < count; i++)
    if (nodes[i]->mark == w->mark && !is_alias(nodes[i]))
      ICL__TRY(visit(w, nodes[i]));
  return ICL_OK;
}

/* ---- outputs ---- */

static icl_status add_output(work *w, icl__node *node, icl_state *state) {
  if (w->outputs == w->output_capacity) {
    int capacity = w->output_capacity ? 2 * w->output_capacity : 64;
    output *grown = icl__realloc(w->out, (size_t)capacity, sizeof *grown);
    if (!grown)
      return icl__fail(ICL_ENOMEM, "no memory for the list of results");
    w->out = grown;
    w->output_capacity = capacity;
  }
  node->mark = w->mark;
  w->out[w->outputs++] = (output){node, state, NULL};
  return ICL_OK;
}

static icl_status add_write(work *w, icl_state *state) {
  icl__node *node = icl__resolve(state->current);
  write *entry = &w->written[w->writes++];
  *entry = (write){state, NULL};
  if (leaf_data(node)) {
    entry->held = icl__buffer_retain(node->value ? node->value : node->state->stored);
    return ICL_OK;
  }
  if (node->mark != w->mark)
    return add_output(w, node, state);
  for (int k = 0; k < w->outputs; k++) /* wanted by another too: all share a fresh buffer */
    if (w->out[k].node == node)
      w->out[k].state = NULL;
  return ICL_OK;
}

static icl_status collect_outputs(work *w, int targets, icl__node *const *target, bool commit) {
  for (int i = 0; i < targets; i++) {
    icl__node *node = icl__resolve(target[i]);
    if (!leaf_data(node) && node->mark != w->mark)
      ICL__TRY(add_output(w, node, NULL));
  }
  int writes = 0;
  for (icl_state *state = w->engine->touched; commit && state; state = state->next)
    writes += state->written;
  if (!writes)
    return ICL_OK;
  if (!(w->written = icl__calloc((size_t)writes, sizeof *w->written)))
    return icl__fail(ICL_ENOMEM, "no memory for the list of writes");
  for (icl_state *state = w->engine->touched; state; state = state->next)
    if (state->written)
      ICL__TRY(add_write(w, state));
  return ICL_OK;
}

/* For the planner: slots of the outputs, and which leaf holds the old version of a state that an output replaces.
 * States find their output through the scratch slot of their current node, which is an alias and has no other use for
 * it. */
static icl__plan_output *describe_outputs(work *w) {
  icl__plan_output *list = icl__calloc((size_t)w->outputs, sizeof *list);
  if (!list)
    return NULL;
  for (int k = 0; k < w->outputs; k++) {
    const output *o = &w->out[k];
    list[k] = (icl__plan_output){o->node->slot, -1, o->state != NULL};
    if (o->state)
      o->state->current->slot = k;
  }
  int leaf = 0;
  for (int i = 0; i < w->nodes; i++) {
    icl__node *node = w->node[i];
    if (node->mark != w->mark + 1)
      continue;
    if (node->op == ICL__OP_state && !node->value && node->state->written) {
      int k = node->state->current->slot;
      if (k >= 0 && k < w->outputs && w->out[k].state == node->state)
        list[k].state_leaf = leaf;
    }
    leaf++;
  }
  put(w, list, sizeof *list * (size_t)w->outputs);
  return list;
}

/* ---- plan ---- */

static uint64_t hash_bytes(const uint8_t *data, size_t bytes) {
  uint64_t h = 0x9e3779b97f4a7c15u ^ bytes;
  for (; bytes >= 8; data += 8, bytes -= 8) {
    uint64_t v;
    memcpy(&v, data, 8);
    h = (h ^ v) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
  }
  for (; bytes; data++, bytes--)
    h = (h ^ *data) * 0x100000001b3u;
  return h ^ h >> 29;
}

/* After several new structures in a row: which op is the first that differs from the step before. */
static void advise(work *w) {
  enum { PATIENCE = 8 };
  icl_engine *engine = w->engine;
  const icl__plan *before = engine->last_plan;
  if (!engine->in_step || engine->eager || !before || ++engine->new_plans < PATIENCE || engine->advice[0])
    return;
  size_t same = 0, most = w->key_bytes < before->key_bytes ? w->key_bytes : before->key_bytes;
  while (same < most && w->key[same] == before->key[same])
    same++;
  int first = 0;
  while (first + 1 < w->nodes && w->offset[first + 1] <= same)
    first++;
  const icl__node *node = w->node[first];
  char shape[ICL__SHAPE_TEXT];
  snprintf(
      engine->advice, sizeof engine->advice,
      "the last %d steps had to be planned anew, each differently; the first op that changed is %s %s at %s:%d. What "
      "changes from step to step should be a number or a tensor, such as a gate of 0 or 1 that multiplies a branch",
      PATIENCE, icl_tensor_op(node), icl__shape_text(shape, (icl_dtype)node->dtype, node->rank, node->shape),
      node->source ? node->source : "?", node->line);
}

static icl_status find_plan(work *w, const icl__plan_output *outputs, icl__plan **result) {
  icl_engine *engine = w->engine;
  uint64_t hash = hash_bytes(w->key, w->key_bytes);
  icl__plan *plan = icl__plan_find(&engine->plans, w->key, w->key_bytes, hash);
  if (plan) {
    engine->statistics.plan_hits++;
    engine->new_plans = 0;
  } else {
    double start = now();
    advise(w);
    ICL__TRY(icl__plan_make(engine->backend, engine->device, &engine->policy, w->nodes, w->node, w->outputs, outputs,
                            &plan));
    ICL__TRY(icl__plan_insert(&engine->plans, plan, w->key, w->key_bytes, hash));
    engine->statistics.plans_made++;
    engine->statistics.plan_seconds += now() - start;
  }
  engine->last_plan = plan;
  *result = plan;
  return ICL_OK;
}

/* ---- bindings ---- */

/* The state's own memory, if nothing else shares it; else a copy, so that values that are out stay what they are. */
static icl_status own_memory(icl_state *state, icl__buffer **result) {
  if (state->stored->references > 1) {
    icl__buffer *copy;
    ICL__TRY(icl__buffer_new(state->engine, state->stored->bytes, &copy));
    memcpy(copy->data, state->stored->data, copy->bytes);
    icl__buffer_release(state->stored);
    state->stored = copy;
  }
  *result = icl__buffer_retain(state->stored);
  return ICL_OK;
}

static icl_status bind_outputs(work *w, const icl__plan *plan, void **where) {
  for (int k = 0; k < w->outputs; k++) {
    output *o = &w->out[k];
    size_t bytes = (size_t)icl__node_count(o->node) * icl_dtype_bytes((icl_dtype)o->node->dtype);
    if (o->state && plan->in_place[k] >= 0)
      ICL__TRY(own_memory(o->state, &o->buffer));
    else
      ICL__TRY(icl__buffer_new(w->engine, bytes, &o->buffer));
    where[k] = o->buffer->data;
  }
  return ICL_OK;
}

static void bind_leaves(const work *w, const void **from) {
  int leaf = 0;
  for (int i = 0; i < w->nodes; i++)
    if (w->node[i]->mark == w->mark + 1)
      from[leaf++] = leaf_data(w->node[i]);
}

/* ---- run and commit ---- */

static icl_status run(work *w, icl__plan *plan) {
  const void **from = icl__alloc((size_t)w->leaves + 1, sizeof *from);
  void **where = icl__alloc((size_t)w->outputs + 1, sizeof *where);
  icl_status status = from && where ? ICL_OK : icl__fail(ICL_ENOMEM, "no memory for bindings");
  if (status == ICL_OK)
    status = bind_outputs(w, plan, where);
  if (status == ICL_OK) {
    bind_leaves(w, from); /* after the outputs: making memory a state's own may have moved its value */
    icl__bindings bindings = {from, where, &w->engine->stop};
    double start = now();
    status = w->engine->backend->run(w->engine->device, plan->program, &bindings, NULL);
    w->engine->statistics.run_seconds += now() - start;
  }
  icl__free(from);
  icl__free(where);
  return status;
}

/* Nothing here can fail. */
static void commit(work *w) {
  for (int k = 0; k < w->outputs; k++)
    w->out[k].node->value = w->out[k].buffer;
  for (int i = 0; i < w->writes; i++) {
    icl_state *state = w->written[i].state;
    icl__buffer *buffer = w->written[i].held;
    if (!buffer)
      buffer = icl__buffer_retain(icl__resolve(state->current)->value);
    icl__buffer_release(state->stored);
    state->stored = buffer;
    state->version++;
    state->written = false;
    state->current->version = state->version;
    icl__buffer_release(state->current->value);
    state->current->value = icl__buffer_retain(buffer);
  }
}

/* An alias gets the value that it shows, so as to have it when it no longer knows its input. */
static void take_value(icl__node *node) {
  icl__node *from = icl__resolve(node);
  if (from == node)
    return;
  if (from->value) {
    node->value = icl__buffer_retain(from->value);
  } else if (from->number) { /* a number has no buffer */
    node->number = true;
    node->attr.f[0] = from->attr.f[0];
  }
}

static void give_up(work *w) {
  for (int k = 0; k < w->outputs; k++)
    icl__buffer_release(w->out[k].buffer);
  for (int i = 0; i < w->writes; i++)
    icl__buffer_release(w->written[i].held);
}

/* The plan for the outputs that were collected. */
static icl_status make_plan(work *w, int count, icl__node *const *nodes, icl__plan **plan) {
  ICL__TRY(canonical(w, count, nodes));
  icl__plan_output *outputs = describe_outputs(w);
  icl_status status =
      outputs && !w->failed ? ICL_OK : icl__fail(ICL_ENOMEM, "no memory for the form of a step of %d ops", count);
  if (status == ICL_OK)
    status = find_plan(w, outputs, plan);
  icl__free(outputs);
  return status;
}

static icl_status evaluate(work *w, int count, icl__node *const *nodes) {
  icl__plan *plan = NULL;
  ICL__TRY(make_plan(w, count, nodes, &plan));
  ICL__TRY(icl__plan_bind_arena(&w->engine->plans, plan));
  return run(w, plan);
}

static work begin(icl_engine *engine) {
  work w = {.engine = engine, .mark = icl__engine_mark(engine)};
  icl__engine_mark(engine); /* mark + 1 belongs to this walk too */
  icl__evaluation_arrays *kept = &engine->evaluation;
  w.node = kept->node;
  w.offset = kept->offset;
  w.key = kept->key;
  w.node_capacity = kept->node_capacity;
  w.key_capacity = kept->key_capacity;
  *kept = (icl__evaluation_arrays){0};
  return w;
}

static void end(work *w) {
  w->engine->evaluation = (icl__evaluation_arrays){w->node, w->offset, w->key, w->node_capacity, w->key_capacity};
  icl__free(w->out);
  icl__free(w->written);
}

icl_status icl__evaluate(icl_engine *engine, int count, icl__node *const *nodes, int targets, icl__node *const *target,
                         bool with_writes) {
  work w = begin(engine);
  double start = now(), running = engine->statistics.run_seconds;
  icl_status status = collect_outputs(&w, targets, target, with_writes);
  if (status == ICL_OK && w.outputs)
    status = evaluate(&w, count, nodes);
  if (status == ICL_OK) {
    commit(&w);
    for (int i = 0; i < targets; i++)
      take_value(target[i]);
  } else {
    give_up(&w);
  }
  engine->statistics.evaluations += status == ICL_OK;
  engine->statistics.record_seconds += now() - start - (engine->statistics.run_seconds - running);
  engine->stop = 0;
  end(&w);
  return status;
}

icl_status icl__evaluation_memory(icl_engine *engine, int count, icl__node *const *nodes, int targets,
                                  icl__node *const *target, size_t *bytes) {
  work w = begin(engine);
  icl__plan *plan = NULL;
  icl_status status = collect_outputs(&w, targets, target, true);
  if (status == ICL_OK && w.outputs)
    status = make_plan(&w, count, nodes, &plan);
  *bytes = status == ICL_OK && plan ? icl__plan_memory(plan) : 0;
  give_up(&w);
  end(&w);
  return status;
}

icl_status icl__evaluate_now(icl__node *node) {
  if (!is_alias(node))
    return icl__evaluate(node->engine, 1, &node, 1, &node, false);
  take_value(node);
  return ICL_OK;
}
