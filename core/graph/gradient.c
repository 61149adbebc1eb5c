/* gradient.c - one backward pass: walks recorded nodes from the loss back and records the gradients of their inputs.
 *
 * The contributions to a node are collected and added once, as one n-ary sum, so that the planner can pick terms out of
 * it. */
#include "graph/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/ops.h"

typedef struct {
  int count;
  icl__node *term[ICL_MAX_INPUTS];
} terms;

struct icl__gradient {
  icl_engine *engine;
  icl_status status; /* the first error of a formula */
  int nodes, node_capacity;
  icl__node **node; /* what the loss depends on and needs a gradient; sorted by id */
  terms *given;
  int made, made_capacity;
  icl__node **owned; /* released at the end of the pass */
};

/* ---- memory of the pass ---- */

static bool append(icl__node ***list, int *count, int *capacity, icl__node *node) {
  if (*count == *capacity) {
    int larger = *capacity ? 2 * *capacity : 256;
    icl__node **grown = icl__realloc(*list, (size_t)larger, sizeof *grown);
    if (!grown)
      return false;
    *list = grown;
    *capacity = larger;
  }
  (*list)[(*count)++] = node;
  return true;
}

static icl__node *own(icl__gradient *pass, icl_status status, icl__node *node) {
  if (status == ICL_OK && !append(&pass->owned, &pass->made, &pass->made_capacity, node)) {
    icl_tensor_release(node);
    status = icl__fail(ICL_ENOMEM, "gradient: no memory");
  }
  if (status == ICL_OK)
    return node;
  if (pass->status == ICL_OK)
    pass->status = status;
  return NULL;
}

/* ---- for the formulas of the ops ---- */

icl__node *icl__g(icl__gradient *pass, int op, int inputs, icl__node *const *in, const icl_attributes *attr) {
  for (int i = 0; i < inputs; i++)
    if (!in[i])
      return NULL;
  if (pass->status != ICL_OK)
    return NULL;
  icl__node *node = NULL;
  icl_status status = icl__record(pass->engine, op, inputs, in, attr, &node);
  return own(pass, status, node);
}

icl__node *icl__g1(icl__gradient *pass, int op, icl__node *a) { return icl__g(pass, op, 1, &a, NULL); }

icl__node *icl__g2(icl__gradient *pass, int op, icl__node *a, icl__node *b) {
  return icl__g(pass, op, 2, (icl__node *[]){a, b}, NULL);
}

icl__node *icl__g3(icl__gradient *pass, int op, icl__node *a, icl__node *b, icl__node *c) {
  return icl__g(pass, op, 3, (icl__node *[]){a, b, c}, NULL);
}

icl__node *icl__g_number(icl__gradient *pass, double value) {
  icl__node *node = NULL;
  icl_status status = icl_number(pass->engine, value, &node);
  return own(pass, status, node);
}

bool icl__wants(const icl__node *y, int i) { return y->in[i]->needs_grad; }

/* Found by id and not by a mark on the node: a formula may run a pass of its own. -1: not part of this pass. */
static int find(const icl__gradient *pass, const icl__node *node) {
  int low = 0, high = pass->nodes - 1;
  while (low < high) {
    int middle = (low + high) / 2;
    if (pass->node[middle]->id < node->id)
      low = middle + 1;
    else
      high = middle;
  }
  return pass->node[low] == node ? low : -1;
}

icl_status icl__give_packed(icl__gradient *pass, icl__node *y, int i, icl__node *gradient) {
  if (!gradient)
    return pass->status;
  icl__node *to = y->in[i];
  if (!to->needs_grad)
    return ICL_OK;
  terms *t = &pass->given[find(pass, to)];
  if (t->count == ICL_MAX_INPUTS) { /* fold what is there, so that any number of users is fine */
    icl__node *sum = icl__g(pass, ICL__OP_add_n, t->count, t->term, NULL);
    if (!sum)
      return pass->status;
    t->term[0] = sum;
    t->count = 1;
  }
  t->term[t->count++] = gradient;
  return ICL_OK;
}

icl_status icl__give(icl__gradient *pass, icl__node *y, int i, icl__node *gradient) {
  const icl__node *to = y->in[i];
  if (!gradient || !to->needs_grad)
    return gradient ? ICL_OK : pass->status;
  bool same = gradient->rank == to->rank && !memcmp(gradient->shape, to->shape, sizeof *to->shape * to->rank);
  if (!same) {
    icl_attributes attr = {.i = {to->rank}};
    memcpy(attr.i + 1, to->shape, sizeof *to->shape * to->rank);
    gradient = icl__g(pass, ICL__OP_sum_to, 1, &gradient, &attr);
  }
  if (gradient && gradient->dtype != to->dtype) {
    icl_attributes attr = {.i = {to->dtype}};
    gradient = icl__g(pass, ICL__OP_cast, 1, &gradient, &attr);
  }
  return icl__give_packed(pass, y, i, gradient);
}

/* ---- the pass ---- */

/* Collects what `loss` depends on; an explicit stack, since networks are deep. */
static icl_status collect(icl__gradient *pass, icl__node *loss) {
  uint64_t mark = icl__engine_mark(pass->engine);
  loss->mark = mark;
  bool ok = append(&pass->node, &pass->nodes, &pass->node_capacity, loss);
  for (int next = 0; ok && next < pass->nodes; next++) {
    icl__node *node = pass->node[next];
    if (node->op == ICL__OP_state || node->op == ICL__OP_detach)
      continue;
    for (int i = 0; ok && i < node->inputs; i++) {
      icl__node *in = node->in[i];
      if (!in->needs_grad || in->mark == mark)
        continue;
      in->mark = mark;
      ok = append(&pass->node, &pass->nodes, &pass->node_capacity, in);
    }
  }
  return ok ? ICL_OK : icl__fail(ICL_ENOMEM, "gradient: no memory");
}

static int by_id(const void *a, const void *b) {
  uint64_t x = (*(icl__node *const *)a)->id, y = (*(icl__node *const *)b)->id;
  return (x > y) - (x < y);
}

static icl_status prepare(icl__gradient *pass, icl__node *loss) {
  if (icl__node_count(loss) != 1) {
    char text[ICL__SHAPE_TEXT];
    return icl__fail(ICL_ESHAPE, "backward: the loss is %s; it must have one element, so take its mean or sum first",
                     icl__shape_text(text, (icl_dtype)loss->dtype, loss->rank, loss->shape));
  }
  if (!loss->needs_grad)
    return icl__fail(ICL_EINVAL, "backward: the loss (%s) depends on nothing that is trained%s", icl_tensor_op(loss),
                     loss->dropped ? "; its step has ended" : "");
  ICL__TRY(collect(pass, loss));
  qsort(pass->node, (size_t)pass->nodes, sizeof(icl__node *), by_id);
  pass->given = icl__calloc((size_t)pass->nodes, sizeof *pass->given);
  return pass->given ? ICL_OK : icl__fail(ICL_ENOMEM, "gradient: no memory");
}

static icl__node *seed(icl__gradient *pass, const icl__node *loss) {
  double one = 1;
  uint8_t bytes[sizeof(double)];
  icl__convert(ICL_F64, &one, (icl_dtype)loss->dtype, bytes, 1);
  icl__node *node = NULL;
  icl_status status = icl_tensor_new(pass->engine, (icl_dtype)loss->dtype, loss->rank, loss->shape, bytes, &node);
  return own(pass, status, node);
}

/* The complete gradient of node i, or NULL. */
static icl__node *gradient_of(icl__gradient *pass, int i) {
  terms *t = &pass->given[i];
  if (t->count > 1) {
    t->term[0] = icl__g(pass, ICL__OP_add_n, t->count, t->term, NULL);
    t->count = 1;
  }
  return t->count ? t->term[0] : NULL;
}

static icl_status walk(icl__gradient *pass, icl__node *loss) {
  icl_engine *engine = pass->engine;
  const char *layer = engine->layer;
  icl__node *one = seed(pass, loss);
  if (!one)
    return pass->status;
  pass->given[find(pass, loss)] = (terms){1, {one}};
  icl_status status = ICL_OK;
  for (int i = pass->nodes - 1; i >= 0 && status == ICL_OK; i--) {
    icl__node *y = pass->node[i];
    engine->layer = y->layer; /* gradients count for the layer they belong to */
    icl__node *gy = gradient_of(pass, i);
    status = pass->status;
    if (status == ICL_OK && gy && y->inputs && y->op != ICL__OP_state && icl__op(y->op)->grad)
      status = icl__op(y->op)->grad(pass, y, gy);
    if (status == ICL_OK)
      status = pass->status;
  }
  engine->layer = layer;
  return status;
}

static void pass_free(icl__gradient *pass) {
  for (int i = 0; i < pass->made; i++)
    icl_tensor_release(pass->owned[i]);
  icl__free(pass->owned);
  icl__free(pass->given);
  icl__free(pass->node);
}

static icl_status give_state(icl_state *state, icl__node *gradient) {
  if (state->gradients == state->gradient_capacity) {
    int capacity = state->gradient_capacity ? 2 * state->gradient_capacity : 4;
    icl__node **grown = icl__realloc(state->gradient, (size_t)capacity, sizeof *grown);
    if (!grown)
      return icl__fail(ICL_ENOMEM, "gradient: no memory");
    state->gradient = grown;
    state->gradient_capacity = capacity;
  }
  icl__state_touch(state);
  state->gradient[state->gradients++] = icl_tensor_retain(gradient);
  return ICL_OK;
}

icl_status icl_backward(icl_tensor *loss) {
  icl__gradient pass = {.engine = loss->engine};
  icl_no_gradient_begin(loss->engine);
  icl_status status = prepare(&pass, loss);
  if (status == ICL_OK)
    status = walk(&pass, loss);
  for (int i = 0; i < pass.nodes && status == ICL_OK; i++)
    if (pass.node[i]->op == ICL__OP_state && pass.given[i].count)
      status = give_state(pass.node[i]->state, pass.given[i].term[0]);
  pass_free(&pass);
  icl_no_gradient_end(loss->engine);
  return status;
}

icl_status icl_gradient(icl_tensor *loss, int count, icl_tensor *const *with_respect_to, icl_tensor **results) {
  for (int i = 0; i < count; i++)
    results[i] = NULL;
  icl__gradient pass = {.engine = loss->engine};
  icl_status status = prepare(&pass, loss);
  if (status == ICL_OK)
    status = walk(&pass, loss);
  for (int i = 0; i < count && status == ICL_OK; i++) {
    int at = find(&pass, with_respect_to[i]);
    if (at >= 0 && pass.given[at].count)
      results[i] = icl_tensor_retain(pass.given[at].term[0]);
  }
  pass_free(&pass);
  return status;
}
