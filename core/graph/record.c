/* record.c - making nodes: the one way a value comes into being. */
#include "graph/engine.h"

#include <string.h>

#include "base/memory.h"
#include "ops/attributes.h"
#include "ops/formula.h"

icl__node *icl__node_new(icl_engine *engine) {
  icl__node *node = engine->free_nodes;
  if (node)
    engine->free_nodes = node->in[0];
  else if (!(node = icl__alloc(1, sizeof *node)))
    return NULL;
  memset(node, 0, sizeof *node);
  node->engine = engine;
  node->references = 1;
  node->id = ++engine->next_id;
  node->layer = engine->layer;
  node->source = engine->source;
  node->line = engine->line;
  icl__engine_retain(engine);
  return node;
}

icl_tensor *icl_tensor_retain(icl_tensor *tensor) {
  tensor->references++;
  return tensor;
}

void icl__custom_release(icl__custom *custom) {
  if (!custom || --custom->references)
    return;
  if (custom->release)
    custom->release(custom->context);
  icl__free(custom);
}

/* Frees what is no longer referenced without recursion: a history may be many thousand nodes deep. Nodes to be freed
 * are chained through their state pointer, which is released first. */
void icl_tensor_release(icl_tensor *tensor) {
  if (!tensor || --tensor->references)
    return;
  icl__node *todo = tensor;
  if (tensor->state)
    icl_state_release(tensor->state);
  tensor->state = NULL;
  while (todo) {
    icl__node *node = todo;
    todo = (icl__node *)node->state;
    for (int i = 0; i < node->inputs; i++) {
      icl__node *in = node->in[i];
      if (--in->references)
        continue;
      if (in->state)
        icl_state_release(in->state);
      in->state = (icl_state *)todo;
      todo = in;
    }
    icl__buffer_release(node->value);
    icl__custom_release(node->custom);
    icl_engine *engine = node->engine;
    node->in[0] = engine->free_nodes;
    engine->free_nodes = node;
    icl__engine_release(engine);
  }
}

void icl__node_drop_inputs(icl__node *node) {
  int inputs = node->inputs;
  node->inputs = 0;
  for (int i = 0; i < inputs; i++)
    icl_tensor_release(node->in[i]);
}

/* ---- recording ---- */

static icl_status check_inputs(icl_engine *engine, int op, int inputs, icl__node *const *in) {
  const char *name = icl__op(op)->name;
  if (inputs < 0 || inputs > ICL_MAX_INPUTS)
    return icl__fail(ICL_EINVAL, "%s: %d inputs; there are 0 to %d", name, inputs, ICL_MAX_INPUTS);
  for (int i = 0; i < inputs; i++) {
    if (in[i]->engine != engine)
      return icl__fail(ICL_EINVAL, "%s: input %d belongs to another engine", name, i + 1);
    if (in[i]->dropped)
      return icl__fail(
          ICL_ENOVALUE,
          "%s: input %d (%s) was recorded in a step that has ended, and its value was not kept; call keep() "
          "on it inside the step",
          name, i + 1, icl__op(in[i]->op)->name);
  }
  return ICL_OK;
}

/* Indices that are known already, if in another shape, must lie within their axis. */
static icl_status check_indices(const icl__node *node) {
  if (!node->index_limit)
    return ICL_OK;
  const icl__node *from = node->in[node->inputs - 1];
  while (from->op == ICL__OP_reshape && from->inputs)
    from = from->in[0];
  icl__buffer *index = icl__leaf_buffer(from);
  return index ? icl__buffer_check_indices(index, node) : ICL_OK;
}

/* Puts the node into the step, or evaluates it at once. */
static icl_status place(icl__node *node) {
  icl_engine *engine = node->engine;
  if (engine->in_step) {
    icl__node **grown =
        icl__grow(engine->record, &engine->record_capacity, (size_t)engine->recorded + 1, sizeof *grown);
    if (!grown)
      return icl__fail(ICL_ENOMEM, "no memory to record more than %d ops", engine->recorded);
    engine->record = grown;
    engine->record[engine->recorded++] = icl_tensor_retain(node);
  }
  if (engine->in_step && !engine->eager)
    return ICL_OK;
  ICL__TRY(icl__evaluate_now(node));
  if (!node->needs_grad && (node->plain || !engine->in_step))
    icl__node_drop_inputs(node); /* no gradient will ask for its history */
  return ICL_OK;
}

icl_status icl__record(icl_engine *engine, int op, int inputs, icl__node *const *in, const icl_attributes *attr,
                       icl__node **result) {
  ICL__TRY(check_inputs(engine, op, inputs, in));
  icl__node *node = icl__node_new(engine);
  if (!node)
    return icl__fail(ICL_ENOMEM, "%s: no memory for a node", icl__op(op)->name);
  node->op = (uint16_t)op;
  if (attr)
    node->attr = *attr;
  node->inputs = (uint8_t)inputs;
  for (int i = 0; i < node->inputs; i++) {
    node->in[i] = icl_tensor_retain(in[i]);
    node->needs_grad |= in[i]->needs_grad;
  }
  node->plain = engine->no_gradient > 0;
  icl_status status = icl__infer(node);
  node->needs_grad = node->needs_grad && icl__has_gradient(node);
  if (status == ICL_OK && op == ICL__OP_all_reduce && engine->policy.ranks == 1) {
    *result = icl_tensor_retain(in[0]);
    icl_tensor_release(node);
    return ICL_OK;
  }
  engine->joins |= op == ICL__OP_all_reduce && node->attr.i[ALL_REDUCE_JOIN];
  if (status == ICL_OK)
    status = check_indices(node);
  if (status == ICL_OK)
    status = place(node);
  if (status != ICL_OK) {
    icl_tensor_release(node);
    return status;
  }
  *result = node;
  return ICL_OK;
}

icl_status icl__record_sum_over_ranks(icl_engine *engine, icl__node *part, icl__node **result) {
  icl_attributes attr = {.i[ALL_REDUCE_WIDE] = engine->joins};
  if (engine->policy.ranks == 1) { /* without the cost of a node */
    *result = icl_tensor_retain(part);
    return ICL_OK;
  }
  return icl__record(engine, ICL__OP_all_reduce, 1, &part, &attr, result);
}

icl_status icl_apply(icl_engine *engine, const icl_op *op, int inputs, icl_tensor *const *input,
                     const icl_attributes *attributes, icl_tensor **result) {
  if (op->flags & (ICL__LEAF | ICL__HIDDEN))
    return icl__fail(ICL_EINVAL, "%s: this op is made by the engine and cannot be applied", op->name);
  icl_attributes defaults;
  if (!attributes) {
    icl_op_defaults(op, &defaults);
    attributes = &defaults;
  }
  return icl__record(engine, op->id, inputs, input, attributes, result);
}
