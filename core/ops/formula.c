/* formula.c - see formula.h. */
#include "ops/formula.h"

#include "base/memory.h"
#include "ops/attributes.h"

/* ---- memory of the pass ---- */

icl__node *icl__gradient_own(icl__gradient *pass, icl_status status, icl__node *node) {
  if (status == ICL_OK) {
    icl__node **grown = icl__grow(pass->own, &pass->owned_capacity, pass->owned + 1, sizeof *grown);
    if (grown) {
      pass->own = grown;
      return pass->own[pass->owned++] = node;
    }
    pass->recorder->release(node);
    status = icl__fail(ICL_ENOMEM, "gradient: no memory");
  }
  if (pass->status == ICL_OK)
    pass->status = status;
  return NULL;
}

void icl__gradient_clear(icl__gradient *pass) {
  for (size_t i = 0; i < pass->owned; i++)
    pass->recorder->release(pass->own[i]);
  icl__free(pass->own);
  icl__free(pass->given);
  icl__free(pass->node);
}

/* ---- recording ---- */

icl__node *icl__g(icl__gradient *pass, int op, int inputs, icl__node *const *in, const icl_attributes *attr) {
  for (int i = 0; i < inputs; i++)
    if (!in[i])
      return NULL;
  if (pass->status != ICL_OK)
    return NULL;
  icl__node *node = NULL;
  icl_status status = pass->recorder->record(pass->engine, op, inputs, in, attr, &node);
  return icl__gradient_own(pass, status, node);
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
  icl_status status = pass->recorder->number(pass->engine, value, &node);
  return icl__gradient_own(pass, status, node);
}

static icl__node *to_shape(icl__gradient *pass, int op, icl__node *x, int rank, const int32_t *shape) {
  icl_attributes attr = {0};
  icl__set_list(&attr, TARGET_SHAPE, rank, shape);
  return icl__g(pass, op, 1, &x, &attr);
}

icl__node *icl__g_reshape(icl__gradient *pass, icl__node *x, int rank, const int32_t *shape) {
  return to_shape(pass, ICL__OP_reshape, x, rank, shape);
}

icl__node *icl__g_broadcast(icl__gradient *pass, icl__node *x, int rank, const int32_t *shape) {
  return to_shape(pass, ICL__OP_broadcast_to, x, rank, shape);
}

icl__node *icl__g_sum_to(icl__gradient *pass, icl__node *x, int rank, const int32_t *shape) {
  return to_shape(pass, ICL__OP_sum_to, x, rank, shape);
}

icl__node *icl__g_sum_rows(icl__gradient *pass, icl__node *x) {
  icl_attributes attr = {.i[REDUCE_KEEPDIM] = 1};
  icl__set_list(&attr, REDUCE_DIMS, 1, (const int32_t[]){-1});
  return icl__g(pass, ICL__OP_sum, 1, &x, &attr);
}

/* ---- handing over ---- */

bool icl__wants(const icl__node *y, int i) { return y->in[i]->needs_grad; }

bool icl__has_gradient(const icl__node *y) {
  return !y->plain && icl__op(y->op)->grad && icl__is_float((icl_dtype)y->dtype);
}

/* By id and not by a mark on the node: a formula may run a pass of its own. */
int icl__gradient_find(const icl__gradient *pass, const icl__node *node) {
  if (!pass->nodes)
    return -1;
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

/* Makes room by adding up what is there, so that any number of users is fine. */
static bool fold(icl__gradient *pass, icl__terms *terms) {
  terms->term[0] = icl__g(pass, ICL__OP_add_n, terms->count, terms->term, NULL);
  terms->count = 1;
  return terms->term[0] != NULL;
}

icl__node *icl__gradient_of(icl__gradient *pass, int i) {
  icl__terms *terms = &pass->given[i];
  if (terms->count > 1)
    fold(pass, terms);
  return terms->count ? terms->term[0] : NULL;
}

icl_status icl__give_packed(icl__gradient *pass, icl__node *y, int i, icl__node *gradient) {
  if (!gradient)
    return pass->status;
  icl__node *to = y->in[i];
  int at = to->needs_grad ? icl__gradient_find(pass, to) : -1;
  if (at < 0) /* asked for after the pass began: too late to be part of it */
    return ICL_OK;
  icl__terms *terms = &pass->given[at];
  if (terms->count == ICL_MAX_INPUTS && !fold(pass, terms))
    return pass->status;
  terms->term[terms->count++] = gradient;
  return ICL_OK;
}

icl_status icl__give(icl__gradient *pass, icl__node *y, int i, icl__node *gradient) {
  const icl__node *to = y->in[i];
  if (!gradient || !to->needs_grad)
    return gradient ? ICL_OK : pass->status;
  if (!icl__same_shape(gradient, to))
    gradient = icl__g_sum_to(pass, gradient, to->rank, to->shape);
  if (gradient && gradient->dtype != to->dtype)
    gradient = icl__g(pass, ICL__OP_cast, 1, &gradient, &(icl_attributes){.i[CAST_DTYPE] = to->dtype});
  return icl__give_packed(pass, y, i, gradient);
}
