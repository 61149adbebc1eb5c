/* evaluate.c - from recorded nodes to values: plan, bindings, run, commit. */
#include "graph/evaluation.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "group/flags.h"
#include "plan/device_memory.h"

/* ---- plan ---- */

/* After several new structures in a row: which op is the first that differs from the step before. */
static void advise(const icl__evaluation *e) {
  enum { PATIENCE = 8 };
  icl_engine *engine = e->engine;
  const icl__canonical *form = &e->form;
  const icl__plan *before = engine->last_plan;
  bool first_plan = engine->in_step && !engine->made_plan;
  engine->made_plan = true;
  if (!first_plan || engine->eager || !before || engine->new_plans + 1 < PATIENCE || engine->advice[0])
    return;
  size_t same = 0, most = form->key_bytes < before->key_bytes ? form->key_bytes : before->key_bytes;
  while (same < most && form->key[same] == before->key[same])
    same++;
  int first = 0;
  while (first + 1 < form->nodes && form->listed[first + 1].offset <= same)
    first++;
  const icl__node *node = form->listed[first].node;
  char shape[ICL__SHAPE_TEXT];
  snprintf(
      engine->advice, sizeof engine->advice,
      "the last %d steps had to be planned anew, each differently; the first op that changed is %s %s at %s:%d. What "
      "changes from step to step should be a number or a tensor, such as a gate of 0 or 1 that multiplies a branch",
      PATIENCE, icl_tensor_op(node), icl__shape_text(shape, (icl_dtype)node->dtype, node->rank, node->shape),
      node->source ? node->source : "?", node->line);
}

/* Plans again, so that less is kept, for a device that does not do so anyway and is short of memory. The ranks of a
 * group must plan alike, whatever memory each of them has. */
static icl_status plan_nodes(const icl__evaluation *e, const icl__plan_node *nodes, const icl__plan_output *outputs,
                             icl__plan **plan) {
  icl_engine *engine = e->engine;
  icl__policy policy = engine->policy;
  ICL__TRY(icl__plan_make(engine->backend, engine->device, &policy, e->form.nodes, nodes, e->outputs, outputs, plan));
  if (!policy.recompute_if_short || policy.ranks > 1 || icl__plan_fits(&engine->plans, *plan))
    return ICL_OK;
  size_t before = icl__plan_memory(*plan);
  icl__plan_free(*plan);
  policy.recompute = true;
  ICL__TRY(icl__plan_make(engine->backend, engine->device, &policy, e->form.nodes, nodes, e->outputs, outputs, plan));
  if (!engine->advice[0])
    snprintf(
        engine->advice, sizeof engine->advice,
        "a step needs %.2f GB of working memory, which are not there, so some values are computed twice: that takes "
        "%.2f GB and more time. A smaller batch, or a subdivided one, may be faster",
        (double)before / 1e9, (double)icl__plan_memory(*plan) / 1e9);
  return ICL_OK;
}

/* What the planner is given: the listed nodes without their values. */
static icl_status make_plan(const icl__evaluation *e, const icl__plan_output *outputs, icl__plan **plan) {
  icl__plan_node *nodes = icl__calloc((size_t)e->form.nodes, sizeof *nodes);
  if (!nodes)
    return icl__fail(ICL_ENOMEM, "no memory to plan %d ops", e->form.nodes);
  for (int i = 0; i < e->form.nodes; i++) {
    const icl__node *node = e->form.listed[i].node;
    icl__plan_node *p = &nodes[i];
    *p = (icl__plan_node){.dtype = (icl_dtype)node->dtype, .rank = node->rank, .shape = node->shape};
    p->layer = node->layer;
    p->kind = icl__leaf_kind_of(e, node);
    if (p->kind)
      continue;
    p->op = node->op;
    p->attr = &node->attr;
    p->inputs = node->inputs;
    for (int j = 0; j < node->inputs; j++)
      p->in[j] = icl__resolve(node->in[j])->slot;
  }
  icl_status status = plan_nodes(e, nodes, outputs, plan);
  icl__free(nodes);
  return status;
}

/* The plan for the outputs that were collected. */
static icl_status find_plan(icl__evaluation *e, int count, icl__node *const *nodes, icl__plan **result) {
  icl_engine *engine = e->engine;
  icl__plan_output *outputs;
  ICL__TRY(icl__write_canonical(e, count, nodes, &outputs));
  icl__plan *plan = icl__plan_find(&engine->plans, e->form.key, e->form.key_bytes);
  icl_status status = ICL_OK;
  if (plan) {
    engine->statistics.plan_hits++;
  } else {
    double start = icl__seconds();
    size_t before = icl__memory_in_use();
    advise(e);
    status = make_plan(e, outputs, &plan);
    size_t after = icl__memory_in_use(); /* of all engines of the process */
    if (status == ICL_OK)
      status =
          icl__plan_insert(&engine->plans, plan, after > before ? after - before : 0, e->form.key, e->form.key_bytes);
    engine->statistics.plans_made += status == ICL_OK;
    engine->statistics.plan_seconds += icl__seconds() - start;
  }
  icl__free(outputs);
  ICL__TRY(status);
  engine->last_plan = plan;
  *result = plan;
  return ICL_OK;
}

/* ---- bindings ---- */

/* New versions of states go to the memory of the state, where the device has slots by way of them; everything else to
 * memory of its own. */
static icl_status bind_outputs(icl__evaluation *e, const icl__plan *plan, void **where) {
  for (int k = 0; k < e->outputs; k++) {
    icl__wanted *o = &e->out[k];
    size_t bytes = (size_t)icl__node_count(o->node) * icl_dtype_bytes((icl_dtype)o->node->dtype);
    bool slot = plan->slot[k] != ICL__NO_SLOT;
    if (o->state && (plan->in_place[k] || slot)) {
      ICL__TRY(icl__state_own_memory(o->state));
      o->buffer = icl__buffer_retain(o->state->stored);
    } else {
      ICL__TRY(icl__buffer_new(e->engine, bytes, &o->buffer));
    }
    where[k] = slot ? NULL : o->buffer->data;
  }
  return ICL_OK;
}

/* `state` is NULL for leaves of another kind. */
static void bind_leaves(const icl__evaluation *e, const void **from, icl_state **state) {
  int leaf = 0;
  for (int i = 0; i < e->form.nodes; i++) {
    const icl__node *node = e->form.listed[i].node;
    if (!icl__is_leaf_of(e, node))
      continue;
    state[leaf] = icl__leaf_kind_of(e, node) == ICL__LEAF_STATE ? node->state : NULL;
    from[leaf++] = icl__node_data(node);
  }
}

/* ---- run and commit ---- */

/* Values that last are made by the first run, and found by the next ones until a state is written that they are made
 * of. */
static icl_status run_program(icl_engine *engine, const icl__plan *plan, icl_state *const *state,
                              icl__bindings *bindings) {
  icl__lasting *lasting = &engine->plans.lasting;
  uint64_t *version = NULL;
  if (plan->lasting_bytes && !(version = icl__alloc((size_t)plan->settled_leaves + 1, sizeof *version)))
    return icl__fail(ICL_ENOMEM, "no memory for bindings");
  for (int i = 0; version && i < plan->settled_leaves; i++)
    version[i] = state[plan->settled_leaf[i]]->version;
  icl__lasting_begin(lasting, plan, version, bindings);
  double start = icl__seconds();
  icl_status status = engine->backend->run(engine->device, plan->program, bindings);
  engine->statistics.run_seconds += icl__seconds() - start;
  engine->statistics.lasting_hits += status == ICL_OK && bindings->settled;
  if (status == ICL_OK && version && !bindings->settled) {
    icl__lasting_end(lasting, plan, version);
    for (int i = 0; i < plan->settled_leaves; i++)
      state[plan->settled_leaf[i]]->lasts = true;
  }
  icl__free(version);
  return status;
}

static icl_status run(icl__evaluation *e, icl__plan *plan) {
  const void **from = icl__alloc((size_t)e->leaves + 1, sizeof *from);
  icl_state **state = icl__alloc((size_t)e->leaves + 1, sizeof *state);
  void **where = icl__alloc((size_t)e->outputs + 1, sizeof *where);
  icl_status status = from && state && where ? ICL_OK : icl__fail(ICL_ENOMEM, "no memory for bindings");
  if (status == ICL_OK)
    status = bind_outputs(e, plan, where);
  if (status == ICL_OK) {
    bind_leaves(e, from, state); /* after the outputs: making memory a state's own may have moved its value */
    bool torn = false;
    icl__bindings bindings = {.leaf = from,
                              .output = where,
                              .arena = e->engine->plans.arena,
                              .stop = &e->engine->stop,
                              .group = e->engine->group,
                              .torn = &torn,
                              .flags = e->engine->ending ? &e->engine->flags : NULL};
    status = run_program(e->engine, plan, state, &bindings);
    if (torn)
      status = icl__engine_lose(e->engine, status);
    for (int k = 0; k < e->outputs && status == ICL_OK; k++)
      e->out[k].buffer->ranged = false;
  }
  icl__free(from);
  icl__free(state);
  icl__free(where);
  return status;
}

/* Brings outputs of states, or all others, from their slots to where they stay. */
static icl_status empty_slots(const icl__evaluation *e, const icl__plan *plan, bool states) {
  icl_engine *engine = e->engine;
  icl_status status = ICL_OK;
  for (int k = 0; k < e->outputs && status == ICL_OK; k++) {
    const icl__wanted *o = &e->out[k];
    if (plan->slot[k] != ICL__NO_SLOT && (o->state != NULL) == states)
      status = icl__device_copy(engine->backend, engine->device, o->buffer->data,
                                (char *)engine->plans.arena + plan->slot[k], o->buffer->bytes);
  }
  return icl__engine_lose(engine, status);
}

/* Nothing here can fail. */
static void commit(icl__evaluation *e) {
  for (int k = 0; k < e->outputs; k++)
    e->out[k].node->value = e->out[k].buffer;
  for (int i = 0; i < e->writes; i++) {
    icl_state *state = e->written[i].state;
    icl__buffer *buffer = e->written[i].held;
    if (!buffer)
      buffer = icl__buffer_retain(icl__resolve(state->current)->value);
    icl__buffer_release(state->stored);
    state->stored = buffer;
    icl__state_changed(state);
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
  icl__buffer *buffer = icl__leaf_buffer(from);
  if (buffer)
    node->value = icl__buffer_retain(buffer);
}

static void give_up(icl__evaluation *e) {
  for (int k = 0; k < e->outputs; k++)
    icl__buffer_release(e->out[k].buffer);
  for (int i = 0; i < e->writes; i++)
    icl__buffer_release(e->written[i].held);
}

/* Where the run left the value of a node; NULL: it is not there. */
static icl__buffer *value_of(const icl__evaluation *e, icl__node *node) {
  const icl__node *from = icl__resolve(node);
  for (int k = 0; k < e->outputs; k++)
    if (e->out[k].node == from)
      return e->out[k].buffer;
  return icl__leaf_buffer(from);
}

/* Kernels keep indices within their axis. With check_nan, steps make outputs of them, and those outside are an error.
 */
static icl_status check_indices(const icl__evaluation *e, int count, icl__node *const *nodes) {
  for (int i = 0; i < count; i++) {
    const icl__node *node = nodes[i];
    icl__buffer *index = node->index_limit && node->inputs ? value_of(e, node->in[node->inputs - 1]) : NULL;
    if (index)
      ICL__TRY(icl__buffer_check_indices(index, node));
  }
  return ICL_OK;
}

/* Flags travel with what a plan sends. At the end of a step that sends nothing (`plan` NULL: that needs no plan) they
 * do so by themselves, before states are written; once, if the step is ended again. */
static icl_status send_flags(icl_engine *engine, const icl__plan *plan) {
  bool sends = engine->policy.ranks == 1 || (plan && plan->sends);
  if (sends || !engine->ending || !engine->uses_flags || engine->sent_flags)
    return ICL_OK;
  engine->sent_flags = true;
  return icl__flags_exchange(engine->group, &engine->flags);
}

static icl_status evaluate(icl__evaluation *e, int count, icl__node *const *nodes) {
  icl__plan *plan = NULL;
  if (!e->outputs)
    return send_flags(e->engine, NULL);
  ICL__TRY(find_plan(e, count, nodes, &plan));
  ICL__TRY(icl__plan_reserve(&e->engine->plans, plan));
  ICL__TRY(send_flags(e->engine, plan));
  ICL__TRY(run(e, plan));
  ICL__TRY(empty_slots(e, plan, false));
  if (e->engine->check_nan)
    ICL__TRY(check_indices(e, count, nodes));
  return empty_slots(e, plan, true);
}

static icl__evaluation begin(icl_engine *engine) {
  icl__evaluation e = {.engine = engine, .mark = icl__engine_mark(engine), .form = engine->form};
  icl__engine_mark(engine); /* that of leaves */
  e.form.nodes = 0;
  e.form.key_bytes = 0;
  engine->form = (icl__canonical){0};
  return e;
}

static void end(icl__evaluation *e) {
  e->engine->form = e->form;
  icl__free(e->out);
  icl__free(e->written);
}

icl_status icl__evaluate(icl_engine *engine, int count, icl__node *const *nodes, int targets, icl__node *const *target,
                         bool with_writes) {
  icl__evaluation e = begin(engine);
  double start = icl__seconds(), running = engine->statistics.run_seconds;
  icl_status status = icl__engine_check(engine);
  if (status == ICL_OK)
    status = icl__collect_outputs(&e, targets, target, with_writes);
  if (status == ICL_OK)
    status = evaluate(&e, count, nodes);
  if (status == ICL_OK) {
    commit(&e);
    for (int i = 0; i < targets; i++)
      take_value(target[i]);
  } else {
    give_up(&e);
  }
  engine->statistics.evaluations += status == ICL_OK;
  engine->statistics.record_seconds += icl__seconds() - start - (engine->statistics.run_seconds - running);
  if (status == ICL_EINTERRUPTED)
    icl_engine_resume(engine);
  end(&e);
  return status;
}

icl_status icl__evaluation_memory(icl_engine *engine, int count, icl__node *const *nodes, int targets,
                                  icl__node *const *target, size_t *bytes) {
  icl__evaluation e = begin(engine);
  icl__plan *plan = NULL;
  icl_status status = icl__collect_outputs(&e, targets, target, true);
  if (status == ICL_OK && e.outputs)
    status = find_plan(&e, count, nodes, &plan);
  *bytes = status == ICL_OK && plan ? icl__plan_memory(plan) : 0;
  give_up(&e);
  end(&e);
  return status;
}

icl_status icl__evaluate_now(icl__node *node) {
  if (!icl__is_alias(node))
    return icl__evaluate(node->engine, 1, &node, 1, &node, false);
  ICL__TRY(icl__expect_value(node, icl_tensor_op(node)));
  take_value(node);
  return ICL_OK;
}
