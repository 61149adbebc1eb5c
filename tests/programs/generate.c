/* generate.c - makes a random program: the loop, and what all makers share. */
#include "generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- random numbers (Vigna 2016, xorshift64*) ---- */

static uint32_t draw(maker *m) {
  m->random ^= m->random >> 12;
  m->random ^= m->random << 25;
  m->random ^= m->random >> 27;
  return (uint32_t)(m->random * 2685821657736338717u >> 32);
}

int below(maker *m, int n) { return (int)(draw(m) % (uint32_t)n); }
bool chance(maker *m, int percent) { return below(m, 100) < percent; }

/* ---- instructions ---- */

const instruction *at(const maker *m, int i) { return &m->p->list[i]; }
static bool is_float(icl_dtype dtype) { return dtype <= ICL_F64; }
bool is_real(const maker *m, int i) {
  const instruction *c = at(m, i);
  bool packed = c->kind == DO_APPLY && is_packed(icl_op_name(icl_op_at(c->op)));
  return c->kind != DO_NUMBER && is_float(c->dtype) && !packed;
}

/* Notes what a value is; false: it is no use. */
static bool learn(maker *m, int i) {
  icl_tensor *tensor = m->r.value[i];
  instruction *c = &m->p->list[i];
  int64_t count = icl_tensor_count(tensor);
  static double values[MOST_ELEMENTS];
  fact *of = &m->of[i];
  if (count > MOST_ELEMENTS || count == 0)
    return false;
  c->dtype = icl_tensor_dtype(tensor);
  c->rank = icl_tensor_rank(tensor);
  if (c->rank)
    memcpy(c->shape, icl_tensor_shape(tensor), sizeof *c->shape * (size_t)c->rank);
  must(icl_tensor_read(tensor, ICL_F64, values));
  *of = (fact){true, HUGE_VAL, -HUGE_VAL, HUGE_VAL};
  for (int64_t k = 0; k < count; k++) {
    of->least = fmin(of->least, values[k]);
    of->most = fmax(of->most, values[k]);
    of->nearest = fmin(of->nearest, fabs(values[k]));
    if (is_float(c->dtype) && !(fabs(values[k]) <= 500))
      return false;
  }
  return true;
}

/* Some refusals are part of programs: they must be the same everywhere, and leave no trace. */
static bool stays_refused(maker *m, instruction_kind kind, bool refused) {
  return refused && (kind == DO_APPLY || kind == DO_BACKWARD || kind == DO_DERIVATIVE) && chance(m, 5);
}

/* A step that begins can end. */
static int room_after(instruction_kind kind) { return kind == DO_BEGIN ? 2 : kind != DO_END; }

int put(maker *m, const instruction *i) {
  int place = m->p->count;
  if (place >= MOST_INSTRUCTIONS - room_after(i->kind))
    return -1;
  for (int j = 0; j < i->inputs; j++)
    if (i->in[j] < 0 || !m->r.value[i->in[j]])
      return -1;
  m->p->list[place] = *i;
  m->of[place] = (fact){0};
  m->p->count++;
  int errors = m->seen.count;
  run_instruction(&m->r, place);
  bool good = m->seen.count == errors || i->kind == DO_LOOK;
  if (good && gives_value(i->kind))
    good = learn(m, place);
  if (good || stays_refused(m, i->kind, m->seen.count > errors))
    return good ? place : -1;
  icl_tensor_release(m->r.value[place]);
  m->r.value[place] = NULL;
  m->p->count--;
  return -1;
}

int apply_op(maker *m, const char *name, int inputs, const int *in, const icl_attributes *attr) {
  const icl_op *op = icl_op_find(name);
  instruction i = {.kind = DO_APPLY, .inputs = inputs, .flag = chance(m, 3)};
  while (icl_op_at(i.op) != op)
    i.op++;
  for (int j = 0; j < inputs; j++)
    i.in[j] = in[j];
  if (attr)
    i.attr = *attr;
  else
    icl_op_defaults(op, &i.attr);
  return put(m, &i);
}

int apply1(maker *m, const char *name, int x) { return apply_op(m, name, 1, &x, NULL); }
int apply2(maker *m, const char *name, int a, int b) { return apply_op(m, name, 2, (int[]){a, b}, NULL); }

int apply2_with(maker *m, const char *name, int a, int b, const icl_attributes *attr) {
  return apply_op(m, name, 2, (int[]){a, b}, attr);
}

icl_attributes attributes_of(const char *op) {
  icl_attributes attr;
  icl_op_defaults(icl_op_find(op), &attr);
  return attr;
}

static const icl_attr_spec *spec_of(const char *op, const char *name) {
  const icl_attr_spec *specs;
  int count = icl_op_attributes(icl_op_find(op), &specs);
  for (int i = 0; i < count; i++)
    if (!strcmp(specs[i].name, name))
      return &specs[i];
  abort();
}

void set_int(icl_attributes *attr, const char *op, const char *name, int32_t value) {
  attr->i[spec_of(op, name)->slot] = value;
}

void set_pair(icl_attributes *attr, const char *op, const char *name, int32_t a, int32_t b) {
  int slot = spec_of(op, name)->slot;
  attr->i[slot] = a;
  attr->i[slot + 1] = b;
}

void set_list(icl_attributes *attr, const char *op, const char *name, int count, const int32_t *list) {
  int slot = spec_of(op, name)->slot;
  attr->i[slot] = count;
  memcpy(&attr->i[slot + 1], list, sizeof *list * (size_t)count);
}

void set_real(icl_attributes *attr, const char *op, const char *name, double value) {
  attr->f[spec_of(op, name)->slot] = value;
}

/* ---- leaves ---- */

static instruction leaf(maker *m, icl_dtype dtype, values_kind values, int rank, const int32_t *shape) {
  instruction i = {.kind = DO_CONSTANT, .dtype = dtype, .values = values, .rank = rank, .seed = draw(m)};
  if (rank)
    memcpy(i.shape, shape, sizeof *shape * (size_t)rank);
  i.varies = m->step >= 0 && chance(m, 50);
  return i;
}

int constant(maker *m, icl_dtype dtype, values_kind values, int rank, const int32_t *shape) {
  instruction i = leaf(m, dtype, values, rank, shape);
  i.flag = is_float(dtype) && chance(m, 25);
  return put(m, &i);
}

int integers(maker *m, icl_dtype dtype, uint32_t most, int rank, const int32_t *shape) {
  instruction i = leaf(m, dtype, INTEGERS, rank, shape);
  i.most = most;
  return put(m, &i);
}

int number(maker *m, double value) { return put(m, &(instruction){.kind = DO_NUMBER, .number = value}); }

int full(maker *m, icl_dtype dtype, double value, int rank, const int32_t *shape) {
  instruction i = leaf(m, dtype, EXACTLY, rank, shape);
  i.number = value;
  i.varies = false;
  return put(m, &i);
}

int key(maker *m) { return constant(m, ICL_I64, KEY, 1, (const int32_t[]){4}); }

static bool has_shape(const instruction *i, int rank, const int32_t *shape) {
  return i->rank == rank && !memcmp(i->shape, shape, sizeof *shape * (size_t)rank);
}

int parameter(maker *m, values_kind values, int rank, const int32_t *shape) {
  for (int i = 0; i < m->p->count; i++)
    if (at(m, i)->kind == DO_STATE && has_shape(at(m, i), rank, shape) && chance(m, 70))
      return put(m, &(instruction){.kind = DO_READ, .state = i});
  if (chance(m, 15))
    return constant(m, ICL_F32, values, rank, shape);
  instruction i = leaf(m, ICL_F32, values, rank, shape);
  i.kind = DO_STATE;
  i.varies = false;
  i.flag = chance(m, 80);
  return put(m, &(instruction){.kind = DO_READ, .state = put(m, &i)});
}

/* ---- operands ---- */

typedef bool (*fits_fn)(const maker *m, int i, const void *what);

static bool is_leaf(const maker *m, int i) { return at(m, i)->inputs == 0; }

static int find_fitting(const maker *m, fits_fn fits, const void *what, bool leaves, int *fitting) {
  int count = 0;
  for (int i = 0; i < m->p->count; i++)
    if (m->of[i].usable && (leaves || !is_leaf(m, i)) && fits(m, i, what))
      fitting[count++] = i;
  return count;
}

/* Results rather than leaves, the latest rather than others: else a program is many short ones. */
static int choose(maker *m, fits_fn fits, const void *what) {
  int fitting[MOST_INSTRUCTIONS], count = find_fitting(m, fits, what, chance(m, 15), fitting);
  if (!count)
    count = find_fitting(m, fits, what, true, fitting);
  if (!count)
    return -1;
  int latest = below(m, 3) ? 5 : 1;
  if (latest > count || chance(m, 40))
    latest = count;
  return fitting[count - 1 - below(m, latest)];
}

static bool real_of_rank(const maker *m, int i, const void *rank) {
  int wanted = *(const int *)rank;
  return is_real(m, i) && (wanted < 0 || at(m, i)->rank == wanted);
}

static bool of_shape(const maker *m, int i, const void *like) {
  return is_real(m, i) && has_shape(at(m, i), ((const instruction *)like)->rank, ((const instruction *)like)->shape);
}

static bool of_dtype(const maker *m, int i, const void *what) {
  const int *wanted = what;
  return at(m, i)->kind != DO_NUMBER && at(m, i)->dtype == (icl_dtype)wanted[0] &&
         (wanted[1] < 0 || at(m, i)->rank == wanted[1]);
}

int pick(maker *m, int rank) { return choose(m, real_of_rank, &rank); }
int pick_like(maker *m, int like) { return choose(m, of_shape, at(m, like)); }
int pick_dtype(maker *m, icl_dtype dtype, int rank) { return choose(m, of_dtype, (const int[]){(int)dtype, rank}); }

int image(maker *m) {
  int x = chance(m, 8) ? -1 : pick(m, 4);
  return x >= 0 ? x : constant(m, ICL_F32, SIGNED, 4, (const int32_t[]){m->n, m->h, m->w, m->c[below(m, 2)]});
}

int matrix(maker *m) {
  int x = chance(m, 8) ? -1 : pick(m, 2);
  return x >= 0 ? x : constant(m, ICL_F32, SIGNED, 2, (const int32_t[]){m->n, m->c[below(m, 2)]});
}

int any_value(maker *m) {
  int x = pick(m, -1);
  return x >= 0 ? x : chance(m, 50) ? image(m) : matrix(m);
}

int32_t axis_of(maker *m, int x) { return at(m, x)->rank ? below(m, at(m, x)->rank) : 0; }

/* ---- the loop ---- */

static const struct {
  void (*make)(maker *m);
  int weight;
} makers[] = {
    {make_pointwise, 14}, {make_cast, 2},          {make_choice, 3},         {make_sum, 4},
    {make_maximum, 2},    {make_centred, 3},       {make_broadcast, 2},      {make_matmul, 5},
    {make_attention, 2},  {make_conv, 5},          {make_conv_gradients, 1}, {make_batch_norm, 4},
    {make_pool, 4},       {make_reshape, 3},       {make_permute, 2},        {make_pad, 2},
    {make_concat, 3},     {make_narrow, 3},        {make_gather, 2},         {make_mixup, 1},
    {make_cumsum, 2},     {make_order, 2},         {make_gather_along, 2},   {make_one_hot, 1},
    {make_softmax, 2},    {make_cross_entropy, 2}, {make_draw, 2},           {make_dropout, 1},
    {make_sample, 1},     {make_state, 2},         {make_read, 3},           {make_write, 4},
    {make_update, 2},     {make_block, 3},         {make_head, 1},           {make_backward, 4},
    {make_derivative, 2}, {make_custom, 2},        {make_detach, 1},         {make_keep, 2},
    {make_look, 2},       {make_freeze, 1},        {make_step, 0},
};

static void make_something(maker *m) {
  int total = 0;
  for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
    total += makers[i].weight;
  int chosen = below(m, total);
  for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
    if ((chosen -= makers[i].weight) < 0) {
      makers[i].make(m);
      return;
    }
}

/* Most steps begin with images, so that they have a batch. */
static void begin_network(maker *m) {
  static void (*const first[])(maker * m) = {make_conv, make_conv, make_batch_norm, make_pool, make_sample};
  if (chance(m, 85))
    first[below(m, 5)](m);
}

static void make_network(maker *m) {
  for (int blocks = 1 + below(m, 4); blocks > 0; blocks--) {
    make_block(m);
    if (chance(m, 30))
      make_something(m);
  }
  if (chance(m, 85))
    make_head(m);
}

void generate(program *p, uint64_t seed) {
  static const int32_t channels[] = {1, 2, 3, 4, 5, 8, 8, 17}, images[] = {1, 2, 2, 3, 4, 5, 7, 9},
                       pixels[] = {1, 2, 3, 4, 5, 6};
  static maker made;
  maker *m = &made;
  *m = (maker){.p = p, .random = seed * 0x9e3779b97f4a7c15u + 0x1234567, .step = -1};
  for (int i = 0; i < 8; i++)
    draw(m);
  p->count = 0;
  m->n = images[below(m, 8)];
  m->h = pixels[below(m, 6)];
  m->w = chance(m, 50) ? m->h : pixels[below(m, 6)];
  m->c[0] = channels[below(m, 8)];
  m->c[1] = channels[below(m, 8)];
  m->r.seen = &m->seen;
  run_open(&m->r, p, &(icl_config){.device = "ref", .threads = 1, .eager = true, .plan = ""});
  for (int i = 1 + below(m, 4); i > 0; i--)
    make_state(m);
  for (int i = chance(m, 40) ? below(m, 12) : 0; i > 0; i--)
    make_something(m);
  for (int steps = 1 + below(m, 3); steps > 0; steps--) {
    int size = 4 + below(m, chance(m, 30) ? 60 : 20);
    make_step(m);
    begin_network(m);
    if (chance(m, 35))
      make_network(m);
    for (int i = 0; i < size; i++)
      make_something(m);
    make_step(m);
    for (int i = chance(m, 20) ? below(m, 6) : 0; i > 0; i--)
      make_something(m);
  }
  run_close(&m->r);
  trace_free(&m->seen);
}
