/* noise.c - what rounding may do to a result.
 *
 * Noise changes every computed value a little. What jumps between two values, as a test of equality does, may rest on
 * less than that: a number that rounding puts beside its own bf16 form is never there with noise. So a run may also
 * turn results: where operands lie so near a jump that rounding decides on which side, it takes the other side. */
#include "program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_float(icl_dtype dtype) { return dtype <= ICL_F64; }
static bool is_half(icl_dtype dtype) { return dtype == ICL_BF16 || dtype == ICL_F16; }

static double draw(run *r) {
  r->noise_seed = r->noise_seed * 1664525u + 1013904223u;
  return (double)r->noise_seed / 2147483648.0 - 1;
}

static double rounding(icl_dtype dtype) {
  if (is_half(dtype))
    return dtype == ICL_BF16 ? 0x1p-8 : 0x1p-11;
  return dtype == ICL_F32 ? 0x1p-24 : 0x1p-26; /* sums in f64 may be made of f32 */
}

/* A tensor like `like` of these values. */
static icl_tensor *constant_like(run *r, icl_tensor *like, const double *values) {
  icl_tensor *wide, *result;
  icl_attributes attr;
  icl_op_defaults(icl_op_find("cast"), &attr);
  attr.i[0] = (int32_t)icl_tensor_dtype(like);
  must(icl_tensor_new(r->engine, ICL_F64, icl_tensor_rank(like), icl_tensor_shape(like), values, &wide));
  must(icl_apply(r->engine, icl_op_find("cast"), 1, &wide, &attr, &result));
  icl_tensor_release(wide);
  return result;
}

/* May the op give a zero that is one only because equal numbers cancel? Other zeros are exact, such as those that a
 * ReLU or a mask leaves, and sums of them. */
static bool cancels(const char *op) {
  static const char *const names[] = {"sub", "log", "log_softmax", "cross_entropy", "bn_running"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(names[i], op))
      return true;
  return false;
}

static const char *op_of(const instruction *i) { return i->kind == DO_APPLY ? icl_op_name(icl_op_at(i->op)) : ""; }

static double *values_of(icl_tensor *tensor) {
  double *values = allocate((size_t)icl_tensor_count(tensor), sizeof *values);
  must(icl_tensor_read(tensor, ICL_F64, values));
  return values;
}

/* What may be added to an element: a share of the largest one. */
static double scale_of(const double *values, int64_t count) {
  double largest = 0;
  for (int64_t k = 0; k < count; k++)
    largest = fmax(largest, fabs(values[k]));
  return fmin(1, 16 * largest);
}

/* value -> value * factors + terms: terms as well, since a small number may be what large ones left. */
static void add_noise(run *r, const char *op, icl_tensor **value) {
  int64_t count = icl_tensor_count(*value);
  icl_dtype dtype = icl_tensor_dtype(*value);
  if (!is_float(dtype) || is_packed(op))
    return;
  double size = is_half(dtype) ? 2 * rounding(dtype) : r->noise * rounding(dtype);
  double *values = values_of(*value), *factors = allocate((size_t)count, sizeof *factors);
  double scale = scale_of(values, count);
  for (int64_t k = 0; k < count; k++) {
    bool exact = values[k] == 0 && !cancels(op);
    factors[k] = 1 + size * draw(r);
    values[k] = exact ? 0 : size * draw(r) * scale;
  }
  icl_tensor *factor = constant_like(r, *value, factors), *term = constant_like(r, *value, values), *scaled, *sum;
  must(icl_apply(r->engine, icl_op_find("mul"), 2, (icl_tensor *[]){*value, factor}, NULL, &scaled));
  must(icl_apply(r->engine, icl_op_find("add"), 2, (icl_tensor *[]){scaled, term}, NULL, &sum));
  icl_tensor_release(scaled);
  icl_tensor_release(factor);
  icl_tensor_release(term);
  icl_tensor_release(*value);
  *value = sum;
  free(values);
  free(factors);
}

/* ---- turning what jumps ---- */

/* The op that jumps where c does, and to both sides: numbers may be equal only at the jump itself. NULL: none. */
static const char *probe_of(const instruction *c, icl_dtype result) {
  static const struct {
    const char *op, *probe;
  } jumps[] = {{"eq", "lt"},
               {"ne", "lt"},
               {"lt", "lt"},
               {"le", "le"},
               {"gt", "gt"},
               {"ge", "ge"},
               {"logical_not", "sign"},
               {"sign", "sign"},
               {"floor", "floor"}};
  if (!strcmp(op_of(c), "cast") && !is_float(result))
    return result == ICL_BOOL ? "sign" : "cast";
  for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++)
    if (!strcmp(jumps[i].op, op_of(c)))
      return jumps[i].probe;
  return NULL;
}

/* Was the value made of numbers of a half dtype? States are taken for it wherever a program has such numbers. */
static bool is_coarse(const program *p, int i) {
  bool reads[MOST_INSTRUCTIONS] = {false}, any = false;
  for (int k = 0; k < p->count; k++)
    any = any || is_half(p->list[k].dtype);
  reads[i] = true;
  for (int k = i; k >= 0; k--) {
    const instruction *c = &p->list[k];
    bool own = c->kind == DO_READ || c->kind == DO_SLOT || c->kind == DO_DERIVATIVE;
    if (reads[k] && (is_half(c->dtype) || (own && any)))
      return true;
    for (int j = 0; reads[k] && j < c->inputs; j++)
      reads[c->in[j]] = true;
  }
  return false;
}

/* Operand i moved up or down by more than rounding may; itself where it is exact. */
static icl_tensor *moved(run *r, int i, icl_tensor *value, double direction) {
  const instruction *from = &r->p->list[i];
  if (!is_float(icl_tensor_dtype(value)) || from->kind == DO_CONSTANT || from->kind == DO_NUMBER)
    return icl_tensor_retain(value);
  int64_t count = icl_tensor_count(value);
  double *values = values_of(value), size = direction * (is_coarse(r->p, i) ? 0x1p-6 : 0x1p-13);
  double scale = scale_of(values, count);
  for (int64_t k = 0; k < count; k++)
    if (values[k] != 0 || cancels(op_of(from)))
      values[k] += size * (fabs(values[k]) + scale);
  icl_tensor *result = constant_like(r, value, values);
  free(values);
  return result;
}

/* What the probe gives for the first operand moved one way and the second the other way. */
static double *values_at(run *r, const instruction *c, const char *probe, icl_tensor **in, double direction) {
  icl_tensor *operand[2] = {NULL}, *result;
  for (int j = 0; j < c->inputs; j++)
    operand[j] = moved(r, c->in[j], in[j], j ? -direction : direction);
  const icl_attributes *attr = strcmp(probe, op_of(c)) ? NULL : &c->attr;
  must(icl_apply(r->engine, icl_op_find(probe), c->inputs, operand, attr, &result));
  double *values = values_of(result);
  for (int j = 0; j < c->inputs; j++)
    icl_tensor_release(operand[j]);
  icl_tensor_release(result);
  return values;
}

static void turn(run *r, const instruction *c, icl_tensor **in, icl_tensor **value) {
  const char *probe = probe_of(c, icl_tensor_dtype(*value));
  if (!probe || (c->inputs == 2 && c->in[0] == c->in[1]))
    return;
  bool test = icl_tensor_dtype(*value) == ICL_BOOL;
  double *values = values_of(*value), *high = values_at(r, c, probe, in, 1), *low = values_at(r, c, probe, in, -1);
  for (int64_t k = 0; k < icl_tensor_count(*value); k++)
    if (high[k] != low[k])
      values[k] = test ? values[k] == 0 : values[k] == high[k] ? low[k] : high[k];
  icl_tensor *turned = constant_like(r, *value, values);
  icl_tensor_release(*value);
  *value = turned;
  free(values);
  free(high);
  free(low);
}

void disturb(run *r, const instruction *c, icl_tensor **in, icl_tensor **value) {
  if (r->turned)
    turn(r, c, in, value);
  if (r->noise)
    add_noise(r, op_of(c), value);
}
