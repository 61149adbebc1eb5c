/* expression.c - see expression.h. */
#include "backend/cuda/expression.h"

#include "ops/ops.h"

static const int codes[ICL__OP_COUNT] = {
#define OP(name, least, most, attributes, infer, grad, batch, flags, doc)
#define PW(name, inputs, kind, grad, formula, doc) [ICL__OP_##name] = ICL__CHAIN_##name,
#include "ops/ops.def"
#undef OP
#undef PW
};

bool icl__cuda_is_pointwise(const icl__pnode *v) {
  return v->leaf < 0 && v->op < ICL__OP_COUNT &&
         (v->op == ICL__OP_add_n || v->op == ICL__OP_cast || v->op == ICL__OP_broadcast_to ||
          (icl__op(v->op)->flags & ICL__POINTWISE));
}

static bool is_wide(const icl__pnode *v) {
  return v->stored == ICL_I32 || v->stored == ICL_I64 || v->stored == ICL_F64;
}

bool icl__cuda_is_wide(const icl__pnode *v) {
  for (int k = 0; k < v->inputs; k++) {
    const icl__pnode *u = v->in[k];
    if (is_wide(u) && !(u->stored == ICL_F64 && icl__count(u->rank, u->shape) == 1))
      return true;
  }
  return is_wide(v);
}

/* ---- from nodes ---- */

enum { FULL = INT8_MAX };

/* The number of an input, which is added unless it is there; FULL: there is no room. */
static icl__cuda_value add_input(icl__cuda_expression *e, icl__pnode *u, bool batched) {
  for (int i = 0; i < e->inputs; i++)
    if (e->in[i] == u && (e->batched >> i & 1) == batched)
      return (icl__cuda_value)~i;
  if (e->inputs == ICL_MAX_INPUTS)
    return FULL;
  e->in[e->inputs] = u;
  e->batched |= (uint32_t)batched << e->inputs;
  return (icl__cuda_value) ~(e->inputs++);
}

static icl__cuda_value add_term(icl__cuda_expression *e, int code, icl_dtype dtype, int operands,
                                const icl__cuda_value *operand) {
  if (e->terms == ICL__CHAIN_STEPS)
    return FULL;
  icl__cuda_term *t = &e->term[e->terms];
  *t = (icl__cuda_term){.code = (uint8_t)code, .dtype = (uint8_t)dtype, .operands = (uint8_t)operands};
  for (int i = 0; i < operands; i++) {
    if (operand[i] == FULL)
      return FULL;
    t->operand[i] = operand[i];
  }
  return (icl__cuda_value)e->terms++;
}

static icl__cuda_value add_node(icl__cuda_expression *e, icl__pnode *v, const bool *absorbed);

/* Rounded as it would be in memory. */
static icl__cuda_value add_operand(icl__cuda_expression *e, const icl__pnode *v, int j, const bool *absorbed) {
  icl__pnode *u = v->in[j];
  if (!absorbed || !absorbed[u->index])
    return add_input(e, u, icl__plan_reads_images(v, j));
  icl__cuda_value value = add_node(e, u, absorbed);
  return u->stored == ICL_BF16 || u->stored == ICL_F16 ? add_term(e, ICL__CHAIN_ROUND, u->stored, 1, &value) : value;
}

static icl__cuda_value add_node(icl__cuda_expression *e, icl__pnode *v, const bool *absorbed) {
  icl__cuda_value operand[ICL_MAX_INPUTS];
  for (int j = 0; j < v->inputs; j++)
    if ((operand[j] = add_operand(e, v, j, absorbed)) == FULL)
      return FULL;
  if (icl__op(v->op)->flags & ICL__POINTWISE)
    return add_term(e, codes[v->op], ICL_F32, v->inputs, operand);
  icl__cuda_value sum = operand[0];
  for (int j = 1; j < v->inputs; j++)
    sum = add_term(e, ICL__CHAIN_add, ICL_F32, 2, (icl__cuda_value[]){sum, operand[j]});
  return sum;
}

bool icl__cuda_express(icl__pnode *v, const bool *absorbed, icl__cuda_expression *e) {
  icl__chain chain;
  *e = (icl__cuda_expression){0};
  e->result = add_node(e, v, absorbed);
  return e->result != FULL && icl__cuda_write_steps(e, &chain);
}

/* ---- two in one ---- */

typedef struct {
  icl__cuda_value term[ICL__CHAIN_STEPS], input[ICL_MAX_INPUTS];
} moved_values;

static icl__cuda_value moved(const moved_values *m, icl__cuda_value v) { return v >= 0 ? m->term[v] : m->input[~v]; }

/* Adds all of `from`, with `value` for its input `u`; false: there is no room. */
static bool add_all(icl__cuda_expression *e, const icl__cuda_expression *from, const icl__pnode *u,
                    icl__cuda_value value, moved_values *m) {
  for (int i = 0; i < from->inputs; i++) {
    m->input[i] = from->in[i] == u ? value : add_input(e, from->in[i], from->batched >> i & 1);
    if (m->input[i] == FULL)
      return false;
  }
  for (int t = 0; t < from->terms; t++) {
    const icl__cuda_term *term = &from->term[t];
    icl__cuda_value operand[ICL__CHAIN_OPERANDS];
    for (int k = 0; k < term->operands; k++)
      operand[k] = moved(m, term->operand[k]);
    m->term[t] = add_term(e, term->code, (icl_dtype)term->dtype, term->operands, operand);
    if (m->term[t] == FULL)
      return false;
  }
  return true;
}

static bool add_others(icl__cuda_expression *e, const icl__cuda_expression *from, const moved_values *m) {
  for (int i = 0; i < from->others; i++) {
    if (e->others == ICL__CHAIN_OUTPUTS - 1)
      return false;
    e->other[e->others] = moved(m, from->other[i]);
    e->other_node[e->others++] = from->other_node[i];
  }
  return true;
}

bool icl__cuda_take_in(icl__cuda_expression *e, icl__pnode *u, const icl__cuda_expression *of_u) {
  icl__cuda_expression both = {0}, own = *of_u;
  moved_values m;
  icl__chain chain;
  if (own.others == ICL__CHAIN_OUTPUTS - 1)
    return false;
  own.other[own.others] = own.result;
  own.other_node[own.others++] = u;
  if (!add_all(&both, &own, NULL, 0, &m) || !add_others(&both, &own, &m))
    return false;
  icl__cuda_value value = moved(&m, own.result);
  if (!add_all(&both, e, u, value, &m) || !add_others(&both, e, &m))
    return false;
  both.result = moved(&m, e->result);
  if (!icl__cuda_write_steps(&both, &chain))
    return false;
  *e = both;
  return true;
}

/* ---- to steps ---- */

typedef struct {
  const icl__cuda_expression *e;
  icl__chain *chain;
  int last_of_term[ICL__CHAIN_STEPS], last_of_input[ICL_MAX_INPUTS]; /* the last term that reads it */
  int slot_of_term[ICL__CHAIN_STEPS], slot_of_input[ICL_MAX_INPUTS]; /* -1: none yet */
  bool taken[ICL__CHAIN_SLOTS];
  bool full;
} writer;

static int take_slot(writer *w) {
  for (int i = 0; i < ICL__CHAIN_SLOTS; i++)
    if (!w->taken[i]) {
      w->taken[i] = true;
      w->chain->slots = i >= w->chain->slots ? i + 1 : w->chain->slots;
      return i;
    }
  w->full = true;
  return 0;
}

static icl__chain_step *add_step(writer *w, int code, int out) {
  static icl__chain_step nowhere;
  if (w->chain->steps == ICL__CHAIN_STEPS)
    w->full = true;
  icl__chain_step *step = w->full ? &nowhere : &w->chain->step[w->chain->steps++];
  *step = (icl__chain_step){.code = (uint8_t)code, .out = (uint8_t)out};
  return step;
}

/* Inputs are loaded where they are read first. */
static int slot_of(writer *w, icl__cuda_value value) {
  if (value >= 0)
    return w->slot_of_term[value];
  int i = ~value;
  if (w->slot_of_input[i] < 0) {
    w->slot_of_input[i] = take_slot(w);
    add_step(w, ICL__CHAIN_LOAD, w->slot_of_input[i])->in[0] = (uint8_t)i;
  }
  return w->slot_of_input[i];
}

static void note_stored(writer *w, icl__cuda_value v) {
  *(v >= 0 ? &w->last_of_term[v] : &w->last_of_input[~v]) = w->e->terms;
}

static void find_last_reads(writer *w) {
  const icl__cuda_expression *e = w->e;
  for (int t = 0; t < e->terms; t++)
    for (int k = 0; k < e->term[t].operands; k++) {
      icl__cuda_value v = e->term[t].operand[k];
      *(v >= 0 ? &w->last_of_term[v] : &w->last_of_input[~v]) = t;
    }
  note_stored(w, e->result);
  for (int i = 0; i < e->others; i++)
    note_stored(w, e->other[i]);
}

/* A step may write the slot of an operand that is read no more. */
static void release_slots(writer *w, int t) {
  for (int k = 0; k < w->e->term[t].operands; k++) {
    icl__cuda_value v = w->e->term[t].operand[k];
    if ((v >= 0 ? w->last_of_term[v] : w->last_of_input[~v]) == t)
      w->taken[slot_of(w, v)] = false;
  }
}

bool icl__cuda_write_steps(const icl__cuda_expression *e, icl__chain *chain) {
  writer w = {.e = e, .chain = chain};
  chain->steps = chain->slots = 0;
  for (int i = 0; i < ICL_MAX_INPUTS; i++)
    w.slot_of_input[i] = -1;
  find_last_reads(&w);
  for (int t = 0; t < e->terms; t++) {
    const icl__cuda_term *term = &e->term[t];
    uint8_t in[ICL__CHAIN_OPERANDS] = {0};
    for (int k = 0; k < term->operands; k++)
      in[k] = (uint8_t)slot_of(&w, term->operand[k]);
    release_slots(&w, t);
    w.slot_of_term[t] = take_slot(&w);
    icl__chain_step *step = add_step(&w, term->code, w.slot_of_term[t]);
    for (int k = 0; k < term->operands; k++)
      step->in[k] = in[k];
    if (term->code == ICL__CHAIN_ROUND)
      step->in[1] = term->dtype;
  }
  for (int i = 0; i <= e->others; i++) {
    int slot = slot_of(&w, i ? e->other[i - 1] : e->result);
    add_step(&w, ICL__CHAIN_STORE, i)->in[0] = (uint8_t)slot;
  }
  return !w.full;
}
