/* state.c - variables: versions within a step, stored values between steps, gradient slots. */
#include "graph/engine.h"

#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "ops/attributes.h"

static void end_lasting(icl_state *state) {
  if (state->lasts)
    icl__lasting_forget(&state->engine->plans.lasting);
  state->lasts = false;
}

void icl__state_changed(icl_state *state) {
  end_lasting(state);
  state->version = ++state->engine->last_version;
}

static size_t bytes_of(const icl_state *state) { return (size_t)state->count * icl_dtype_bytes(state->dtype); }

/* `data` (NULL: zeros) of `dtype` as the state's dtype has it. */
static icl_status make_host_value(const icl_state *state, icl_dtype dtype, const void *data, void **result) {
  *result = icl__calloc(bytes_of(state), 1);
  if (!*result)
    return icl__fail(ICL_ENOMEM, "state %s: no memory for %zu bytes", state->name, bytes_of(state));
  if (data)
    icl__convert(dtype, data, state->dtype, *result, state->count);
  return ICL_OK;
}

static icl_status make_buffer(icl_state *state, icl_dtype dtype, const void *data, icl__buffer **result) {
  void *host;
  ICL__TRY(make_host_value(state, dtype, data, &host));
  icl_status status = icl__buffer_new(state->engine, bytes_of(state), result);
  if (status == ICL_OK && (status = icl__buffer_fill(*result, host)) != ICL_OK)
    icl__buffer_release(*result);
  icl__free(host);
  return status;
}

icl_status icl_state_new(icl_engine *engine, const char *name, icl_dtype dtype, int rank, const int32_t *shape,
                         const void *data, bool trainable, icl_state **result) {
  char what[128];
  snprintf(what, sizeof what, "state %s", name ? name : "");
  ICL__TRY(icl__check_dtype(what, dtype));
  ICL__TRY(icl__check_shape(what, dtype, rank, shape));
  if (trainable && !icl__is_float(dtype))
    return icl__fail(ICL_EDTYPE, "%s: %s cannot be trained; choose a float dtype", what, icl_dtype_name(dtype));
  icl_state *state = icl__calloc(1, sizeof *state);
  if (!state || !(state->name = icl__strdup(name ? name : ""))) {
    icl__free(state);
    return icl__fail(ICL_ENOMEM, "state %s: no memory", name ? name : "");
  }
  state->engine = engine;
  state->references = 1;
  state->dtype = dtype;
  state->rank = rank;
  for (int i = 0; i < rank; i++)
    state->shape[i] = shape[i];
  state->count = icl__count(rank, shape);
  state->trainable = trainable;
  icl__state_changed(state);
  icl_status status = make_buffer(state, dtype, data, &state->stored);
  if (status != ICL_OK) {
    icl__free(state->name);
    icl__free(state);
    return status;
  }
  icl__engine_retain(engine);
  *result = state;
  return ICL_OK;
}

icl_state *icl_state_retain(icl_state *state) {
  state->references++;
  return state;
}

void icl_state_release(icl_state *state) {
  if (!state || --state->references)
    return;
  icl_engine *engine = state->engine;
  end_lasting(state);
  icl__buffer_release(state->stored);
  icl__free(state->gradient);
  icl__free(state->name);
  icl__free(state);
  icl__engine_release(engine);
}

const char *icl_state_name(const icl_state *state) { return state->name; }

void icl_state_rename(icl_state *state, const char *name) {
  char *copy = icl__strdup(name ? name : "");
  if (!copy)
    return; /* the name serves messages only */
  icl__free(state->name);
  state->name = copy;
}

icl_dtype icl_state_dtype(const icl_state *state) { return state->dtype; }
int icl_state_rank(const icl_state *state) { return state->rank; }
const int32_t *icl_state_shape(const icl_state *state) { return state->shape; }
bool icl_state_trainable(const icl_state *state) { return state->trainable; }

void icl_state_set_trainable(icl_state *state, bool trainable) {
  state->trainable = trainable && icl__is_float(state->dtype);
}

/* ---- versions ---- */

icl_status icl__state_own_memory(icl_state *state) {
  icl__buffer *shared = state->stored, *own;
  if (shared->references == 1)
    return ICL_OK;
  ICL__TRY(icl__buffer_new(state->engine, shared->bytes, &own));
  icl_status status = icl__buffer_copy(own, shared);
  if (status != ICL_OK) {
    icl__buffer_release(own);
    return status;
  }
  if (!shared->pinned) {
    void *data = own->data;
    own->data = shared->data;
    shared->data = data;
  }
  icl__buffer_release(shared);
  state->stored = own;
  return ICL_OK;
}

/* A listed state holds one reference of its own, so that it outlives the step that uses it. */
void icl__state_touch(icl_state *state) {
  if (state->listed)
    return;
  icl_engine *engine = state->engine;
  state->listed = true;
  state->previous = NULL;
  state->next = engine->touched;
  if (state->next)
    state->next->previous = state;
  engine->touched = state;
  icl_state_retain(state);
}

void icl__state_reset(icl_state *state) {
  icl_state_clear_gradient(state);
  icl_tensor_release(state->current);
  state->current = NULL;
  state->written = false;
  if (!state->listed)
    return;
  state->listed = false;
  if (state->next)
    state->next->previous = state->previous;
  if (state->previous)
    state->previous->next = state->next;
  else
    state->engine->touched = state->next;
  icl_state_release(state);
}

static icl_status version_node(icl_state *state, icl__node *value, icl__node **result) {
  icl__node *node = icl__node_new(state->engine);
  if (!node)
    return icl__fail(ICL_ENOMEM, "state %s: no memory for a node", state->name);
  node->op = ICL__OP_state;
  node->dtype = (uint8_t)state->dtype;
  node->rank = (uint8_t)state->rank;
  memcpy(node->shape, state->shape, sizeof node->shape);
  node->state = icl_state_retain(state);
  node->version = state->version;
  node->needs_grad = state->trainable;
  if (value) {
    node->in[0] = icl_tensor_retain(value);
    node->inputs = 1;
  }
  *result = node;
  return ICL_OK;
}

icl_status icl_state_read(icl_state *state, icl_tensor **result) {
  icl_engine *engine = state->engine;
  if (state->current && state->current_trains == state->trainable) {
    *result = icl_tensor_retain(state->current);
    return ICL_OK;
  }
  icl__node *node;
  ICL__TRY(version_node(state, state->current, &node));
  if (!engine->in_step || engine->eager)
    node->value = icl__buffer_retain(state->current && state->current->value ? state->current->value : state->stored);
  if (engine->in_step) {
    icl__state_touch(state);
    icl_tensor_release(state->current);
    state->current = icl_tensor_retain(node);
    state->current_trains = state->trainable;
  }
  *result = node;
  return ICL_OK;
}

/* `user` is who has the value, "write" or "grad"; one of another dtype or a number becomes what the state is. */
static icl_status check_value(icl_state *state, const char *user, icl_tensor **value) {
  icl__node *v = *value;
  char want[ICL__SHAPE_TEXT], have[ICL__SHAPE_TEXT];
  bool fits = v->number ? state->count == 1 : v->rank == state->rank;
  for (int i = 0; fits && !v->number && i < v->rank; i++)
    fits = v->shape[i] == state->shape[i];
  if (!fits)
    return icl__fail(ICL_ESHAPE, "%s: state %s is %s, the value is %s; it must have the same shape", user, state->name,
                     icl__shape_text(want, state->dtype, state->rank, state->shape),
                     icl__shape_text(have, (icl_dtype)v->dtype, v->rank, v->shape));
  if (v->dtype == state->dtype && !v->number)
    return ICL_OK;
  if (icl__is_float((icl_dtype)v->dtype) && !icl__is_float(state->dtype) && !v->number)
    return icl__fail(ICL_EDTYPE, "%s: state %s is %s, the value is %s; cast it first", user, state->name,
                     icl_dtype_name(state->dtype), icl_dtype_name((icl_dtype)v->dtype));
  icl_attributes attr = {.i[CAST_DTYPE] = (int32_t)state->dtype};
  icl__node *cast;
  ICL__TRY(icl__record(state->engine, ICL__OP_cast, 1, &v, &attr, &cast));
  icl_tensor_release(v);
  *value = cast;
  if (state->rank == cast->rank)
    return ICL_OK;
  attr = (icl_attributes){0}; /* a number for a state of one element */
  icl__set_list(&attr, TARGET_SHAPE, state->rank, state->shape);
  icl__node *shaped;
  ICL__TRY(icl__record(state->engine, ICL__OP_reshape, 1, &cast, &attr, &shaped));
  icl_tensor_release(cast);
  *value = shaped;
  return ICL_OK;
}

/* Outside of a step a write is stored at once, and shares memory with the value. */
static void store(icl_state *state, icl__buffer *buffer) {
  icl__buffer_retain(buffer);
  icl__buffer_release(state->stored);
  state->stored = buffer;
  icl__state_changed(state);
}

static icl_status write_value(icl_state *state, icl__node *value) {
  icl_engine *engine = state->engine;
  if (icl__expect_value(value, "a write") != ICL_OK) { /* the name is only worth its time in the message */
    char what[128];
    snprintf(what, sizeof what, "a write to state %s", state->name);
    return icl__expect_value(value, what);
  }
  state->write_source = engine->source;
  state->write_line = engine->line;
  if (!engine->in_step) {
    store(state, icl__leaf_buffer(value));
    return ICL_OK;
  }
  icl__node *node;
  ICL__TRY(version_node(state, value, &node));
  if (engine->eager)
    node->value = icl__buffer_retain(icl__leaf_buffer(value));
  icl__state_touch(state);
  icl_tensor_release(state->current);
  state->current = node;
  state->current_trains = state->trainable;
  state->written = true;
  return ICL_OK;
}

static icl_status check_predicate(const icl_state *state, const icl_tensor *predicate) {
  if (icl__node_count(predicate) == 1)
    return ICL_OK;
  return icl__fail(ICL_ESHAPE, "write: the predicate of state %s has %lld elements; it must have one", state->name,
                   (long long)icl__node_count(predicate));
}

static icl_status select_value(icl_state *state, icl_tensor *predicate, icl_tensor **value) {
  icl__node *old, *chosen;
  ICL__TRY(icl_state_read(state, &old));
  icl__node *in[] = {predicate, *value, old};
  icl_status status = icl__record(state->engine, ICL__OP_where, 3, in, NULL, &chosen);
  icl_tensor_release(old);
  ICL__TRY(status);
  icl_tensor_release(*value);
  *value = chosen;
  return check_value(state, "write", value);
}

icl_status icl_state_write(icl_state *state, icl_tensor *value, icl_tensor *predicate) {
  icl_engine *engine = state->engine;
  if (value->engine != engine)
    return icl__fail(ICL_EINVAL, "write: the value for state %s belongs to another engine", state->name);
  icl_no_gradient_begin(engine);
  icl_tensor *v = icl_tensor_retain(value);
  icl_status status = check_value(state, "write", &v);
  if (status == ICL_OK && predicate)
    status = check_predicate(state, predicate);
  bool stays = predicate && v == state->current; /* whether it is written or not */
  if (status == ICL_OK && predicate && !stays)
    status = select_value(state, predicate, &v);
  if (status == ICL_OK && !stays)
    status = write_value(state, v);
  icl_tensor_release(v);
  icl_no_gradient_end(engine);
  return status;
}

/* ---- gradients ---- */

/* A chain of sums of two: each pass of a subdivided batch adds to the one before, and no more than one sum has to be
 * kept. What it comes to is added up over the ranks of a group. */
static icl_status add_up(icl_state *state, icl__node **result) {
  icl__node *sum = icl_tensor_retain(state->gradient[0]);
  icl_status status = ICL_OK;
  for (int i = 1; i <= state->gradients && status == ICL_OK; i++) {
    icl__node *next = NULL;
    if (i < state->gradients)
      status = icl__record(state->engine, ICL__OP_add_n, 2, (icl__node *[]){sum, state->gradient[i]}, NULL, &next);
    else
      status = icl__record_sum_over_ranks(state->engine, sum, &next);
    icl_tensor_release(sum);
    sum = next;
  }
  if (status == ICL_OK && state->given) {
    icl__node *all = NULL;
    status = icl__record(state->engine, ICL__OP_add_n, 2, (icl__node *[]){state->given, sum}, NULL, &all);
    icl_tensor_release(sum);
    sum = all;
  }
  *result = sum;
  return status;
}

/* The sum is kept: to ask the other ranks for it twice would cost as much again. */
icl_status icl_state_gradient(icl_state *state, icl_tensor **result) {
  *result = NULL;
  if (state->summed < state->gradients) {
    icl_tensor_release(state->sum);
    state->sum = NULL;
    state->summed = 0;
    icl_no_gradient_begin(state->engine);
    icl_status status = add_up(state, &state->sum);
    icl_no_gradient_end(state->engine);
    ICL__TRY(status);
    state->summed = state->gradients;
  }
  state->engine->used_gradients |= state->sum != NULL;
  *result = state->sum ? icl_tensor_retain(state->sum) : NULL;
  return ICL_OK;
}

icl_status icl_state_set_gradient(icl_state *state, icl_tensor *value) {
  icl_engine *engine = state->engine;
  if (value->engine != engine)
    return icl__fail(ICL_EINVAL, "grad: the value for state %s belongs to another engine", state->name);
  if (!state->trainable)
    return icl__fail(ICL_EINVAL, "grad: state %s is not trained, so nothing reads its gradient", state->name);
  icl_no_gradient_begin(engine);
  icl_tensor *v = icl_tensor_retain(value);
  icl_status status = check_value(state, "grad", &v);
  if (status == ICL_OK)
    status = icl__expect_value(v, "grad");
  if (status == ICL_OK) {
    icl_state_clear_gradient(state);
    icl__state_touch(state);
    engine->used_gradients = false; /* whoever read what it replaces may have made it from that */
    state->given = v;
    state->sum = icl_tensor_retain(v);
  } else {
    icl_tensor_release(v);
  }
  icl_no_gradient_end(engine);
  return status;
}

void icl_state_clear_gradient(icl_state *state) {
  icl_tensor_release(state->given);
  state->given = NULL;
  icl_tensor_release(state->sum);
  state->sum = NULL;
  state->summed = 0;
  for (int i = 0; i < state->gradients; i++)
    icl_tensor_release(state->gradient[i]);
  state->gradients = 0;
}

/* ---- host access ---- */

icl_status icl_state_set(icl_state *state, icl_dtype dtype, const void *data) {
  if (state->engine->in_step)
    return icl__fail(ICL_EINVAL, "state %s cannot be set inside a step; write() it instead", state->name);
  ICL__TRY(icl__check_dtype("state", dtype));
  void *host;
  ICL__TRY(make_host_value(state, dtype, data, &host));
  icl_status status = icl__state_own_memory(state);
  if (status == ICL_OK)
    status = icl__buffer_fill(state->stored, host);
  if (status == ICL_OK)
    icl__state_changed(state);
  icl__free(host);
  return status;
}

icl_status icl_state_set_dtype(icl_state *state, icl_dtype dtype) {
  if (state->engine->in_step)
    return icl__fail(ICL_EINVAL, "state %s cannot change its dtype inside a step", state->name);
  ICL__TRY(icl__check_dtype("state", dtype));
  if (state->trainable && !icl__is_float(dtype))
    return icl__fail(ICL_EDTYPE, "state %s: %s cannot be trained; choose a float dtype", state->name,
                     icl_dtype_name(dtype));
  if (dtype == state->dtype)
    return ICL_OK;
  void *host = icl__alloc((size_t)state->count, icl_dtype_bytes(dtype));
  icl_status status = host ? icl_state_get(state, dtype, host) : ICL_ENOMEM;
  icl_dtype before = state->dtype;
  icl__buffer *buffer = NULL;
  state->dtype = dtype;
  if (status == ICL_OK)
    status = make_buffer(state, dtype, host, &buffer);
  icl__free(host);
  if (status != ICL_OK) {
    state->dtype = before;
    return status;
  }
  icl__state_reset(state); /* lets go of a gradient that was left outside of a step */
  store(state, buffer);
  icl__buffer_release(buffer);
  return ICL_OK;
}

icl_status icl_state_copy(icl_state *state, icl_state **result) {
  icl_state *copy;
  ICL__TRY(icl_state_new(state->engine, state->name, state->dtype, state->rank, state->shape, NULL, false, &copy));
  icl_status status = icl__buffer_copy(copy->stored, state->stored);
  if (status == ICL_OK && state->written)
    status = icl_state_write(copy, state->current, NULL);
  if (status != ICL_OK) {
    icl_state_release(copy);
    return status;
  }
  *result = copy;
  return ICL_OK;
}

icl_status icl_state_get(icl_state *state, icl_dtype dtype, void *data) {
  icl_tensor *now;
  ICL__TRY(icl_state_read(state, &now));
  icl_status status = icl_tensor_read(now, dtype, data);
  icl_tensor_release(now);
  return status;
}
