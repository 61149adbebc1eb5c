/* join.c - what the GPU changes in a plan before ops get their time: pointwise ops that follow one another become
 * chains, weights of convolutions are brought into cuDNN's layout. */
#include "backend/convolution.h"
#include "backend/cuda/program.h"

#include <string.h>

#include "base/memory.h"

/* ---- users ---- */

typedef struct {
  icl__plan *plan;
  int *uses; /* by index of node: operands that are this node */
  bool *absorbed;
} joiner;

static void count_uses(joiner *j) {
  memset(j->uses, 0, (size_t)j->plan->nodes * sizeof *j->uses);
  for (int i = 0; i < j->plan->nodes; i++) {
    icl__pnode *v = j->plan->node[i];
    v->index = i;
    for (int k = 0; k < v->inputs; k++)
      j->uses[v->in[k]->index]++;
  }
}

static bool is_internal(const joiner *j, const icl__pnode *u) {
  return j->uses[u->index] == 1 && u->output < 0 && u->leaf < 0;
}

/* ---- pointwise ops in chains ---- */

/* In a register a value is a float, or 0 or 1 of a test. */
static bool fits_register(const icl__pnode *u) {
  bool test = u->op != ICL__OP_cast && u->op != ICL__OP_broadcast_to;
  return u->stored == ICL_F32 || u->stored == ICL_BF16 || u->stored == ICL_F16 || (u->stored == ICL_BOOL && test);
}

/* Does v read u element by element, or one of u for many of its own? Those compute it anew. */
static bool spreads(const icl__pnode *u, const icl__pnode *v) {
  bool fits = u->behaviour == v->behaviour && u->domain == v->domain && u->rank == v->rank;
  for (int i = 0; fits && i < v->rank; i++)
    fits = u->shape[i] == v->shape[i] || u->shape[i] == 1;
  return fits;
}

static void absorb(joiner *j, icl__pnode *v) {
  icl__cuda_expression e;
  if (!icl__cuda_is_pointwise(v) || icl__cuda_is_wide(v))
    return;
  for (int k = 0; k < v->inputs; k++) {
    icl__pnode *u = v->in[k];
    if (!icl__cuda_is_pointwise(u) || !is_internal(j, u) || !spreads(u, v) || icl__cuda_is_wide(u) || !fits_register(u))
      continue;
    j->absorbed[u->index] = true;
    j->absorbed[u->index] = icl__cuda_express(v, j->absorbed, &e);
  }
}

static icl_status make_chain(joiner *j, icl__pnode *v) {
  bool joins = false;
  for (int k = 0; k < v->inputs; k++)
    joins |= j->absorbed[v->in[k]->index];
  if (!joins || j->absorbed[v->index])
    return ICL_OK;
  icl__cuda_unit *unit = v->kernel = icl__calloc(1, sizeof *unit);
  if (!unit)
    return ICL_ENOMEM;
  icl__cuda_express(v, j->absorbed, &unit->expression);
  const icl__cuda_expression *e = &unit->expression;
  v->op = ICL__PLAN_CHAIN;
  v->attr = (icl_attributes){0};
  v->inputs = e->inputs;
  for (int k = 0; k < e->inputs; k++)
    v->in[k] = e->in[k];
  v->batched = e->batched;
  j->plan->joined++;
  return ICL_OK;
}

/* ---- weights ---- */

/* The weights `w` in cuDNN's layout and in the dtype of the images: one preparation for all convolutions. */
static icl_status prepare_weights(icl__plan *plan, icl__pnode *v, int first) {
  icl__pnode *w = v->in[1], *prepared = NULL;
  icl_dtype dtype = v->in[0]->dtype;
  for (int i = first; i < plan->nodes && !prepared; i++)
    if (plan->node[i]->op == ICL__PLAN_PREPARE && plan->node[i]->in[0] == w && plan->node[i]->dtype == dtype)
      prepared = plan->node[i];
  if (!prepared) {
    prepared = icl__plan_add(plan, ICL__PLAN_PREPARE, w, 1, &w);
    if (!prepared)
      return ICL_ENOMEM;
    icl__plan_make_global(prepared);
    prepared->dtype = prepared->stored = dtype;
    prepared->key = -1;
    prepared->layer = v->layer;
  }
  v->in[1] = prepared;
  return ICL_OK;
}

/* ---- 16 bits to f32 ---- */

/* cuBLAS has no product of 16 bits and f32: the 16 bits become f32, which loses nothing. cuDNN's fast gradients of
 * weights from 16 bits are rounded to these; what is precise is computed from f32. */
static bool must_be_wide(const icl__cuda_device *device, const icl__pnode *v, int j) {
  icl_dtype own = v->in[j]->dtype;
  if (own != ICL_BF16 && own != ICL_F16)
    return false;
  return v->op == ICL__OP_matmul ? v->in[!j]->dtype == ICL_F32 : device->precise;
}

static icl_status widen_operand(icl__plan *plan, icl__pnode *v, int j) {
  icl__pnode *u = v->in[j], *wide = icl__plan_add(plan, ICL__OP_cast, u, 1, &u);
  if (!wide)
    return ICL_ENOMEM;
  wide->dtype = wide->stored = ICL_F32;
  wide->layer = v->layer;
  wide->key = -1;
  if (icl__plan_reads_images(v, j)) {
    wide->behaviour = ICL__MAP;
    wide->domain = v->domain;
    wide->batched = 1;
  } else if (!icl__plan_runs_in_phase(u)) {
    icl__plan_make_global(wide);
  } else {
    wide->batched = u->behaviour == ICL__MAP;
  }
  v->in[j] = wide;
  return ICL_OK;
}

/* ---- all ---- */

static icl_status join_all(joiner *j) {
  icl__plan *plan = j->plan;
  int nodes = plan->nodes;
  count_uses(j);
  for (int i = 0; i < nodes; i++)
    absorb(j, plan->node[i]);
  for (int i = 0; i < nodes; i++)
    ICL__TRY(make_chain(j, plan->node[i]));
  return ICL_OK;
}

icl_status icl__cuda_rewrite(void *context, icl__plan *plan) {
  const icl__cuda_device *device = context;
  int nodes = plan->nodes;
  if (plan->policy.join) {
    joiner j = {.plan = plan,
                .uses = icl__calloc((size_t)nodes, sizeof *j.uses),
                .absorbed = icl__calloc((size_t)nodes, sizeof *j.absorbed)};
    icl_status status = j.uses && j.absorbed ? join_all(&j) : ICL_ENOMEM;
    icl__free(j.uses);
    icl__free(j.absorbed);
    ICL__TRY(status);
  }
  for (int i = 0; i < nodes; i++) {
    icl__pnode *v = plan->node[i];
    if (v->behaviour == ICL__REDUCE)
      v->stored = v->dtype; /* one partial result is the result */
    if (icl__plan_sends(v))
      v->attr.i[ALL_REDUCE_WIDE] = 0; /* for it is not in f64 */
    if (icl__is_conv(v) && v->op != ICL__OP_conv2d_weight_grad)
      ICL__TRY(prepare_weights(plan, v, nodes));
    bool products = v->op == ICL__OP_matmul || v->op == ICL__OP_conv2d_weight_grad;
    for (int j = 0; j < 2 && products; j++)
      if (must_be_wide(device, v, j))
        ICL__TRY(widen_operand(plan, v, j));
  }
  return ICL_OK;
}
