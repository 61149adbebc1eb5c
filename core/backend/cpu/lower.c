/* lower.c - kernels for planned nodes: which one, with what workspace, in which layout.
 *
 * Convolutions of f32 and bf16 images have weights that are prepared in advance (conv.h); everything else goes to the
 * vector kernels, which fall back on the reference. */
#include "backend/convolution.h"
#include "backend/cpu/program.h"

#include <string.h>

#include "base/memory.h"

/* ---- convolutions ---- */

static bool is_image_conv(const icl__pnode *v) {
  const icl__pnode *x = v->in[0], *other = v->in[1];
  if (!icl__is_conv(v) || (x->dtype != ICL_F32 && x->dtype != ICL_BF16) || icl__count(v->rank, v->shape) == 0 ||
      icl__count(x->rank, x->shape) == 0)
    return false;
  return v->op == ICL__OP_conv2d_weight_grad ? other->dtype == x->dtype && v->dtype == ICL_F32
                                             : other->dtype == ICL_F32;
}

/* A convolution needs dense rows: oneDNN turns to loops of its own reference where they have a pitch. So do its weights
 * when they are prepared. */
bool icl__cpu_takes_pitch(void *device, const icl__pnode *v, int input) {
  (void)device;
  (void)input;
  if (v->op == ICL__PLAN_PREPARE)
    return false;
  return !(icl__plan_runs_in_phase(v) && v->op < ICL__OP_COUNT && is_image_conv(v));
}

/* In about. */
static int64_t images_of_share(const icl__plan *plan, const icl__pnode *v) {
  int64_t images = plan->domain_size[v->domain], shares = plan->policy.shares;
  return images < shares ? 1 : images / shares;
}

static icl__conv_shape conv_shape(const icl__pnode *v) {
  icl__conv_parts parts = icl__conv_parts_of(v);
  icl__conv_shape s = {.dtype = v->in[0]->dtype, .groups = v->attr.i[CONV_GROUPS]};
  s.direction = v->op == ICL__OP_conv2d              ? ICL__CONV_FORWARD
                : v->op == ICL__OP_conv2d_input_grad ? ICL__CONV_INPUT
                                                     : ICL__CONV_WEIGHT;
  memcpy(s.x, parts.x + 1, sizeof s.x);
  memcpy(s.y, parts.y + 1, sizeof s.y);
  icl__conv_sizes(v, s.kernel, s.stride, s.padding);
  return s;
}

/* Of the prepared weights of v, before its kernel is known for certain: by oneDNN's in about. */
static size_t likely_bytes(const icl__cpu_device *cpu, const icl__plan *plan, const icl__pnode *v) {
  icl__conv_shape shape = conv_shape(v);
  icl__conv conv = {0};
  icl__conv_open(&conv, &shape, cpu->conv, &cpu->processor, images_of_share(plan, v));
  return conv.own ? conv.own->weights(&shape) * sizeof(float)
                  : (size_t)icl__count(v->in[1]->rank, v->in[1]->shape) * icl_dtype_bytes(v->in[0]->dtype);
}

icl_status icl__cpu_rewrite(void *device, icl__plan *plan) {
  const icl__cpu_device *cpu = device;
  for (int i = 0, n = plan->nodes; i < n; i++) {
    icl__pnode *v = plan->node[i];
    if (v->op == ICL__OP_conv2d_weight_grad || !is_image_conv(v) || !icl__plan_runs_in_phase(v))
      continue;
    icl__pnode *w = v->in[1], *prepared = icl__plan_add(plan, ICL__PLAN_PREPARE, w, 1, &w);
    if (!prepared)
      return ICL_ENOMEM;
    icl__plan_make_global(prepared);
    prepared->key = -1;
    prepared->layer = v->layer;
    prepared->opaque = likely_bytes(cpu, plan, v);
    v->in[1] = prepared;
  }
  return ICL_OK;
}

/* What a convolution of oneDNN takes with its code, handles and bookkeeping; measured as growth of the process. */
enum { PRIMITIVE_BYTES = 64 << 10 };

/* Every number of images that occurs in a chunk is told to the convolution. */
static icl_status lower_conv(icl__cpu_device *cpu, icl__plan *plan, icl__pnode *v, icl__unit *unit) {
  icl__conv_shape shape = conv_shape(v);
  int64_t images = plan->domain_size[v->domain];
  int shares = plan->policy.shares, chunk = plan->phase[v->phase].chunk;
  unit->kind = ICL__UNIT_CONV;
  unit->conv = &unit->own;
  icl__conv_open(unit->conv, &shape, cpu->conv, &cpu->processor, images_of_share(plan, v));
  for (int s = 0; s < shares; s++) {
    int64_t own = icl__plan_first_image(images, s + 1, shares) - icl__plan_first_image(images, s, shares);
    int64_t chunks = icl__chunks(own, chunk);
    for (int64_t k = 0; k < chunks; k++)
      ICL__TRY(icl__conv_expect(unit->conv, cpu->dnnl, (int32_t)(own * (k + 1) / chunks - own * k / chunks)));
  }
  if (!unit->conv->own)
    plan->device_bytes += (size_t)unit->conv->counts * PRIMITIVE_BYTES;
  v->scratch = icl__conv_scratch_bytes(unit->conv);
  v->choice = icl__conv_name(unit->conv);
  if (v->behaviour == ICL__REDUCE)
    v->opaque = icl__conv_weight_bytes(unit->conv);
  return ICL_OK;
}

/* ---- images that all threads compute ---- */

bool icl__cpu_together(const icl__plan *plan, const icl__phase *phase) {
  int64_t images = plan->domain_size[phase->domain];
  if (images >= plan->policy.threads || images > plan->policy.shares)
    return false;
  for (int i = 0; i < phase->instructions; i++)
    if (phase->instruction[i]->behaviour == ICL__REDUCE)
      return images == 1;
  return true;
}

/* Multiplications that are worth a meeting of the threads, and bytes. */
enum { LEAST_WORK = 1 << 20, LEAST_BYTES = 1 << 18 };

static bool is_large_conv(const icl__conv_shape *s) {
  return (int64_t)s->y[0] * s->y[1] * s->y[2] * s->kernel[0] * s->kernel[1] * (s->x[2] / s->groups) >= LEAST_WORK;
}

/* Which ops of a phase are divided. With check_nan an op must be complete when it is looked at. */
static icl_status divide(icl__cpu_device *cpu, icl__plan *plan, const icl__phase *phase) {
  for (int i = 0; i < phase->instructions; i++) {
    icl__pnode *v = phase->instruction[i];
    icl__unit *unit = icl__unit_of(v);
    int parts = plan->policy.threads;
    if (v->behaviour != ICL__MAP || cpu->check_nan)
      continue;
    if (unit->kind == ICL__UNIT_CONV && is_large_conv(&unit->conv->shape)) {
      ICL__TRY(icl__conv_share(unit->conv, cpu->dnnl, &cpu->processor, &parts));
      unit->parts = parts;
      v->scratch = icl__conv_scratch_bytes(unit->conv);
    } else if (unit->kind == ICL__UNIT_KERNEL && v->splits && icl__plan_image_bytes(v) >= LEAST_BYTES) {
      unit->parts = parts;
    }
  }
  return ICL_OK;
}

/* ---- everything else ---- */

static icl__view view_of(const icl__pnode *v) {
  icl__view view = {.dtype = v->stored, .rank = v->rank};
  memcpy(view.shape, v->shape, sizeof view.shape);
  view.pitch = icl__plan_pitch(v);
  return view;
}

static void lower_kernel(const icl__plan *plan, icl__pnode *v, icl__unit *unit) {
  icl__call *call = &unit->call;
  *call = (icl__call){.op = v->op, .attr = &v->attr, .inputs = v->inputs, .out = view_of(v), .parts = 1};
  for (int j = 0; j < v->inputs; j++)
    call->in[j] = view_of(v->in[j]);
  icl__call sized = *call; /* as large as it gets: one chunk */
  if (icl__plan_runs_in_phase(v)) {
    int chunk = plan->phase[v->phase].chunk;
    if (v->behaviour == ICL__MAP)
      sized.out.shape[0] = chunk;
    for (int j = 0; j < v->inputs; j++)
      if (icl__plan_reads_images(v, j))
        sized.in[j].shape[0] = chunk;
  }
  unit->kind = ICL__UNIT_KERNEL;
  icl__choice choice;
  v->choice = icl__cpu_choose(&sized, &choice) ? NULL : "reference";
  v->scratch = choice.workspace;
  v->splits = choice.splits;
  unit->kernel = choice.run;
}

static icl_status lower_node(icl__cpu_device *cpu, icl__plan *plan, icl__pnode *v) {
  icl__unit *unit = v->kernel = icl__calloc(1, sizeof *unit + (size_t)cpu->threads * sizeof *unit->seconds);
  if (!unit)
    return ICL_ENOMEM;
  unit->parts = 1;
  if (v->leaf >= 0 || v->op >= ICL__OP_COUNT || v->view)
    return ICL_OK;
  if (icl__plan_sends(v)) {
    unit->kind = v->inside ? ICL__UNIT_NONE : ICL__UNIT_RECEIVE;
    return ICL_OK;
  }
  if (icl__plan_runs_in_phase(v) && is_image_conv(v))
    return lower_conv(cpu, plan, v, unit);
  lower_kernel(plan, v, unit);
  return ICL_OK;
}

/* What prepares for a convolution, or finishes a reduction, follows the unit it serves. */
static void lower_made(icl__pnode *v) {
  icl__unit *unit = icl__unit_of(v);
  const icl__unit *served = icl__unit_of(v->op == ICL__PLAN_PREPARE ? v->use[0] : v->in[0]);
  bool conv = served->kind == ICL__UNIT_CONV;
  unit->conv = served->conv;
  unit->kind = v->op == ICL__PLAN_PREPARE ? ICL__UNIT_PREPARE : conv ? ICL__UNIT_FINISH_CONV : ICL__UNIT_FINISH;
  v->splits = !conv || icl__conv_splits(unit->conv);
  if (v->op == ICL__PLAN_PREPARE)
    v->opaque = icl__conv_weight_bytes(unit->conv);
}

/* add_n(...), then bn_sums of that: one pass over memory does both. */
static void share_passes(icl__plan *plan, const icl__phase *phase) {
  for (int i = 0; i + 1 < phase->instructions; i++) {
    icl__pnode *sum = phase->instruction[i], *statistics = phase->instruction[i + 1];
    if (sum->op != ICL__OP_add_n || statistics->op != ICL__OP_bn_sums || statistics->in[0] != sum)
      continue;
    icl__unit *first = icl__unit_of(sum), *second = icl__unit_of(statistics);
    if (!icl__cpu_can_add_bn_sums(&first->call, &second->call))
      continue;
    statistics->companion = sum;
    first->kind = ICL__UNIT_ADD_SUMS;
    first->second = statistics;
    first->parts = 1;
    second->kind = ICL__UNIT_NONE;
    plan->joined++;
  }
}

icl_status icl__cpu_lower(void *device, icl__plan *plan) {
  icl__cpu_device *cpu = device;
  for (int i = 0; i < plan->nodes; i++)
    ICL__TRY(lower_node(cpu, plan, plan->node[i]));
  for (int p = 1; p <= plan->phases; p++)
    if (plan->phase[p].instructions && icl__cpu_together(plan, &plan->phase[p]))
      ICL__TRY(divide(cpu, plan, &plan->phase[p]));
  for (int i = 0; i < plan->nodes; i++)
    if (plan->node[i]->op >= ICL__OP_COUNT)
      lower_made(plan->node[i]);
  for (int p = 1; p <= plan->phases && plan->policy.join; p++)
    share_passes(plan, &plan->phase[p]);
  return ICL_OK;
}

void icl__cpu_forget(void *device, icl__plan *plan) {
  (void)device;
  for (int i = 0; i < plan->nodes; i++) {
    icl__unit *unit = icl__unit_of(plan->node[i]);
    if (unit && unit->kind == ICL__UNIT_CONV)
      icl__conv_close(&unit->own);
    icl__free(unit);
  }
}
