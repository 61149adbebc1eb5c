/* run.c - runs a program on an engine and notes what it shows. */
#include "program.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must(icl_status status) {
  if (status == ICL_OK)
    return;
  fprintf(stderr, "unexpected: %s\n", icl_message());
  exit(3);
}

void *allocate(size_t count, size_t bytes) {
  void *memory = calloc(count ? count : 1, bytes);
  if (!memory)
    exit(3);
  return memory;
}

/* ---- the trace ---- */

static sight *note(run *r, int i, sight_kind kind) {
  trace *t = r->seen;
  if (t->count == t->capacity) {
    t->capacity = t->capacity ? 2 * t->capacity : 64;
    t->list = realloc(t->list, (size_t)t->capacity * sizeof *t->list);
    if (!t->list)
      exit(3);
  }
  sight *s = &t->list[t->count++];
  *s = (sight){.kind = kind, .instruction = i, .turn = r->turn};
  return s;
}

static void note_error(run *r, int i, icl_status status) {
  sight *s = note(r, i, SEEN_ERROR);
  s->status = status;
  snprintf(s->message, sizeof s->message, "%s", icl_message());
}

/* What a reading gave; the values become the trace's. */
static void note_values(run *r, int i, icl_status status, int64_t count, double *values) {
  if (status != ICL_OK) {
    free(values);
    note_error(r, i, status);
    return;
  }
  sight *s = note(r, i, SEEN_VALUE);
  s->count = count;
  s->values = values;
}

static void note_tensor(run *r, int i, icl_tensor *tensor) {
  int64_t count = icl_tensor_count(tensor);
  double *values = allocate((size_t)count, sizeof *values);
  note_values(r, i, icl_tensor_read(tensor, ICL_F64, values), count, values);
}

static void note_state(run *r, int i) {
  int64_t count = count_of(&r->p->list[i]);
  double *values = allocate((size_t)count, sizeof *values);
  note_values(r, i, icl_state_get(r->state[i], ICL_F64, values), count, values);
}

void trace_free(trace *t) {
  for (int i = 0; i < t->count; i++)
    free(t->list[i].values);
  free(t->list);
  *t = (trace){0};
}

/* ---- constants and states ---- */

static void store(icl_dtype dtype, void *data, int64_t k, double value) {
  switch (dtype) {
  case ICL_F64:
    ((double *)data)[k] = value;
    break;
  case ICL_U8:
  case ICL_BOOL:
    ((uint8_t *)data)[k] = (uint8_t)value;
    break;
  case ICL_I32:
    ((int32_t *)data)[k] = (int32_t)value;
    break;
  case ICL_I64:
    ((int64_t *)data)[k] = (int64_t)value;
    break;
  default:
    ((float *)data)[k] = (float)value;
  }
}

static void *elements(const instruction *c, int turn) {
  int64_t count = count_of(c);
  void *data = allocate((size_t)count, icl_dtype_bytes(c->dtype));
  for (int64_t k = 0; k < count; k++)
    store(c->dtype, data, k, element_of(c, turn, k));
  return data;
}

static icl_status make_constant(run *r, const instruction *c, icl_tensor **result) {
  void *data = elements(c, r->turn);
  icl_status status = icl_tensor_new(r->engine, c->dtype, c->rank, c->shape, data, result);
  free(data);
  if (status == ICL_OK && c->flag)
    must(icl_tensor_require_gradient(*result));
  return status;
}

static icl_status make_state(run *r, int i) {
  const instruction *c = &r->p->list[i];
  void *data = elements(c, 0);
  char name[16];
  snprintf(name, sizeof name, "s%d", i + 1);
  icl_status status = icl_state_new(r->engine, name, c->dtype, c->rank, c->shape, data, c->flag, &r->state[i]);
  free(data);
  return status;
}

/* ---- functions with a gradient of their own ---- */

typedef struct {
  int inputs;
  icl_tensor *value, *in[ICL_MAX_INPUTS];
} custom_context;

static bool same_shape(const icl_tensor *a, const icl_tensor *b) {
  int rank = icl_tensor_rank(a);
  return rank == icl_tensor_rank(b) &&
         !memcmp(icl_tensor_shape(a), icl_tensor_shape(b), sizeof(int32_t) * (size_t)rank);
}

/* An input of the value's shape gets 2 g x, another one x sum(g); with a number that has no gradient, none. */
static icl_status custom_backward(void *context, icl_tensor *g, int inputs, icl_tensor **gradients) {
  custom_context *c = context;
  icl_engine *engine = icl_tensor_engine(g);
  for (int i = 0; i < inputs; i++) {
    icl_tensor *factor;
    icl_status status = same_shape(c->in[i], g)
                            ? icl_apply(engine, icl_op_find("add"), 2, (icl_tensor *[]){g, g}, NULL, &factor)
                            : icl_apply(engine, icl_op_find("sum"), 1, &g, NULL, &factor);
    if (status != ICL_OK)
      return status;
    status = icl_apply(engine, icl_op_find("mul"), 2, (icl_tensor *[]){factor, c->in[i]}, NULL, &gradients[i]);
    icl_tensor_release(factor);
    if (status != ICL_OK)
      return status;
  }
  return ICL_OK;
}

static void custom_release(void *context) {
  custom_context *c = context;
  for (int i = 0; i < c->inputs; i++)
    icl_tensor_release(c->in[i]);
  free(c);
}

static icl_status make_custom(int inputs, icl_tensor **in, icl_tensor **result) {
  custom_context *c = allocate(1, sizeof *c);
  for (int i = 1; i < inputs; i++)
    c->in[c->inputs++] = icl_tensor_retain(in[i]);
  icl_status status = icl_custom(in[0], inputs - 1, in + 1, custom_backward, custom_release, c, result);
  if (status != ICL_OK)
    custom_release(c);
  return status;
}

/* ---- instructions ---- */

static icl_status apply(run *r, const instruction *c, icl_tensor **in, icl_tensor **result) {
  if (c->flag)
    icl_no_gradient_begin(r->engine);
  icl_status status = icl_apply(r->engine, icl_op_at(c->op), c->inputs, in, &c->attr, result);
  if (c->flag)
    icl_no_gradient_end(r->engine);
  return status;
}

static icl_status make_value(run *r, const instruction *c, icl_tensor **in, icl_tensor **result) {
  switch (c->kind) {
  case DO_CONSTANT:
    return make_constant(r, c, result);
  case DO_NUMBER:
    return icl_number(r->engine, c->number, result);
  case DO_APPLY:
    return apply(r, c, in, result);
  case DO_DETACH:
    return icl_detach(in[0], result);
  case DO_CUSTOM:
    return make_custom(c->inputs, in, result);
  case DO_READ:
    return icl_state_read(r->state[c->state], result);
  case DO_SLOT:
    return icl_state_gradient(r->state[c->state], result);
  default:
    return icl_gradient(in[0], 1, &in[1], result);
  }
}

static icl_status do_statement(run *r, int i, icl_tensor **in) {
  const instruction *c = &r->p->list[i];
  switch (c->kind) {
  case DO_STATE: /* in the first turn */
    return r->state[i] ? ICL_OK : make_state(r, i);
  case DO_WRITE:
    return icl_state_write(r->state[c->state], in[0], c->inputs > 1 ? in[1] : NULL);
  case DO_CLEAR:
    icl_state_clear_gradient(r->state[c->state]);
    return ICL_OK;
  case DO_FREEZE:
    icl_state_set_trainable(r->state[c->state], !c->flag);
    return ICL_OK;
  case DO_BACKWARD:
    return icl_backward(in[0]);
  case DO_KEEP:
    return icl_tensor_keep(in[0]);
  case DO_LOOK:
    note_tensor(r, i, in[0]);
    return ICL_OK;
  case DO_BEGIN:
    return icl_step_begin(r->engine);
  default:
    return icl_step_end(r->engine);
  }
}

static bool needs_state(instruction_kind kind) {
  return kind == DO_READ || kind == DO_SLOT || kind == DO_WRITE || kind == DO_CLEAR || kind == DO_FREEZE;
}

void run_instruction(run *r, int i) {
  const instruction *c = &r->p->list[i];
  icl_tensor *in[ICL_MAX_INPUTS] = {NULL};
  *r->at = i;
  if (gives_value(c->kind)) { /* that of the turn before */
    icl_tensor_release(r->value[i]);
    r->value[i] = NULL;
  }
  for (int j = 0; j < c->inputs; j++)
    if (!(in[j] = r->value[c->in[j]]))
      return;
  if (needs_state(c->kind) && !r->state[c->state])
    return;
  icl_tensor *result = NULL;
  icl_status status = gives_value(c->kind) ? make_value(r, c, in, &result) : do_statement(r, i, in);
  if (status != ICL_OK) {
    note_error(r, i, status);
    r->stopped = c->kind == DO_END;
  } else if (gives_value(c->kind) && !result) {
    note(r, i, SEEN_NOTHING);
  }
  if (!gives_value(c->kind))
    return;
  if (status == ICL_OK && result && c->kind == DO_APPLY)
    disturb(r, c, in, &result);
  r->value[i] = status == ICL_OK ? result : NULL;
}

static void note_kept(run *r, int first, int last) {
  for (int i = first; i < last; i++) {
    const instruction *c = &r->p->list[i];
    if (c->kind == DO_KEEP && r->value[c->in[0]])
      note_tensor(r, i, r->value[c->in[0]]);
  }
}

static void run_step(run *r, int begin, int end) {
  for (r->turn = 0; r->turn < r->p->list[begin].turns && !r->stopped; r->turn++) {
    for (int i = begin; i <= end && !r->stopped; i++)
      run_instruction(r, i);
    if (r->stopped)
      break;
    note_kept(r, begin, end);
    for (int i = 0; i < r->p->count; i++)
      if (r->state[i])
        note_state(r, i);
  }
  r->turn = 0;
}

void run_program(run *r) {
  for (int i = 0; i < r->p->count && !r->stopped; i++)
    if (r->p->list[i].kind == DO_BEGIN) {
      int end = end_of(r->p, i);
      run_step(r, i, end);
      i = end;
    } else {
      run_instruction(r, i);
    }
  for (int i = 0; i < r->p->count && !r->stopped; i++)
    if (r->state[i])
      note_state(r, i);
}

void run_open(run *r, const program *p, const icl_config *config) {
  static volatile int nowhere;
  trace *seen = r->seen;
  volatile int *at = r->at ? r->at : &nowhere;
  *r = (run){.p = p, .seen = seen, .at = at, .noise = r->noise, .noise_seed = r->noise_seed, .turned = r->turned};
  must(icl_engine_new(config, &r->engine));
}

void run_close(run *r) {
  icl_step_cancel(r->engine);
  for (int i = 0; i < MOST_INSTRUCTIONS; i++) {
    icl_tensor_release(r->value[i]);
    if (r->state[i])
      icl_state_release(r->state[i]);
  }
  icl_engine_free(r->engine);
}
