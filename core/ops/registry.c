/* registry.c - the table of ops, made from ops.def, and its public face. */
#include "ops/families.h"

#include <pthread.h>
#include <string.h>

#include "base/number.h"

/* Attribute strings are cut in place, once, into names and kinds. */
#define OP(name, least, most, attributes, infer, grad, batch, flags, doc) static char attributes_##name[] = attributes;
#define PW(name, inputs, kind, grad, formula, doc)
#include "ops/ops.def"
#undef OP
#undef PW

/* The flags as ops.def writes them, and its gradient `none`. */
enum {
  CHEAP = ICL__CHEAP,
  DRAW = ICL__DRAW,
  ALIAS = ICL__ALIAS,
  LEAF = ICL__LEAF,
  HIDDEN = ICL__HIDDEN,
  ELEMENTWISE = ICL__ELEMENTWISE,
  WIDE = ICL__WIDE,
  PACKED = ICL__PACKED,
  OPAQUE = ICL__OPAQUE
};
#define icl__grad_none NULL

static icl_op table[ICL__OP_COUNT] = {
#define OP(name, least, most, attributes, infer, grad, batch, flags, doc)                                              \
  {#name, doc, ICL__OP_##name, least, most, flags, icl__infer_##infer, icl__grad_##grad, icl__batch_##batch, 0, {{0}}},
#define PW(name, inputs, kind, grad, formula, doc)                                                                     \
  {#name,                                                                                                              \
   doc,                                                                                                                \
   ICL__OP_##name,                                                                                                     \
   inputs,                                                                                                             \
   inputs,                                                                                                             \
   ICL__CHEAP | ICL__ELEMENTWISE | ICL__POINTWISE,                                                                     \
   icl__infer_pointwise,                                                                                               \
   icl__grad_##grad,                                                                                                   \
   icl__batch_pointwise,                                                                                               \
   0,                                                                                                                  \
   {{0}}},
#include "ops/ops.def"
#undef OP
#undef PW
};

/* ---- attributes ---- */

static const struct {
  const char *name;
  int slots;
} kinds[] = {
    [ICL_ATTR_INT] = {"int", 1},
    [ICL_ATTR_FLAG] = {"flag", 1},
    [ICL_ATTR_PAIR] = {"pair", 2},
    [ICL_ATTR_DIM] = {"dim", 1},
    [ICL_ATTR_DIMS] = {"dims", ICL__LIST_SLOTS},
    [ICL_ATTR_SHAPE] = {"shape", ICL__LIST_SLOTS},
    [ICL_ATTR_REAL] = {"real", 1},
    [ICL_ATTR_DTYPE] = {"dtype", 1},
};

/* A name that is not there is a slip in ops.def, which the registry's test finds. */
static icl_attr_kind find_kind(const char *name) {
  for (int kind = 0; kind <= ICL_ATTR_DTYPE; kind++)
    if (strcmp(kinds[kind].name, name) == 0)
      return (icl_attr_kind)kind;
  return ICL_ATTR_INT;
}

/* "stride:pair=1 groups:int=1" */
static void parse_attributes(icl_op *op, char *text) {
  int next_int = 0, next_real = 0;
  char *rest = NULL;
  for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    icl_attr_spec *spec = &op->spec[op->specs++];
    char *kind = strchr(word, ':'), *value = strchr(word, '=');
    *kind++ = '\0';
    if (value)
      *value++ = '\0';
    *spec = (icl_attr_spec){word, find_kind(kind), 0, !value, value ? icl__read_number(value) : 0};
    int *next = spec->kind == ICL_ATTR_REAL ? &next_real : &next_int;
    spec->slot = *next;
    *next += kinds[spec->kind].slots;
  }
}

static void parse_table(void) {
#define OP(name, least, most, attributes, infer, grad, batch, flags, doc)                                              \
  parse_attributes(&table[ICL__OP_##name], attributes_##name);
#define PW(name, inputs, kind, grad, formula, doc)
#include "ops/ops.def"
#undef OP
#undef PW
}

const icl_op *icl__op(int id) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, parse_table);
  return &table[id];
}

/* ---- checks of a node against the table ---- */

static icl_status check_inputs(const icl__node *node, const icl_op *op) {
  if (node->inputs >= op->least && node->inputs <= op->most)
    return ICL_OK;
  if (op->least == op->most)
    return icl__value_error(node, "takes %d input%s, not %d", op->least, op->least == 1 ? "" : "s", node->inputs);
  return icl__value_error(node, "takes %d to %d inputs, not %d", op->least, op->most, node->inputs);
}

/* Copies the slots that belong to `spec`, leaving zeros behind the end of a list, so that equal attributes are equal
 * bytes. */
static icl_status take_attribute(const icl__node *node, const icl_attr_spec *spec, icl_attributes *clean) {
  const int32_t *value = &node->attr.i[spec->slot];
  switch (spec->kind) {
  case ICL_ATTR_FLAG:
    if (value[0] != 0 && value[0] != 1)
      return icl__value_error(node, "%s must be 0 or 1, not %d", spec->name, (int)value[0]);
    break;
  case ICL_ATTR_DTYPE:
    if (value[0] < 0 || value[0] >= ICL_DTYPE_COUNT)
      return icl__value_error(node, "%s must be a dtype, but there is none of number %d", spec->name, (int)value[0]);
    break;
  case ICL_ATTR_DIMS:
  case ICL_ATTR_SHAPE:
    if (value[0] < 0 || value[0] > ICL_MAX_RANK)
      return icl__value_error(node, "%s must have up to %d entries, not %d", spec->name, ICL_MAX_RANK, (int)value[0]);
    icl__set_list(clean, spec->slot, value[0], value + 1);
    return ICL_OK;
  case ICL_ATTR_REAL:
    clean->f[spec->slot] = node->attr.f[spec->slot];
    return ICL_OK;
  case ICL_ATTR_INT:
  case ICL_ATTR_DIM:
  case ICL_ATTR_PAIR:
    break;
  }
  memcpy(&clean->i[spec->slot], value, (size_t)kinds[spec->kind].slots * sizeof *value);
  return ICL_OK;
}

icl_status icl__infer(icl__node *node) {
  const icl_op *op = icl__op(node->op);
  ICL__TRY(check_inputs(node, op));
  if (!(op->flags & ICL__LEAF)) {
    icl_attributes clean = {0};
    for (int i = 0; i < op->specs; i++)
      ICL__TRY(take_attribute(node, &op->spec[i], &clean));
    node->attr = clean;
  }
  return op->infer(node);
}

/* ---- icl.h ---- */

int icl_op_count(void) { return ICL__OP_COUNT; }

const icl_op *icl_op_at(int index) { return index >= 0 && index < ICL__OP_COUNT ? icl__op(index) : NULL; }

const icl_op *icl_op_find(const char *name) {
  for (int i = 0; i < ICL__OP_COUNT; i++)
    if (strcmp(table[i].name, name) == 0)
      return icl__op(i);
  return NULL;
}

const char *icl_op_name(const icl_op *op) { return op->name; }

const char *icl_op_doc(const icl_op *op) { return op->doc; }

bool icl_op_internal(const icl_op *op) { return (op->flags & ICL__HIDDEN) != 0; }

void icl_op_inputs(const icl_op *op, int *least, int *most) {
  *least = op->least;
  *most = op->most;
}

int icl_op_attributes(const icl_op *op, const icl_attr_spec **specs) {
  *specs = op->spec;
  return op->specs;
}

void icl_op_defaults(const icl_op *op, icl_attributes *attributes) {
  memset(attributes, 0, sizeof *attributes);
  for (int i = 0; i < op->specs; i++) {
    const icl_attr_spec *spec = &op->spec[i];
    if (spec->kind == ICL_ATTR_REAL)
      attributes->f[spec->slot] = spec->value;
    else
      attributes->i[spec->slot] = (int32_t)spec->value;
    if (spec->kind == ICL_ATTR_PAIR)
      attributes->i[spec->slot + 1] = (int32_t)spec->value;
  }
}
