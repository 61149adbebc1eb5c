/* print.c - a program as Lua, one block that a script or the prompt takes: v holds values, s states, by the number of
 * their instruction. */
#include "program.h"

#include <stdio.h>
#include <string.h>

static void print_numbers(const instruction *c, int turn) {
  int64_t count = count_of(c);
  printf("{");
  for (int64_t k = 0; k < count; k++) {
    if (k)
      printf(", ");
    if (c->dtype == ICL_BOOL)
      printf(element_of(c, turn, k) != 0 ? "true" : "false");
    else
      printf("%.9g", element_of(c, turn, k));
  }
  printf("}");
}

static void print_list(const int32_t *list, int count, int add) {
  printf("{");
  for (int i = 0; i < count; i++)
    printf("%s%d", i ? ", " : "", (int)list[i] + add);
  printf("}");
}

static void print_attribute(const icl_attributes *attr, const icl_attr_spec *spec) {
  const int32_t *slot = &attr->i[spec->slot];
  bool axes = spec->kind == ICL_ATTR_DIMS || spec->kind == ICL_ATTR_DIM;
  printf("%s = ", spec->name);
  switch (spec->kind) {
  case ICL_ATTR_REAL:
    printf("%.9g", attr->f[spec->slot]);
    break;
  case ICL_ATTR_FLAG:
    printf(*slot ? "true" : "false");
    break;
  case ICL_ATTR_DTYPE:
    printf("\"%s\"", icl_dtype_name((icl_dtype)*slot));
    break;
  case ICL_ATTR_PAIR:
    print_list(slot, 2, 0);
    break;
  case ICL_ATTR_DIMS:
  case ICL_ATTR_SHAPE:
    print_list(slot + 1, *slot, axes);
    break;
  default:
    printf("%d", (int)*slot + axes);
  }
}

static void print_apply(const instruction *c) {
  const icl_attr_spec *specs;
  const icl_op *op = icl_op_at(c->op);
  int count = icl_op_attributes(op, &specs);
  printf(c->flag ? "icl.no_grad(ops.%s, " : "ops.%s(", icl_op_name(op));
  for (int j = 0; j < c->inputs; j++)
    printf("%sv[%d]", j ? ", " : "", c->in[j] + 1);
  for (int j = 0; j < count; j++) {
    printf(j ? ", " : ", { ");
    print_attribute(&c->attr, &specs[j]);
  }
  printf(count ? " })" : ")");
}

static void print_constant(const instruction *c) {
  printf("icl.tensor(");
  if (c->varies)
    printf("({ ");
  for (int turn = 0; turn < (c->varies ? MOST_TURNS : 1); turn++) {
    printf(turn ? ", " : "");
    print_numbers(c, turn);
  }
  if (c->varies)
    printf(" })[turn or 1]");
  printf(", { dtype = \"%s\", shape = ", icl_dtype_name(c->dtype));
  print_list(c->shape, c->rank, 0);
  printf(" })%s", c->flag ? ":requires_grad()" : "");
}

static void print_custom(const program *p, const instruction *c) {
  printf("core.custom(v[%d], { ", c->in[0] + 1);
  for (int j = 1; j < c->inputs; j++)
    printf("%sv[%d]", j > 1 ? ", " : "", c->in[j] + 1);
  printf(" }, function(g) return ");
  for (int j = 1; j < c->inputs; j++) {
    const instruction *value = &p->list[c->in[0]], *x = &p->list[c->in[j]];
    bool same = value->rank == x->rank && !memcmp(value->shape, x->shape, sizeof *x->shape * (size_t)x->rank);
    printf("%s(%s) * v[%d]", j > 1 ? ", " : "", same ? "g + g" : "g:sum()", c->in[j] + 1);
  }
  printf(" end)");
}

static void print_value(const program *p, const instruction *c) {
  switch (c->kind) {
  case DO_CONSTANT:
    print_constant(c);
    break;
  case DO_NUMBER:
    printf("%.9g", c->number);
    break;
  case DO_APPLY:
    print_apply(c);
    break;
  case DO_DETACH:
    printf("ops.detach(v[%d])", c->in[0] + 1);
    break;
  case DO_CUSTOM:
    print_custom(p, c);
    break;
  case DO_READ:
    printf("s[%d]:read()", c->state + 1);
    break;
  case DO_SLOT:
    printf("s[%d].grad", c->state + 1);
    break;
  default:
    printf("icl.grad(v[%d], { v[%d] })[1]", c->in[0] + 1, c->in[1] + 1);
  }
}

static void print_statement(const instruction *c, int i) {
  switch (c->kind) {
  case DO_STATE:
    printf("s[%d] = s[%d] or icl.state(icl.tensor(", i + 1, i + 1);
    print_numbers(c, 0);
    printf(", { dtype = \"%s\", shape = ", icl_dtype_name(c->dtype));
    print_list(c->shape, c->rank, 0);
    printf(" }), { trainable = %s })", c->flag ? "true" : "false");
    break;
  case DO_WRITE:
    printf("s[%d]:write(v[%d]", c->state + 1, c->in[0] + 1);
    if (c->inputs > 1)
      printf(", v[%d]", c->in[1] + 1);
    printf(")");
    break;
  case DO_CLEAR:
    printf("s[%d]:clear_grad()", c->state + 1);
    break;
  case DO_FREEZE:
    printf("s[%d]:freeze(%s)", c->state + 1, c->flag ? "true" : "false");
    break;
  case DO_BACKWARD:
    printf("v[%d]:backward()", c->in[0] + 1);
    break;
  case DO_KEEP:
    printf("v[%d]:keep()", c->in[0] + 1);
    break;
  case DO_LOOK:
    printf("print(v[%d])", c->in[0] + 1);
    break;
  case DO_BEGIN:
    printf("for turn = 1, %d do icl.step(function()", c->turns);
    break;
  default:
    printf("end)");
  }
}

/* After each turn of a step: what it kept, and states. */
static void print_results(const program *p, int end) {
  int begin = end;
  while (begin > 0 && p->list[begin].kind != DO_BEGIN)
    begin--;
  for (int i = begin; i < end; i++)
    if (p->list[i].kind == DO_KEEP)
      printf("print(v[%d])\n", p->list[i].in[0] + 1);
  for (int i = 0; i < end; i++)
    if (p->list[i].kind == DO_STATE)
      printf("print(s[%d])\n", i + 1);
  printf("end\n");
}

void print_program(const program *p) {
  printf("do local icl, core, v, s = require \"icl\", require \"icl.core\", {}, {}; local ops = icl.ops\n");
  for (int i = 0; i < p->count; i++) {
    const instruction *c = &p->list[i];
    if (gives_value(c->kind)) {
      printf("v[%d] = ", i + 1);
      print_value(p, c);
    } else {
      print_statement(c, i);
    }
    printf("\n");
    if (c->kind == DO_END)
      print_results(p, i);
  }
  printf("end\n");
}
