/* record.c - making nodes: the one way a value comes into being. */
#include "graph/engine.h"

#include <string.h>

#include "base/memory.h"
#include "ops/ops.h"

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

static void custom_release(icl__custom *custom) {
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
    custom_release(node->custom);
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

/* Puts the node into the step, or evaluates it at once. */
static icl_status place(icl__node *node) {
  icl_engine *engine = node->engine;
  if (engine->in_step) {
    if (engine->recorded == engine->recorded_capacity) {
      int capacity = engine->recorded_capacity ? 2 * engine->recorded_capacity : 1024;
      icl__node **record = icl__realloc(engine->record, (size_t)capacity, sizeof *record);
      if (!record)
        return icl__fail(ICL_ENOMEM, "no memory to record more than %d ops", engine->recorded);
      engine->record = record;
      engine->recorded_capacity = capacity;
    }
    engine->record[engine->recorded++] = icl_tensor_retain(node);
  }
  if (engine->in_step && !engine->eager)
    return ICL_OK;
  ICL__TRY(icl__evaluate_now(node));
  if (!node->needs_grad)
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
  const icl_op *info = icl__op(op);
  node->inputs = (uint8_t)(inputs < ICL_MAX_INPUTS ? inputs : ICL_MAX_INPUTS);
  for (int i = 0; i < node->inputs; i++) {
    node->in[i] = icl_tensor_retain(in[i]);
    node->needs_grad |= in[i]->needs_grad;
  }
  node->needs_grad = node->needs_grad && info->grad && !engine->no_gradient;
  icl_status status = inputs <= ICL_MAX_INPUTS
                          ? icl__infer(node)
                          : icl__fail(ICL_EINVAL, "%s: %d inputs; at most %d", info->name, inputs, ICL_MAX_INPUTS);
  if (status == ICL_OK)
    status = place(node);
  if (status != ICL_OK) {
    icl_tensor_release(node);
    return status;
  }
  *result = node;
  return ICL_OK;
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

/* ---- leaves ---- */

icl_status icl_tensor_new(icl_engine *engine, icl_dtype dtype, int rank, const int32_t *shape, const void *data,
                          icl_tensor **result) {
  if (rank < 0 || rank > ICL_MAX_RANK)
    return icl__fail(ICL_EINVAL, "tensor: rank %d; a tensor has 0 to %d axes", rank, ICL_MAX_RANK);
  icl__node *node = icl__node_new(engine);
  if (!node)
    return icl__fail(ICL_ENOMEM, "tensor: no memory for a node");
  node->op = ICL__OP_constant;
  icl_status status = icl__set_shape(node, rank, shape, dtype);
  size_t bytes = (size_t)icl__node_count(node) * icl_dtype_bytes(dtype);
  if (status == ICL_OK)
    status = icl__buffer_new(engine, bytes, &node->value);
  if (status == ICL_OK && engine->backend->upload)
    status = engine->backend->upload(engine->device, node->value->data, data, bytes, NULL);
  else if (status == ICL_OK && bytes)
    memcpy(node->value->data, data, bytes);
  if (status != ICL_OK) {
    icl_tensor_release(node);
    return status;
  }
  *result = node;
  return ICL_OK;
}

icl_status icl_number(icl_engine *engine, double value, icl_tensor **result) {
  icl__node *node = icl__node_new(engine);
  if (!node)
    return icl__fail(ICL_ENOMEM, "no memory for a number");
  node->op = ICL__OP_constant;
  node->dtype = ICL_F64;
  node->number = true;
  node->attr.f[0] = value;
  *result = node;
  return ICL_OK;
}

icl_status icl_detach(icl_tensor *tensor, icl_tensor **result) {
  return icl__record(tensor->engine, ICL__OP_detach, 1, &tensor, NULL, result);
}

icl_status icl_tensor_require_gradient(icl_tensor *tensor) {
  if (tensor->inputs || !icl__is_float((icl_dtype)tensor->dtype) || tensor->number)
    return icl__fail(ICL_EINVAL, "a gradient can be asked for at a constant of a float dtype; this is a result of %s",
                     icl__op(tensor->op)->name);
  tensor->needs_grad = true;
  return ICL_OK;
}

icl_status icl_custom(icl_tensor *value, int inputs, icl_tensor *const *input, icl_backward_fn backward,
                      void (*release)(void *), void *context, icl_tensor **result) {
  if (inputs + 1 > ICL_MAX_INPUTS)
    return icl__fail(ICL_EINVAL, "autograd: a function of one's own takes at most %d tensors, not %d",
                     ICL_MAX_INPUTS - 1, inputs);
  icl__node *in[ICL_MAX_INPUTS] = {value};
  for (int i = 0; i < inputs; i++)
    in[i + 1] = input[i];
  icl__custom *custom = icl__alloc(1, sizeof *custom);
  if (!custom)
    return icl__fail(ICL_ENOMEM, "autograd: no memory for a function");
  *custom = (icl__custom){1, backward, release, context};
  icl__node *node;
  icl_status status = icl__record(value->engine, ICL__OP_custom, inputs + 1, in, NULL, &node);
  if (status != ICL_OK) {
    icl__free(custom); /* the context stays the caller's after an error */
    return status;
  }
  if (node->needs_grad)
    node->custom = custom;
  else
    custom_release(custom);
  *result = node;
  return ICL_OK;
}

void icl_no_gradient_begin(icl_engine *engine) { engine->no_gradient++; }
void icl_no_gradient_end(icl_engine *engine) { engine->no_gradient--; }

/* ---- questions ---- */

icl_engine *icl_tensor_engine(const icl_tensor *tensor) { return tensor->engine; }
icl_dtype icl_tensor_dtype(const icl_tensor *tensor) { return (icl_dtype)tensor->dtype; }
int icl_tensor_rank(const icl_tensor *tensor) { return tensor->rank; }
const int32_t *icl_tensor_shape(const icl_tensor *tensor) { return tensor->shape; }
int64_t icl_tensor_count(const icl_tensor *tensor) { return icl__node_count(tensor); }
const char *icl_tensor_op(const icl_tensor *tensor) { return icl__op(tensor->op)->name; }
bool icl_tensor_evaluated(const icl_tensor *tensor) { return icl__node_data(tensor) != NULL; }
size_t icl_tensor_bytes(const icl_tensor *tensor) {
  return sizeof *tensor + (tensor->value ? tensor->value->bytes : 0);
}
bool icl_tensor_needs_gradient(const icl_tensor *tensor) { return tensor->needs_grad; }
