/* step.c - the life of a step, and reading values inside and outside of one. */
#include "graph/engine.h"

#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "plan/device_memory.h"

bool icl_in_step(const icl_engine *engine) { return engine->in_step; }

icl_status icl_step_begin(icl_engine *engine) {
  if (engine->in_step)
    return icl__fail(ICL_EINVAL,
                     "a step began inside a step; steps do not nest: end the first one before, or merge the two");
  while (engine->touched) /* gradients of an earlier backward at the prompt belong to no step */
    icl__state_reset(engine->touched);
  engine->in_step = true;
  engine->flags = 0;
  engine->uses_flags = engine->sent_flags = engine->used_gradients = engine->made_plan = false;
  engine->step_id = engine->next_id;
  return ICL_OK;
}

bool icl_step_wastes_gradients(const icl_engine *engine) {
  if (engine->used_gradients)
    return false;
  for (const icl_state *state = engine->touched; state; state = state->next)
    if (state->gradients || state->given)
      return true;
  return false;
}

/* Cuts history and lets go of everything the step recorded. */
static void finish(icl_engine *engine) {
  engine->in_step = false;
  for (icl_state *state = engine->touched; state; state = state->next)
    if (state->current && !state->current->value)
      state->current->dropped = true;
  while (engine->touched)
    icl__state_reset(engine->touched);
  for (int i = engine->recorded - 1; i >= 0; i--) {
    icl__node *node = engine->record[i];
    if (!node->kept && !engine->eager) { /* or handles that wait for a collector would hold the memory of states */
      icl__buffer_release(node->value);
      node->value = NULL;
    }
    node->dropped = !node->value && !node->number;
    node->needs_grad = false;
    icl__node_drop_inputs(node);
    icl_tensor_release(node);
  }
  engine->recorded = 0;
}

/* Evaluates the step; or, if `memory` is given, says what that would take. */
static icl_status evaluate_step(icl_engine *engine, size_t *memory) {
  int targets = 0, count = engine->recorded;
  icl__node **target = icl__alloc(2 * (size_t)count + 1, sizeof(icl__node *));
  if (!target)
    return icl__fail(ICL_ENOMEM, "step: no memory for a list of %d ops", count);
  for (int i = 0; i < count; i++) {
    icl__node *node = engine->record[i];
    if (node->kept)
      target[targets++] = node;
    if (engine->check_nan && node->index_limit && !memory && !icl__node_data(node->in[node->inputs - 1]))
      target[targets++] = node->in[node->inputs - 1]; /* to be looked at */
  }
  icl_status status = memory ? icl__evaluation_memory(engine, count, engine->record, targets, target, memory)
                             : icl__evaluate(engine, count, engine->record, targets, target, true);
  icl__free(target);
  return status;
}

icl_status icl_step_end(icl_engine *engine) {
  if (!engine->in_step)
    return icl__fail(ICL_EINVAL, "a step ended that had not begun");
  engine->ending = true;
  icl_status status = evaluate_step(engine, NULL);
  engine->ending = false;
  engine->statistics.steps += status == ICL_OK;
  engine->new_plans = engine->made_plan ? engine->new_plans + 1 : 0;
  if (status == ICL_OK)
    engine->all_flags = engine->flags;
  else if (status != ICL_ENOMEM && engine->group)
    icl_group_abort(engine->group, icl_message());
  if (status != ICL_ENOMEM) /* the caller may free memory and try again */
    finish(engine);
  return status;
}

icl_status icl_step_memory(icl_engine *engine, size_t *bytes) {
  if (!engine->in_step)
    return icl__fail(ICL_EINVAL, "the memory of a step was asked for outside of one");
  return evaluate_step(engine, bytes);
}

void icl_step_cancel(icl_engine *engine) {
  if (engine->in_step)
    finish(engine);
}

/* ---- flags ---- */

icl_status icl_step_flag(icl_engine *engine, unsigned bits) {
  if (!engine->in_step)
    return icl__fail(ICL_EINVAL, "flags of a step were set outside of one");
  engine->flags |= bits;
  engine->uses_flags = true;
  return ICL_OK;
}

unsigned icl_step_flags(const icl_engine *engine) { return engine->all_flags; }

/* The version of a state that `tensor` shows gets a handle of its own: later writes go elsewhere. */
static void hold_version(icl_tensor *tensor) {
  const icl__node *from = icl__resolve(tensor);
  icl__buffer *stored = from->op == ICL__OP_state && !from->value ? icl__leaf_buffer(from) : NULL;
  if (stored)
    tensor->value = icl__buffer_retain(stored);
}

icl_status icl_tensor_keep(icl_tensor *tensor) {
  if (tensor->dropped)
    return icl__fail(ICL_ENOVALUE, "keep: the step that recorded this %s has ended; call keep() inside the step",
                     icl_tensor_op(tensor));
  ICL__TRY(icl__expect_value(tensor, "keep"));
  tensor->kept = true;
  hold_version(tensor);
  return ICL_OK;
}

/* ---- reading ---- */

/* Values that gradients recorded later may ask for: results that are not cheap to compute again. */
static bool wanted_later(const icl__node *node) {
  const icl_op *op = icl__op(node->op);
  return node->needs_grad && !(op->flags & (ICL__CHEAP | ICL__ALIAS | ICL__LEAF));
}

static icl_status evaluate_inside_step(icl_tensor *tensor) {
  icl_engine *engine = tensor->engine;
  int targets = 0;
  icl__node **target = icl__alloc((size_t)engine->recorded + 1, sizeof(icl__node *));
  if (!target)
    return icl__fail(ICL_ENOMEM, "reading inside a step: no memory for a list of %d ops", engine->recorded);
  target[targets++] = tensor;
  for (int i = 0; i < engine->recorded; i++) {
    icl__node *node = engine->record[i];
    if (node != tensor && !node->value && (node->kept || wanted_later(node)))
      target[targets++] = node;
  }
  icl_status status = icl__evaluate(engine, engine->recorded, engine->record, targets, target, true);
  icl__free(target);
  return status;
}

static icl_status read_bytes(icl_tensor *tensor, const void *data, icl_dtype dtype, void *out) {
  icl_engine *engine = tensor->engine;
  int64_t count = icl__node_count(tensor);
  if (icl__device_shares_memory(engine->backend) || tensor->number) {
    icl__convert((icl_dtype)tensor->dtype, data, dtype, out, count);
    return ICL_OK;
  }
  size_t bytes = (size_t)count * icl_dtype_bytes((icl_dtype)tensor->dtype);
  void *host = icl__alloc(bytes ? bytes : 1, 1);
  if (!host)
    return icl__fail(ICL_ENOMEM, "read: no memory for %zu bytes", bytes);
  icl_status status = icl__engine_download(engine, host, data, bytes);
  if (status == ICL_OK)
    icl__convert((icl_dtype)tensor->dtype, host, dtype, out, count);
  icl__free(host);
  return status;
}

static bool has_writes(const icl_engine *engine) {
  for (const icl_state *state = engine->touched; state; state = state->next)
    if (state->written)
      return true;
  return false;
}

/* Reading what the step has made commits the writes so far: also with `eager`, where every value is there already. */
static icl_status read_in_step(icl_tensor *tensor) {
  bool made_before = tensor->id <= tensor->engine->step_id || tensor->op == ICL__OP_constant;
  ICL__TRY(icl__expect_value(tensor, "reading"));
  hold_version(tensor);
  if (!made_before && (!icl__node_data(tensor) || has_writes(tensor->engine)))
    ICL__TRY(evaluate_inside_step(tensor));
  tensor->kept = true; /* what was read once stays readable */
  return ICL_OK;
}

/* Evaluates what the value needs, and finds it. */
static icl_status find_value(icl_tensor *tensor, const void **value) {
  if (tensor->engine->in_step && !tensor->dropped)
    ICL__TRY(read_in_step(tensor));
  *value = tensor->dropped && !tensor->number ? NULL : icl__node_data(tensor);
  if (*value)
    return ICL_OK;
  return icl__fail(ICL_ENOVALUE,
                   "the value of this %s was not kept by the step that recorded it; call keep() on it inside the step, "
                   "or return it from the step",
                   icl_tensor_op(tensor));
}

icl_status icl_tensor_read(icl_tensor *tensor, icl_dtype dtype, void *data) {
  const void *value;
  ICL__TRY(icl__check_dtype("read", dtype));
  ICL__TRY(find_value(tensor, &value));
  return read_bytes(tensor, value, dtype, data);
}

icl_status icl__hold(icl_tensor *tensor, icl__held *result) {
  const void *value;
  *result = (icl__held){0};
  ICL__TRY(find_value(tensor, &value));
  if (icl__device_shares_memory(tensor->engine->backend) && !tensor->number) {
    result->shared = icl__buffer_retain(icl__leaf_buffer(tensor));
    result->shared->pinned++;
    result->data = value;
    return ICL_OK;
  }
  icl_dtype dtype = (icl_dtype)tensor->dtype;
  result->data = result->copy = icl__alloc((size_t)icl__node_count(tensor), icl_dtype_bytes(dtype));
  if (!result->copy)
    return ICL_ENOMEM;
  icl_status status = read_bytes(tensor, value, dtype, result->copy);
  if (status != ICL_OK)
    icl__unhold(result);
  return status;
}

void icl__unhold(icl__held *held) {
  if (held->shared)
    held->shared->pinned--;
  icl__buffer_release(held->shared);
  icl__free(held->copy);
  *held = (icl__held){0};
}
