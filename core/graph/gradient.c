/* gradient.c - one backward pass: walks recorded nodes from the loss back and records the gradients of their inputs. */
#include "graph/engine.h"

#include <stdlib.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "ops/attributes.h"
#include "ops/formula.h"

/* What the pass walks while it grows. */
typedef struct {
  size_t count, capacity;
  icl__node **node;
} list;

static bool append(list *l, icl__node *node) {
  icl__node **grown = icl__grow(l->node, &l->capacity, l->count + 1, sizeof *grown);
  if (!grown)
    return false;
  l->node = grown;
  l->node[l->count++] = node;
  return true;
}

/* ---- what is asked for ---- */

/* Inside a step every op that was recorded still knows its inputs: what was made of a node that needs a gradient only
 * now needs one, too. */
static void follow(icl_engine *engine) {
  for (int i = 0; i < engine->recorded; i++) {
    icl__node *node = engine->record[i];
    if (!icl__has_gradient(node))
      continue;
    for (int k = 0; k < node->inputs; k++)
      node->needs_grad |= node->in[k]->needs_grad;
  }
}

static icl_status ask(icl_engine *engine, int count, icl_tensor *const *with_respect_to) {
  bool late = false;
  for (int i = 0; i < count; i++) {
    icl__node *node = with_respect_to[i];
    if (node->needs_grad || !icl__is_float((icl_dtype)node->dtype))
      continue;
    if (!engine->in_step)
      return icl__fail(ICL_EINVAL,
                       "gradient: tensor %d (%s) needed no gradient when it was used, and outside of a step what was "
                       "made of it is forgotten; call requires_grad() on it before the loss is computed",
                       i + 1, icl_tensor_op(node));
    node->needs_grad = true;
    late = true;
  }
  if (late)
    follow(engine);
  return ICL_OK;
}

/* ---- the pass ---- */

/* Does no gradient go through it? */
static bool is_leaf(const icl__node *node) {
  return node->op == ICL__OP_state || node->op == ICL__OP_detach || node->plain;
}

/* Collects what `loss` depends on; breadth first, since networks are deep. */
static icl_status collect(icl__gradient *pass, icl__node *loss) {
  uint64_t mark = icl__engine_mark(pass->engine);
  list found = {0};
  loss->mark = mark;
  bool ok = append(&found, loss);
  for (size_t next = 0; ok && next < found.count; next++) {
    icl__node *node = found.node[next];
    if (is_leaf(node))
      continue;
    for (int i = 0; ok && i < node->inputs; i++) {
      icl__node *in = node->in[i];
      if (!in->needs_grad || in->mark == mark)
        continue;
      in->mark = mark;
      ok = append(&found, in);
    }
  }
  pass->node = found.node;
  pass->nodes = (int)found.count;
  return ok ? ICL_OK : icl__fail(ICL_ENOMEM, "gradient: no memory");
}

static int by_id(const void *a, const void *b) {
  uint64_t x = (*(icl__node *const *)a)->id, y = (*(icl__node *const *)b)->id;
  return (x > y) - (x < y);
}

/* Leaves out of the pass what does not depend on what is asked for, of which nobody would use the gradient, and which
 * may be the function whose gradient is being computed. The nodes are in the order of their ids. */
static void prune(icl__gradient *pass, int count, icl_tensor *const *with_respect_to) {
  uint64_t mark = icl__engine_mark(pass->engine);
  int kept = 0;
  for (int i = 0; i < count; i++)
    with_respect_to[i]->mark = mark;
  for (int i = 0; i < pass->nodes; i++) {
    icl__node *node = pass->node[i];
    for (int k = 0; !is_leaf(node) && k < node->inputs; k++)
      if (node->in[k]->needs_grad && node->in[k]->mark == mark)
        node->mark = mark;
    if (node->mark == mark)
      pass->node[kept++] = node;
  }
  pass->nodes = kept;
}

static icl_status prepare(icl__gradient *pass, icl__node *loss, const char *name) {
  if (icl__node_count(loss) != 1) {
    char text[ICL__SHAPE_TEXT];
    return icl__fail(ICL_ESHAPE, "%s: the loss is %s; it must have one element, so take its mean or sum first", name,
                     icl__shape_text(text, (icl_dtype)loss->dtype, loss->rank, loss->shape));
  }
  if (!loss->needs_grad)
    return icl__fail(ICL_EINVAL, "%s: the loss (%s) depends on nothing that is trained%s", name, icl_tensor_op(loss),
                     loss->dropped ? "; its step has ended"
                     : loss->plain ? "; it was computed in icl.no_grad, or in a pass that records no gradients"
                                   : "");
  ICL__TRY(collect(pass, loss));
  qsort(pass->node, (size_t)pass->nodes, sizeof(icl__node *), by_id);
  pass->given = icl__calloc((size_t)pass->nodes, sizeof *pass->given);
  return pass->given ? ICL_OK : icl__fail(ICL_ENOMEM, "gradient: no memory");
}

/* What the pass begins with: 1, or `scale`, as the loss has it. */
static icl__node *seed(icl__gradient *pass, const icl__node *loss, icl__node *scale) {
  if (scale) {
    if (scale->dtype != loss->dtype)
      scale = icl__g(pass, ICL__OP_cast, 1, &scale, &(icl_attributes){.i[CAST_DTYPE] = loss->dtype});
    return scale && icl__same_shape(scale, loss) ? scale : icl__g_reshape(pass, scale, loss->rank, loss->shape);
  }
  double one = 1;
  uint8_t bytes[sizeof(double)];
  icl__convert(ICL_F64, &one, (icl_dtype)loss->dtype, bytes, 1);
  icl__node *node = NULL;
  icl_status status = icl_tensor_new(pass->engine, (icl_dtype)loss->dtype, loss->rank, loss->shape, bytes, &node);
  return icl__gradient_own(pass, status, node);
}

/* The gradient of coefficients and sums of batch norm is packed: it means something to their ops alone. */
static icl_status expect_unpacked(const icl__node *y, const icl__node *gradient, const char *user) {
  char text[ICL__SHAPE_TEXT];
  if (icl__same_shape(y, gradient))
    return ICL_OK;
  return icl__fail(
      ICL_ENOTSUP,
      "%s: the gradient of batch norm with respect to %s %s exists only inside batch norm; ask for that of "
      "its weight, bias or input, or compute the normalisation from mean and variance",
      user, icl_tensor_op(y), icl__shape_text(text, (icl_dtype)y->dtype, y->rank, y->shape));
}

static icl_status differentiate(icl__gradient *pass, icl__node *y, icl__node *gy) {
  const icl_op *op = icl__op(y->op);
  if (!y->inputs || y->op == ICL__OP_state || y->plain || !op->grad)
    return ICL_OK;
  if (!(op->flags & ICL__PACKED))
    ICL__TRY(expect_unpacked(y, gy, op->name));
  return op->grad(pass, y, gy);
}

static icl_status walk(icl__gradient *pass, icl__node *loss, icl__node *scale) {
  icl_engine *engine = pass->engine;
  const char *layer = engine->layer;
  icl__node *first = seed(pass, loss, scale);
  if (!first)
    return pass->status;
  pass->given[icl__gradient_find(pass, loss)] = (icl__terms){1, {first}};
  icl_status status = ICL_OK;
  for (int i = pass->nodes - 1; i >= 0 && status == ICL_OK; i--) {
    icl__node *y = pass->node[i];
    engine->layer = y->layer; /* gradients count for the layer they belong to */
    icl__node *gy = icl__gradient_of(pass, i);
    status = pass->status;
    if (status == ICL_OK && gy)
      status = differentiate(pass, y, gy);
    if (status == ICL_OK)
      status = pass->status;
  }
  engine->layer = layer;
  return status;
}

static icl_status give_state(icl_state *state, icl__node *gradient) {
  icl__node **grown =
      icl__grow(state->gradient, &state->gradient_capacity, (size_t)state->gradients + 1, sizeof *grown);
  if (!grown)
    return icl__fail(ICL_ENOMEM, "gradient: no memory");
  state->gradient = grown;
  icl__state_touch(state);
  state->gradient[state->gradients++] = icl_tensor_retain(gradient);
  return ICL_OK;
}

static const icl__recorder recorder = {icl__record, icl_number, icl_tensor_release};

/* Gives the states what the pass found; with `scale` divided by it. */
static icl_status give_states(icl__gradient *pass, icl__node *scale) {
  if (scale && scale->rank) /* as a number, which adds no axes to those of a gradient */
    scale = icl__g_reshape(pass, scale, 0, NULL);
  for (int i = 0; i < pass->nodes && pass->status == ICL_OK; i++) {
    icl__node *node = pass->node[i];
    if (node->op != ICL__OP_state || !node->state->trainable || !pass->given[i].count)
      continue;
    icl__node *gradient = pass->given[i].term[0];
    ICL__TRY(expect_unpacked(node, gradient, "backward"));
    if (scale)
      gradient = icl__g2(pass, ICL__OP_div, gradient, scale);
    if (gradient)
      ICL__TRY(give_state(node->state, gradient));
  }
  return pass->status;
}

static icl_status check_scale(const icl__node *loss, const icl__node *scale) {
  char text[ICL__SHAPE_TEXT];
  if (!scale)
    return ICL_OK;
  if (scale->engine != loss->engine)
    return icl__fail(ICL_EINVAL, "backward: the scale belongs to another engine");
  if (icl__node_count(scale) != 1 || !icl__is_float((icl_dtype)scale->dtype))
    return icl__fail(ICL_ESHAPE, "backward: the scale is %s; it must be one number of a float dtype",
                     icl__shape_text(text, (icl_dtype)scale->dtype, scale->rank, scale->shape));
  return ICL_OK;
}

static icl__gradient begin(icl_engine *engine) {
  bool first = !engine->group || icl_group_rank(engine->group) == 0;
  return (icl__gradient){.engine = engine, .recorder = &recorder, .first = first};
}

icl_status icl_backward_scaled(icl_tensor *loss, icl_tensor *scale) {
  icl__gradient pass = begin(loss->engine);
  ICL__TRY(check_scale(loss, scale));
  icl_no_gradient_begin(loss->engine);
  icl_status status = prepare(&pass, loss, "backward");
  if (status == ICL_OK)
    status = walk(&pass, loss, scale);
  if (status == ICL_OK)
    status = give_states(&pass, scale);
  icl__gradient_clear(&pass);
  icl_no_gradient_end(loss->engine);
  return status;
}

icl_status icl_backward(icl_tensor *loss) { return icl_backward_scaled(loss, NULL); }

/* The gradient of a state is the sum of those of all ranks; another value is one of this rank's. */
static icl_status take(const icl__node *node, icl__node *gradient, icl__node **result) {
  if (node->op == ICL__OP_state)
    return icl__record_sum_over_ranks(node->engine, gradient, result);
  *result = icl_tensor_retain(gradient);
  return ICL_OK;
}

icl_status icl_gradient(icl_tensor *loss, int count, icl_tensor *const *with_respect_to, icl_tensor **results) {
  for (int i = 0; i < count; i++)
    results[i] = NULL;
  icl__gradient pass = begin(loss->engine);
  icl_status status = ask(loss->engine, count, with_respect_to);
  if (status == ICL_OK)
    status = prepare(&pass, loss, "gradient");
  if (status == ICL_OK)
    prune(&pass, count, with_respect_to);
  if (status == ICL_OK && pass.nodes)
    status = walk(&pass, loss, NULL);
  for (int i = 0; i < count && status == ICL_OK; i++) {
    int at = icl__gradient_find(&pass, with_respect_to[i]);
    if (at < 0 || !pass.given[at].count)
      continue;
    status = expect_unpacked(with_respect_to[i], pass.given[at].term[0], "gradient");
    if (status == ICL_OK)
      status = take(with_respect_to[i], pass.given[at].term[0], &results[i]);
  }
  for (int i = 0; i < count && status != ICL_OK; i++) {
    icl_tensor_release(results[i]);
    results[i] = NULL;
  }
  icl__gradient_clear(&pass);
  return status;
}
