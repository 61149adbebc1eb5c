/* make_rest.c - makers of what is not an op: states, gradients, steps. */
#include "generate.h"

#include <string.h>

static int any_state(maker *m) {
  int found[MOST_INSTRUCTIONS], count = 0;
  for (int i = 0; i < m->p->count; i++)
    if (at(m, i)->kind == DO_STATE)
      found[count++] = i;
  return count ? found[below(m, count)] : -1;
}

static int read_state(maker *m, int state) {
  return state < 0 ? -1 : put(m, &(instruction){.kind = DO_READ, .state = state});
}

void make_state(maker *m) {
  int32_t shape[ICL_MAX_RANK], c = m->c[below(m, 2)];
  int way = below(m, 5), rank = way < 4 ? way : 4;
  if (chance(m, 5)) { /* so large that threads share the work on it */
    parameter(m, SIGNED, 2, (const int32_t[]){150, 140 + below(m, 2)});
    return;
  }
  memcpy(shape,
         rank == 4 ? (const int32_t[]){3, 3, c, m->c[below(m, 2)]} : (const int32_t[]){rank == 1 ? c : m->n, c, c, c},
         4 * sizeof *shape);
  parameter(m, rank == 4 ? WEIGHTS : SIGNED, rank, shape);
}

void make_read(maker *m) { read_state(m, any_state(m)); }

/* ---- writes ---- */

static int predicate(maker *m) {
  if (chance(m, 40))
    return integers(m, ICL_BOOL, 2, 0, NULL);
  int x = any_value(m), sum = x < 0 ? -1 : apply1(m, "sum", x);
  return sum < 0 ? -1 : apply2(m, "gt", sum, number(m, 0.375));
}

static void write(maker *m, int state, int value) {
  instruction i = {.kind = DO_WRITE, .state = state, .inputs = 1, .in = {value}};
  if (chance(m, 25)) {
    i.inputs = 2;
    i.in[1] = predicate(m);
  }
  put(m, &i);
}

/* A mean of the old value and another; now and then some other value just as it is. */
void make_write(maker *m) {
  int state = any_state(m), old = read_state(m, state);
  if (old < 0)
    return;
  int other = pick_like(m, old);
  if (other >= 0 && chance(m, 30)) {
    write(m, state, other);
    return;
  }
  int part = apply2(m, "mul", old, number(m, 0.75)), rest = apply2(m, "mul", other < 0 ? old : other, number(m, 0.25));
  if (part >= 0 && rest >= 0)
    write(m, state, apply2(m, "add", part, rest));
}

/* Another state of the shape of this one. */
static int buffer_for(maker *m, int state) {
  for (int i = 0; i < m->p->count; i++)
    if (at(m, i)->kind == DO_STATE && i != state && at(m, i)->rank == at(m, state)->rank &&
        !memcmp(at(m, i)->shape, at(m, state)->shape, sizeof at(m, i)->shape))
      return i;
  return -1;
}

/* p - lr g, perhaps with momentum, spelled out or as an op of its own */
static void update(maker *m, int state) {
  int g = put(m, &(instruction){.kind = DO_SLOT, .state = state}), p = g < 0 ? -1 : read_state(m, state);
  int buffer = buffer_for(m, state);
  if (p < 0)
    return;
  if (buffer >= 0 && chance(m, 60)) {
    int v = read_state(m, buffer), momentum = number(m, 0.875);
    int next = chance(m, 50) ? apply_op(m, "sgd_momentum", 5, (int[]){g, p, v, momentum, number(m, 0.125)}, NULL)
                             : apply2(m, "add", apply2(m, "mul", v, momentum), g);
    write(m, buffer, next);
    if (chance(m, 40)) {
      write(m, state,
            apply_op(m, "sgd_nesterov", 6, (int[]){p, g, v, number(m, 0.0625), momentum, number(m, 0.125)}, NULL));
      return;
    }
    g = next;
  }
  write(m, state, apply2(m, "sub", p, apply2(m, "mul", g, number(m, 0.0625))));
}

void make_update(maker *m) {
  if (chance(m, 30)) {
    int state = any_state(m);
    if (state >= 0)
      update(m, state);
    return;
  }
  int count = m->p->count;
  for (int i = 0; i < count; i++)
    if (at(m, i)->kind == DO_STATE)
      update(m, i);
}

/* ---- gradients ---- */

static int loss(maker *m) {
  int x = any_value(m);
  if (x < 0)
    return -1;
  if (chance(m, 50))
    x = apply2(m, "mul", x, x);
  int sum = x < 0 ? -1 : apply1(m, "sum", x);
  return sum < 0 || chance(m, 30) ? sum : apply2(m, "mul", sum, number(m, 1.0 / (double)count_of(at(m, x))));
}

void make_backward(maker *m) {
  int l = loss(m);
  if (l < 0 || put(m, &(instruction){.kind = DO_BACKWARD, .inputs = 1, .in = {l}}) < 0)
    return;
  if (chance(m, 50))
    make_update(m);
  int state = any_state(m);
  if (state >= 0 && chance(m, 5))
    put(m, &(instruction){.kind = DO_CLEAR, .state = state});
}

void make_derivative(maker *m) {
  int l = loss(m), x = pick(m, -1);
  if (l >= 0 && x >= 0)
    put(m, &(instruction){.kind = DO_DERIVATIVE, .inputs = 2, .in = {l, x}});
}

/* A result with a gradient function for its operands, or for some others. */
void make_custom(maker *m) {
  int value = pick(m, -1);
  if (value < 0)
    return;
  instruction i = {.kind = DO_CUSTOM, .inputs = 1, .in = {value}};
  const instruction *c = at(m, value);
  for (int j = 0; c->kind == DO_APPLY && j < c->inputs && i.inputs < 4; j++)
    if (is_real(m, c->in[j]) && m->of[c->in[j]].usable)
      i.in[i.inputs++] = c->in[j];
  if (i.inputs == 1 || chance(m, 20))
    i.in[i.inputs++] = pick(m, -1);
  put(m, &i);
}

void make_detach(maker *m) {
  int x = any_value(m);
  if (x >= 0)
    put(m, &(instruction){.kind = DO_DETACH, .inputs = 1, .in = {x}});
}

/* ---- what is seen, and steps ---- */

static void keep(maker *m, int x) {
  if (x >= 0)
    put(m, &(instruction){.kind = m->step >= 0 ? DO_KEEP : DO_LOOK, .inputs = 1, .in = {x}});
}

void make_keep(maker *m) { keep(m, any_value(m)); }

/* One of the versions of states that were read, or -1. */
static int any_version(maker *m) {
  int found[MOST_INSTRUCTIONS], count = 0;
  for (int i = 0; i < m->p->count; i++)
    if (at(m, i)->kind == DO_READ && m->of[i].usable)
      found[count++] = i;
  return count ? found[below(m, count)] : -1;
}

void make_look(maker *m) {
  int x = chance(m, 30) ? any_version(m) : any_value(m);
  if (x >= 0)
    put(m, &(instruction){.kind = DO_LOOK, .inputs = 1, .in = {x}});
}

void make_freeze(maker *m) {
  int state = any_state(m);
  if (state >= 0)
    put(m, &(instruction){.kind = DO_FREEZE, .state = state, .flag = chance(m, 60)});
}

static bool is_read_by(const maker *m, int i, int first) {
  for (int k = first; k < m->p->count; k++)
    for (int j = 0; j < at(m, k)->inputs; j++)
      if (at(m, k)->in[j] == i)
        return true;
  return false;
}

/* What nothing reads is kept, or there would be no trace of it. */
static void end_step(maker *m) {
  int last = m->p->count;
  for (int i = m->step + 1; i < last; i++)
    if (gives_value(at(m, i)->kind) && at(m, i)->kind != DO_NUMBER && at(m, i)->kind != DO_CONSTANT &&
        !is_read_by(m, i, i + 1) && chance(m, 85))
      keep(m, i);
  for (int i = m->step + 1; i < m->p->count; i++)
    if (at(m, i)->kind != DO_CONSTANT && at(m, i)->kind != DO_NUMBER)
      m->of[i].usable = false;
  for (int i = m->step + 1; i < m->p->count; i++)
    if (at(m, i)->kind == DO_KEEP || at(m, i)->kind == DO_LOOK)
      m->of[at(m, i)->in[0]].usable = true;
  put(m, &(instruction){.kind = DO_END});
  m->step = -1;
}

/* Begins a step, or ends the one that is open. */
void make_step(maker *m) {
  if (m->step >= 0)
    end_step(m);
  else
    m->step = put(m, &(instruction){.kind = DO_BEGIN, .turns = chance(m, 60) ? 1 : 1 + below(m, MOST_TURNS)});
}
