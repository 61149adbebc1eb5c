/* shrink.c - makes a failing program smaller, as long as it fails in the same way.
 *
 * Steps that make it smaller, until none of them is of use: leave instructions out, with what depends on them; take an
 * operand in the place of a result, or a constant; run a step once; make a size of the program smaller everywhere. */
#include "program.h"

#include <string.h>

typedef struct {
  program *p, candidate;
  still_fails_fn still_fails;
  void *context;
} shrinker;

static bool accept(shrinker *s) {
  if (!s->candidate.count || !s->still_fails(s->context, &s->candidate))
    return false;
  *s->p = s->candidate;
  return true;
}

/* ---- leaving out ---- */

static bool uses_state(instruction_kind kind) {
  return kind == DO_READ || kind == DO_SLOT || kind == DO_WRITE || kind == DO_CLEAR || kind == DO_FREEZE;
}

static bool depends(const instruction *c, const bool *gone) {
  for (int j = 0; j < c->inputs; j++)
    if (gone[c->in[j]])
      return true;
  return uses_state(c->kind) && gone[c->state];
}

/* Fills the candidate with what is left. */
static void leave_out(shrinker *s, bool *gone) {
  int place[MOST_INSTRUCTIONS], count = 0;
  for (int i = 0; i < s->p->count; i++) {
    gone[i] = gone[i] || depends(&s->p->list[i], gone);
    place[i] = count;
    if (gone[i])
      continue;
    instruction *c = &s->candidate.list[count++];
    *c = s->p->list[i];
    for (int j = 0; j < c->inputs; j++)
      c->in[j] = place[c->in[j]];
    if (uses_state(c->kind))
      c->state = place[c->state];
  }
  s->candidate.count = count;
}

/* BEGIN and END go together. */
static void mark(const program *p, int i, bool *gone) {
  if (p->list[i].kind == DO_END)
    return;
  gone[i] = true;
  if (p->list[i].kind == DO_BEGIN)
    gone[end_of(p, i)] = true;
}

static bool leave_ranges_out(shrinker *s, int length) {
  bool smaller = false;
  for (int first = s->p->count - 1; first >= 0; first -= length) {
    bool gone[MOST_INSTRUCTIONS] = {false};
    if (first >= s->p->count)
      continue;
    for (int i = first; i > first - length && i >= 0; i--)
      mark(s->p, i, gone);
    leave_out(s, gone);
    smaller |= s->candidate.count < s->p->count && accept(s);
  }
  return smaller;
}

/* ---- simpler instructions ---- */

/* Operand j in the place of instruction i, for all that follows. */
static bool bypass(shrinker *s, int i) {
  const instruction *c = &s->p->list[i];
  for (int j = 0; gives_value(c->kind) && j < c->inputs; j++) {
    bool gone[MOST_INSTRUCTIONS] = {false};
    int from = c->in[j];
    program before = *s->p;
    for (int k = i + 1; k < s->p->count; k++)
      for (int n = 0; n < s->p->list[k].inputs; n++)
        if (s->p->list[k].in[n] == i)
          s->p->list[k].in[n] = from;
    gone[i] = true;
    leave_out(s, gone);
    if (accept(s))
      return true;
    *s->p = before;
  }
  return false;
}

/* A constant of the same shape in the place of a result. */
static bool cut(shrinker *s, int i) {
  static const values_kind kinds[] = {SIGNED, POSITIVE};
  const instruction *c = &s->p->list[i];
  if (!gives_value(c->kind) || c->kind == DO_CONSTANT || c->kind == DO_NUMBER || c->rank < 0 || c->dtype != ICL_F32)
    return false;
  for (int k = 0; k < 2; k++) {
    s->candidate = *s->p;
    instruction constant = {.kind = DO_CONSTANT, .rank = c->rank, .values = kinds[k], .seed = (uint32_t)i};
    memcpy(constant.shape, c->shape, sizeof constant.shape);
    s->candidate.list[i] = constant;
    if (accept(s))
      return true;
  }
  return false;
}

static bool simplify(shrinker *s, int i) {
  bool smaller = false;
  instruction *c = &s->candidate.list[i];
  s->candidate = *s->p;
  if (c->flag && c->kind != DO_STATE) {
    c->flag = false;
    smaller |= accept(s);
  }
  s->candidate = *s->p;
  if (c->varies) {
    c->varies = false;
    smaller |= accept(s);
  }
  s->candidate = *s->p;
  if (c->kind == DO_BEGIN && c->turns > 1) {
    c->turns--;
    smaller |= accept(s);
  }
  s->candidate = *s->p;
  if (c->kind == DO_WRITE && c->inputs > 1) {
    c->inputs = 1;
    smaller |= accept(s);
  }
  return smaller;
}

static bool simplify_all(shrinker *s) {
  bool smaller = false;
  for (int i = s->p->count - 1; i >= 0; i--)
    if (i < s->p->count)
      smaller |= bypass(s, i) || cut(s, i) || simplify(s, i);
  return smaller;
}

/* ---- sizes ---- */

static void replace(int32_t *list, int count, int32_t from, int32_t to) {
  for (int i = 0; i < count; i++)
    if (list[i] == from)
      list[i] = to;
}

static void replace_attributes(instruction *c, int32_t from, int32_t to) {
  const icl_attr_spec *specs;
  int count = icl_op_attributes(icl_op_at(c->op), &specs);
  for (int i = 0; i < count; i++) {
    int32_t *slot = &c->attr.i[specs[i].slot];
    if (specs[i].kind == ICL_ATTR_SHAPE)
      replace(slot + 1, slot[0], from, to);
    else if (specs[i].kind == ICL_ATTR_INT)
      replace(slot, 1, from, to);
  }
}

/* A size that is `from` becomes `to`, in shapes and attributes, wherever it is. */
static bool resize(shrinker *s, int32_t from, int32_t to) {
  s->candidate = *s->p;
  for (int i = 0; i < s->p->count; i++) {
    instruction *c = &s->candidate.list[i];
    replace(c->shape, c->rank > 0 ? c->rank : 0, from, to);
    if (c->kind == DO_APPLY)
      replace_attributes(c, from, to);
    if (c->values == INTEGERS && c->most == (uint32_t)from)
      c->most = (uint32_t)to;
  }
  return memcmp(&s->candidate, s->p, sizeof *s->p) && accept(s);
}

static bool resize_all(shrinker *s) {
  bool smaller = false;
  for (int32_t from = 40; from > 1; from--)
    smaller |= resize(s, from, 1) || (from > 2 && resize(s, from, 2)) || (from > 3 && resize(s, from, from - 1));
  return smaller;
}

/* One axis of one constant or state. */
static bool resize_one(shrinker *s) {
  bool smaller = false;
  for (int i = 0; i < s->p->count; i++) {
    instruction_kind kind = s->p->list[i].kind;
    for (int axis = 0; (kind == DO_CONSTANT || kind == DO_STATE) && axis < s->p->list[i].rank; axis++) {
      if (s->p->list[i].shape[axis] < 2)
        continue;
      s->candidate = *s->p;
      s->candidate.list[i].shape[axis]--;
      smaller |= accept(s);
    }
  }
  return smaller;
}

void shrink(program *p, still_fails_fn still_fails, void *context) {
  static shrinker s;
  s = (shrinker){.p = p, .still_fails = still_fails, .context = context};
  bool smaller = true;
  while (smaller) {
    smaller = false;
    for (int length = p->count / 2; length > 0; length = length > 4 ? length / 2 : length - 1)
      smaller |= leave_ranges_out(&s, length);
    smaller |= simplify_all(&s);
    smaller |= resize_all(&s);
    smaller |= resize_one(&s);
  }
}
