/* lower.c - which unit computes each planned node, and with what workspace. */
#include "backend/convolution.h"
#include "backend/cuda/program.h"

#include <string.h>

#include "base/memory.h"
#include "plan/stages.h"

/* Kernels take dense rows alone. */
bool icl__cuda_takes_pitch(void *device, const icl__pnode *v, int input) {
  (void)device;
  (void)v;
  (void)input;
  return false;
}

static bool is_empty(const icl__pnode *v) { return icl__count(v->rank, v->shape) == 0; }

/* ---- convolutions ---- */

static icl__cuda_conv_shape conv_shape(const icl__pnode *v) {
  icl__conv_parts parts = icl__conv_parts_of(v);
  icl__cuda_conv_shape s = {.dtype = v->in[0]->dtype, .groups = v->attr.i[CONV_GROUPS]};
  s.direction = v->op == ICL__OP_conv2d              ? ICL__CUDA_CONV_FORWARD
                : v->op == ICL__OP_conv2d_input_grad ? ICL__CUDA_CONV_INPUT
                                                     : ICL__CUDA_CONV_WEIGHT;
  memcpy(s.x, parts.x, sizeof s.x);
  memcpy(s.y, parts.y, sizeof s.y);
  icl__conv_sizes(v, s.kernel, s.stride, s.padding);
  return s;
}

/* Gradients of weights are rounded once to the dtype of the images. Engines that leave 16-bit ones in f32 are compiled
 * when they are chosen, a second or two for each shape, and do not split their sums, which is slow for few channels. */
static icl_status lower_conv(icl__cuda_device *device, icl__pnode *v, icl__cuda_unit *unit) {
  icl__cuda_conv_shape shape = conv_shape(v);
  icl_dtype other = v->in[1]->dtype;
  if (other != shape.dtype)
    return icl__fail(ICL_ENOTSUP, "%s: the CUDA device takes two inputs of one dtype, not %s and %s; cast one",
                     icl__plan_op_name(v->op), icl_dtype_name(shape.dtype), icl_dtype_name(other));
  if (shape.dtype == ICL_F64)
    return icl__fail(ICL_ENOTSUP, "%s: cuDNN does not take f64; cast to f32", icl__plan_op_name(v->op));
  if (is_empty(v->in[0]) || is_empty(v->in[1])) {
    unit->kind = ICL__CUDA_ZERO;
    return ICL_OK;
  }
  unit->kind = ICL__CUDA_CONV;
  if (shape.direction == ICL__CUDA_CONV_WEIGHT)
    v->stored = shape.dtype;
  ICL__TRY(icl__cuda_conv_find(device, &shape, &unit->conv));
  size_t workspace = icl__cuda_conv_workspace(unit->conv);
  unit->workspace = workspace ? workspace + ICL__CUDA_ALIGNMENT : 0;
  v->scratch = unit->workspace;
  v->choice = icl__cuda_conv_name(unit->conv);
  return ICL_OK;
}

/* ---- what the planner made ---- */

/* The value of a reduction is where its one partial result is, unless it goes elsewhere, as into a bucket. */
static void lower_finish(icl__pnode *v, icl__cuda_unit *unit) {
  icl__pnode *r = v->in[0];
  if (r->op == ICL__OP_conv2d_weight_grad) {
    unit->kind = ICL__CUDA_TRANSPOSE;
  } else if (v->store == ICL__STORE_SHARED && !r->same && !v->inside) {
    unit->kind = ICL__CUDA_NONE;
    v->same = r;
    v->view = true;
    icl__plan_keep_until(r, v->last);
  } else {
    unit->kind = ICL__CUDA_CHAIN;
    unit->expression = (icl__cuda_expression){.inputs = 1, .in = {r}, .result = ~0};
  }
}

/* A row of a table is read where it lies within the table. */
static void lower_row(icl__pnode *v, icl__cuda_unit *unit) {
  icl__pnode *table = v->in[0];
  bool lives = table->store == ICL__STORE_SHARED && v->store == ICL__STORE_SHARED && !v->inside;
  unit->kind = lives ? ICL__CUDA_NONE : ICL__CUDA_KERNEL;
  if (!lives)
    return;
  v->same = icl__plan_root(table);
  v->view = true;
  icl__plan_keep_until(table, v->last);
}

/* ---- the last section ---- */

/* Does v read only what nothing else is ever put in the place of? */
static bool reads_values_of_their_own(const icl__pnode *v) {
  for (int j = 0; j < v->inputs; j++) {
    const icl__pnode *u = v->in[j];
    if (u->leaf < 0 && u->store != ICL__STORE_SHARED && u->store != ICL__STORE_PARTIAL && u->store != ICL__STORE_OUTPUT)
      return false;
  }
  return true;
}

static bool may_wait(const icl__plan *plan, const icl__pnode *v) {
  bool good = icl__plan_is_global(v) && !icl__plan_sends(v) && v->slack && reads_values_of_their_own(v);
  for (int i = 0; i < v->uses; i++)
    good = good && (v->use[i]->visited || v->use[i]->phase == plan->phases) && !icl__plan_sends(v->use[i]);
  return good;
}

static void move_to_end(const icl__plan *plan, icl__pnode *v) {
  v->phase = plan->phases;
  int now = icl__plan_made_at(v);
  v->last = now;
  for (int j = 0; j < v->inputs; j++)
    icl__plan_keep_until(v->in[j], now);
}

static bool is_weight_gradient(const icl__pnode *v) {
  return v->op == ICL__PLAN_FINISH && v->in[0]->op == ICL__OP_conv2d_weight_grad;
}

/* One that is sent goes to the section before its bucket leaves. */
static void move_to_bucket(icl__pnode *v) {
  const icl__bucket *b = v->uses == 1 && icl__plan_sends(v->use[0]) ? v->use[0]->bucket : NULL;
  if (!b || b->start - 1 <= v->phase)
    return;
  v->phase = b->start - 1;
  icl__plan_keep_until(v->in[0], icl__plan_made_at(v));
}

/* Gradients of weights, and what follows from them where no phase waits for it, go to the last section, where one
 * launch computes many of a kind. */
static void postpone_gradients(icl__plan *plan) {
  for (int i = plan->nodes - 1; i >= 0; i--)
    plan->node[i]->visited = may_wait(plan, plan->node[i]);
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    bool follows = is_weight_gradient(v);
    if (follows && v->store == ICL__STORE_SHARED)
      move_to_bucket(v);
    for (int j = 0; j < v->inputs; j++)
      follows |= icl__plan_is_global(v->in[j]) && v->in[j]->phase == plan->phases;
    if (v->visited && follows)
      move_to_end(plan, v);
  }
}

/* ---- sizes ---- */

/* Is an input repeated along some axis? */
static bool is_spread(const icl__pnode *v) {
  for (int j = 0; j < v->inputs; j++)
    if (icl__count(v->in[j]->rank, v->in[j]->shape) != 1 && !icl__plan_same_shape(v->in[j], v))
      return true;
  return false;
}

/* Blocks of threads for the series along an axis of x, `lanes` of those beside one another in each. */
static int64_t blocks_of_series(const icl__pnode *x, int dim, int lanes) {
  int64_t inner = icl__count(x->rank - dim - 1, x->shape + dim + 1);
  return icl__count(dim, x->shape) * ((inner + lanes - 1) / lanes);
}

/* Where 64 bits would slow a kernel down it divides numbers of elements in 32; a launch has less than 2^31 blocks. */
static bool is_too_large(const icl__pnode *v) {
  enum { EIGHT = 8, LANES = 32 };
  int64_t count = icl__count(v->rank, v->shape);
  switch (v->op) {
  case ICL__OP_scale_shift:
  case ICL__OP_bn_scale:
  case ICL__OP_bn_sums_grad:
  case ICL__OP_bn_input_grad:
  case ICL__OP_bn_scale_mask:
    return (v->shape[v->rank - 1] % EIGHT ? count : count / EIGHT) > UINT32_MAX;
  case ICL__OP_cumsum:
    return blocks_of_series(v, v->attr.i[ALONG_DIM], LANES) > INT32_MAX;
  case ICL__OP_argsort:
  case ICL__OP_gather_along_grad:
    return blocks_of_series(v, v->attr.i[ALONG_DIM], 1) > INT32_MAX;
  default:
    return (v->op == ICL__PLAN_CHAIN || icl__cuda_is_pointwise(v)) && count > UINT32_MAX && is_spread(v);
  }
}

/* ---- all ---- */

static icl_status lower_node(icl__cuda_device *device, icl__pnode *v) {
  icl__cuda_unit *unit = v->kernel ? v->kernel : (v->kernel = icl__calloc(1, sizeof *unit));
  if (!unit)
    return ICL_ENOMEM;
  if (v->leaf >= 0 || v->view || is_empty(v))
    return ICL_OK;
  if (icl__plan_sends(v)) {
    unit->kind = v->inside ? ICL__CUDA_NONE : ICL__CUDA_RECEIVE;
    return ICL_OK;
  }
  if (is_too_large(v)) {
    char shape[ICL__SHAPE_TEXT];
    return icl__fail(ICL_ENOTSUP, "%s: %s is too large for its CUDA kernel; part it, as into smaller batches",
                     icl__plan_op_name(v->op), icl__shape_text(shape, v->dtype, v->rank, v->shape));
  }
  switch (v->op) {
  case ICL__PLAN_FINISH:
    lower_finish(v, unit);
    return ICL_OK;
  case ICL__PLAN_PREPARE:
    unit->kind = ICL__CUDA_TRANSPOSE;
    return ICL_OK;
  case ICL__PLAN_CHAIN:
    unit->kind = ICL__CUDA_CHAIN;
    return ICL_OK;
  case ICL__OP_bn_row:
    lower_row(v, unit);
    return ICL_OK;
  case ICL__OP_matmul:
    unit->kind = ICL__CUDA_MATMUL;
    return ICL_OK;
  default:
    break;
  }
  if (icl__is_conv(v))
    return lower_conv(device, v, unit);
  bool chain = icl__cuda_is_pointwise(v) && icl__cuda_express(v, NULL, &unit->expression);
  unit->kind = chain ? ICL__CUDA_CHAIN : ICL__CUDA_KERNEL;
  return ICL_OK;
}

/* ---- tables of batch norm with the sums that they come from ---- */

static int last_read(const icl__pnode *v) {
  int last = icl__plan_made_at(v);
  for (int i = 0; i < v->uses; i++) {
    int time = icl__plan_made_at(v->use[i]);
    last = time > last ? time : last;
  }
  return last;
}

static bool is_there(const icl__pnode *v, int section) {
  return v->leaf >= 0 || v->store == ICL__STORE_OUTPUT || last_read(v) > 2 * section;
}

/* Sums and the table of them are one launch, in the section of the table: what the sums read must be there then, and
 * nobody else in that section may want the sums. */
static void join_sums(icl__plan *plan, icl__pnode *table, int sums_op, icl__cuda_kind kind) {
  icl__pnode *f = table->in[0], *s = f->op == ICL__PLAN_FINISH ? f->in[0] : NULL;
  if (!s || s->op != sums_op || s->phase != table->phase || f->phase != table->phase || !f->view)
    return;
  for (int j = 0; j < s->inputs; j++)
    if (icl__plan_runs_in_phase(s->in[j]) && !is_there(s->in[j], table->phase))
      return;
  for (int i = 0; i < f->uses; i++)
    if (f->use[i] != table && f->use[i]->phase == table->phase && !icl__plan_runs_in_phase(f->use[i]))
      return;
  icl__cuda_unit *unit = icl__cuda_unit_of(table);
  unit->kind = kind;
  unit->sums = s;
  icl__cuda_unit_of(s)->kind = ICL__CUDA_NONE;
  s->companion = table;
  plan->joined++;
}

icl_status icl__cuda_lower(void *device, icl__plan *plan) {
  ICL__TRY(icl__cuda_enter(device)); /* an engine on another GPU may have been at work in this thread */
  postpone_gradients(plan);
  for (int i = 0; i < plan->nodes; i++)
    ICL__TRY(lower_node(device, plan->node[i]));
  for (int i = 0; i < plan->nodes && plan->policy.join; i++) {
    icl__pnode *v = plan->node[i];
    if (v->op == ICL__OP_bn_coefficients && !is_empty(v))
      join_sums(plan, v, ICL__OP_bn_sums, ICL__CUDA_BN_FORWARD);
    else if (v->op == ICL__OP_bn_coefficients_grad && !is_empty(v))
      join_sums(plan, v, ICL__OP_bn_scale_sums, ICL__CUDA_BN_BACKWARD);
  }
  return icl__cuda_overlap(plan);
}

void icl__cuda_forget(void *device, icl__plan *plan) {
  (void)device;
  for (int i = 0; i < plan->nodes; i++)
    icl__free(plan->node[i]->kernel);
}
