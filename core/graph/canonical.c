/* canonical.c - what is to be evaluated, as a byte string.
 *
 * It holds every needed node in recorded order with op, dtype, shape, attributes and the numbers of its inputs, leaves
 * without their values, and the list of outputs. It is the key of the plan cache and is compared in full. Aliases
 * (state versions, detach, custom) do not appear in it. */
#include "graph/evaluation.h"

#include <string.h>

#include "base/memory.h"

/* ---- aliases and leaves ---- */

bool icl__is_alias(const icl__node *node) { return (icl__op(node->op)->flags & ICL__ALIAS) && node->inputs; }

icl__node *icl__resolve(icl__node *node) {
  while (!node->value && icl__is_alias(node))
    node = node->in[0];
  return node;
}

icl__buffer *icl__leaf_buffer(const icl__node *node) {
  const icl__node *from = icl__resolve((icl__node *)node);
  bool stored = from->op == ICL__OP_state && !from->inputs && from->version == from->state->version;
  return from->value || !stored ? from->value : from->state->stored;
}

const void *icl__node_data(const icl__node *node) {
  const icl__buffer *buffer = icl__leaf_buffer(node);
  if (buffer)
    return buffer->data;
  const icl__node *from = icl__resolve((icl__node *)node);
  return from->number ? &from->attr.f[0] : NULL;
}

icl_status icl__expect_value(const icl__node *node, const char *user) {
  const icl__node *from = icl__resolve((icl__node *)node);
  if (from->inputs || icl__node_data(from))
    return ICL_OK;
  if (from->op == ICL__OP_state)
    return icl__fail(ICL_ENOVALUE,
                     "%s needs the version of state %s from before the write at %s:%d, which has been stored since; "
                     "call keep() on the old value before something inside the step is read, or before the step ends",
                     user, from->state->name, from->state->write_source ? from->state->write_source : "?",
                     from->state->write_line);
  return icl__fail(ICL_ENOVALUE, "%s needs the value of a %s whose step has ended; call keep() on it inside that step",
                   user, icl_tensor_op(from));
}

/* ---- outputs ---- */

static icl_status add_output(icl__evaluation *e, icl__node *node, icl_state *state) {
  ICL__TRY(icl__expect_value(node, state ? "a write" : "reading"));
  icl__wanted *grown = icl__grow(e->out, &e->output_capacity, (size_t)e->outputs + 1, sizeof *grown);
  if (!grown)
    return icl__fail(ICL_ENOMEM, "no memory for the list of results");
  e->out = grown;
  node->mark = e->mark;
  e->out[e->outputs++] = (icl__wanted){node, state, NULL};
  return ICL_OK;
}

static icl_status add_write(icl__evaluation *e, icl_state *state) {
  icl__node *node = icl__resolve(state->current);
  icl__write *entry = &e->written[e->writes++];
  *entry = (icl__write){state, NULL};
  icl__buffer *there = icl__leaf_buffer(node);
  if (there) {
    entry->held = icl__buffer_retain(there);
    return ICL_OK;
  }
  if (node->mark != e->mark)
    return add_output(e, node, state);
  for (int k = 0; k < e->outputs; k++) /* wanted by another too: all share a fresh buffer */
    if (e->out[k].node == node)
      e->out[k].state = NULL;
  return ICL_OK;
}

icl_status icl__collect_outputs(icl__evaluation *e, int targets, icl__node *const *target, bool with_writes) {
  for (int i = 0; i < targets; i++) {
    icl__node *node = icl__resolve(target[i]);
    if (!icl__node_data(node) && node->mark != e->mark)
      ICL__TRY(add_output(e, node, NULL));
  }
  int writes = 0;
  for (icl_state *state = e->engine->touched; with_writes && state; state = state->next)
    writes += state->written;
  if (!writes)
    return ICL_OK;
  if (!(e->written = icl__calloc((size_t)writes, sizeof *e->written)))
    return icl__fail(ICL_ENOMEM, "no memory for the list of writes");
  for (icl_state *state = e->engine->touched; state; state = state->next)
    if (state->written)
      ICL__TRY(add_write(e, state));
  return ICL_OK;
}

/* ---- the form ---- */

static bool reserve(icl__canonical *form, size_t bytes) {
  uint8_t *grown = icl__grow(form->key, &form->key_capacity, form->key_bytes + bytes, 1);
  if (grown)
    form->key = grown;
  return grown != NULL;
}

/* There is room for it. */
static void put(icl__canonical *form, const void *data, size_t bytes) {
  if (bytes)
    memcpy(form->key + form->key_bytes, data, bytes);
  form->key_bytes += bytes;
}

static void put_inputs(icl__canonical *form, const icl__node *node) {
  int32_t in[ICL_MAX_INPUTS];
  for (int i = 0; i < node->inputs; i++)
    in[i] = icl__resolve(node->in[i])->slot;
  put(form, in, sizeof *in * node->inputs);
  if (icl__op(node->op)->specs)
    put(form, &node->attr, sizeof node->attr);
}

static bool put_node(icl__evaluation *e, icl__node *node) {
  enum { HEAD = 4, MOST = HEAD + sizeof node->shape + ICL_MAX_INPUTS * sizeof(int32_t) + sizeof node->attr };
  icl__canonical *form = &e->form;
  icl__listed *grown = icl__grow(form->listed, &form->capacity, (size_t)form->nodes + 1, sizeof *grown);
  if (!grown)
    return false;
  form->listed = grown; /* also where the rest fails: what it was is gone */
  if (!reserve(form, MOST))
    return false;
  form->listed[form->nodes] = (icl__listed){node, form->key_bytes};
  node->slot = form->nodes++;
  icl__leaf_kind leaf = icl__leaf_kind_of(e, node);
  e->leaves += leaf != ICL__LEAF_NONE;
  uint8_t head[HEAD] = {leaf ? 255 : (uint8_t)(node->op & 255), node->dtype, node->rank,
                        leaf ? (uint8_t)leaf : node->inputs};
  put(form, head, sizeof head);
  put(form, node->shape, sizeof *node->shape * node->rank);
  if (!leaf)
    put_inputs(form, node);
  return true;
}

static icl_status no_memory(const icl__evaluation *e) {
  return icl__fail(ICL_ENOMEM, "no memory for the form of a step of more than %d ops", e->form.nodes);
}

/* Leaves get a mark of their own when they are first met. */
static icl_status visit(icl__evaluation *e, icl__node *node) {
  for (int i = 0; i < node->inputs; i++) {
    icl__node *in = icl__resolve(node->in[i]);
    if (icl__is_leaf_of(e, in) || in->mark == e->mark)
      continue;
    ICL__TRY(icl__expect_value(in, icl_tensor_op(node)));
    in->mark = e->mark + 1;
    if (!put_node(e, in))
      return no_memory(e);
  }
  return put_node(e, node) ? ICL_OK : no_memory(e);
}

/* Backward over the recorded order: marks what the outputs need; forward: writes it down. */
static icl_status put_needed(icl__evaluation *e, int count, icl__node *const *nodes) {
  for (int i = count - 1; i >= 0; i--) {
    icl__node *node = nodes[i];
    if (node->mark != e->mark || node->value)
      continue;
    for (int j = 0; j < node->inputs; j++) {
      icl__node *in = icl__resolve(node->in[j]);
      if (!in->value && in->inputs)
        in->mark = e->mark;
    }
  }
  for (int i = 0; i < count; i++)
    if (nodes[i]->mark == e->mark && !icl__is_alias(nodes[i]))
      ICL__TRY(visit(e, nodes[i]));
  return ICL_OK;
}

/* Places of the outputs, and which leaf holds the old version of a state that an output replaces. */
static void describe_outputs(const icl__evaluation *e, icl__plan_output *list) {
  for (int k = 0; k < e->outputs; k++) {
    const icl__wanted *o = &e->out[k];
    list[k] = (icl__plan_output){o->node->slot, -1, o->state != NULL};
    if (o->state)
      o->state->output = k;
  }
  int leaf = 0;
  for (int i = 0; i < e->form.nodes; i++) {
    icl__node *node = e->form.listed[i].node;
    if (!icl__is_leaf_of(e, node))
      continue;
    if (icl__leaf_kind_of(e, node) == ICL__LEAF_STATE && node->state->written) {
      int k = node->state->output;
      if (k >= 0 && k < e->outputs && e->out[k].state == node->state)
        list[k].state_leaf = leaf;
    }
    leaf++;
  }
}

icl_status icl__write_canonical(icl__evaluation *e, int count, icl__node *const *nodes, icl__plan_output **outputs) {
  ICL__TRY(put_needed(e, count, nodes));
  icl__plan_output *list = icl__calloc((size_t)e->outputs, sizeof *list);
  if (!list)
    return no_memory(e);
  describe_outputs(e, list);
  if (!reserve(&e->form, sizeof *list * (size_t)e->outputs)) {
    icl__free(list);
    return no_memory(e);
  }
  put(&e->form, list, sizeof *list * (size_t)e->outputs);
  *outputs = list;
  return ICL_OK;
}
