/* device.c - see device.h.
 *
 * Nothing is planned, joined or split. A value of a 16-bit dtype is rounded where it is made, as it is on every device;
 * f32 values keep f64 precision until they leave the evaluation. */
#include "backend/ref/device.h"

#include <math.h>
#include <string.h>

#include "backend/bn_sums.h"
#include "backend/host.h"
#include "backend/ref/kernels.h"
#include "base/memory.h"
#include "group/flags.h"
#include "group/group.h"
#include "plan/plan.h"

typedef struct {
  bool check_nan;
} ref_device;

static icl_status open_device(const icl__device_options *options, void **device) {
  ref_device *ref = icl__alloc(1, sizeof *ref);
  if (!ref)
    return ICL_ENOMEM;
  ref->check_nan = options->check_nan;
  *device = ref;
  return ICL_OK;
}

static void close_device(void *device) { icl__free(device); }

static void describe(void *device, char *text, size_t size) {
  (void)device;
  if (size) {
    strncpy(text, "reference: plain loops in f64", size - 1);
    text[size - 1] = '\0';
  }
}

static icl_status compile(void *device, icl__plan *plan, void **program) {
  (void)device;
  *program = plan;
  return ICL_OK;
}

static void discard(void *device, void *program) {
  (void)device;
  (void)program; /* the plan itself, which the engine frees */
}

static icl__view view_of(const icl__pnode *v, double *data) {
  icl__view view = {.data = data, .dtype = ICL_F64, .rank = v->rank};
  memcpy(view.shape, v->shape, sizeof view.shape);
  view.pitch = icl__view_columns(&view);
  return view;
}

static icl_status check_finite(const icl__pnode *v, const double *data, int64_t count) {
  for (int64_t i = 0; icl__is_float(v->dtype) && i < count; i++)
    if (isnan(data[i]))
      return icl__fail(ICL_ENONFINITE, "%s%s%s made a NaN", icl__plan_op_name(v->op), v->layer ? " in " : "",
                       v->layer ? v->layer : "");
  return ICL_OK;
}

static icl_status join(const icl__view *out, const double *mine, icl_group *group) {
  size_t count = (size_t)icl__view_count(out), ranks = (size_t)icl_group_size(group);
  double *all = icl__alloc(ranks * count, sizeof *all);
  icl_status status = all ? icl_group_gather(group, mine, count * sizeof *mine, all) : ICL_ENOMEM;
  if (status == ICL_OK)
    icl__bn_sums_join(out, all, count, (int)ranks);
  icl__free(all);
  return status;
}

static icl_status all_reduce(const icl__call *call, icl_group *group) {
  icl__request *request;
  if (call->attr->i[ALL_REDUCE_JOIN])
    return join(&call->out, call->in[0].data, group);
  ICL__TRY(icl__group_start_sum(group, ICL_F64, call->in[0].data, call->out.data, (size_t)icl__view_count(&call->out),
                                &request));
  return icl__group_wait(group, request);
}

static icl_status evaluate(const ref_device *ref, const icl__pnode *v, double **values, const icl__bindings *bindings) {
  int64_t count = icl__count(v->rank, v->shape);
  double *data = values[v->index] = icl__alloc((size_t)count, sizeof *data);
  if (!data)
    return ICL_ENOMEM;
  if (v->leaf >= 0) {
    icl__convert(v->dtype, bindings->leaf[v->leaf], ICL_F64, data, count);
    return ICL_OK;
  }
  icl__call call = {.op = v->op, .attr = &v->attr, .inputs = v->inputs, .out = view_of(v, data), .parts = 1};
  for (int j = 0; j < v->inputs; j++)
    call.in[j] = view_of(v->in[j], values[v->in[j]->index]);
  if (icl__plan_sends(v))
    ICL__TRY(all_reduce(&call, bindings->group));
  else
    icl__ref_kernel(v->op)(&call);
  if (v->dtype == ICL_BF16 || v->dtype == ICL_F16)
    for (int64_t i = 0; i < count; i++) {
      uint16_t rounded;
      icl__store_f64(v->dtype, &rounded, 0, data[i]);
      data[i] = icl__load_f64(v->dtype, &rounded, 0);
    }
  return ref->check_nan ? check_finite(v, data, count) : ICL_OK;
}

/* Outputs are written if no rank has failed. */
static icl_status agree(const icl__bindings *bindings, icl_status status) {
  unsigned none = 0;
  if (status == ICL_OK)
    return icl__flags_exchange(bindings->group, bindings->flags ? bindings->flags : &none);
  icl_group_abort(bindings->group, icl_message());
  return status;
}

static icl_status run(void *device, void *program, const icl__bindings *bindings) {
  icl__plan *plan = program;
  double **values = icl__calloc((size_t)plan->nodes, sizeof *values);
  int *left = icl__calloc((size_t)plan->nodes, sizeof *left);
  icl_status status = values && left ? ICL_OK : ICL_ENOMEM;
  for (int i = 0; i < plan->nodes && status == ICL_OK; i++) {
    const icl__pnode *v = plan->node[i];
    left[i] = v->uses;
    status =
        icl__stop_wanted(bindings) ? icl__fail(ICL_EINTERRUPTED, "interrupted") : evaluate(device, v, values, bindings);
    for (int j = 0; j < v->inputs && status == ICL_OK; j++) {
      int u = v->in[j]->index;
      if (--left[u] || plan->node[u]->output >= 0)
        continue;
      icl__free(values[u]);
      values[u] = NULL;
    }
  }
  if (plan->sends)
    status = agree(bindings, status);
  for (int i = 0; i < plan->nodes && status == ICL_OK; i++) {
    const icl__pnode *v = plan->node[i];
    if (v->output >= 0)
      icl__convert(ICL_F64, values[i], v->dtype, bindings->output[v->output], icl__count(v->rank, v->shape));
  }
  for (int i = 0; i < plan->nodes && values; i++)
    icl__free(values[i]);
  icl__free(values);
  icl__free(left);
  return status;
}

const icl__backend icl__ref_backend = {
    .abi = ICL__BACKEND_ABI,
    .name = "ref",
    .precisions = "f32",
    .unplanned = true,
    .groups = true,
    .open = open_device,
    .close = close_device,
    .describe = describe,
    .compile = compile,
    .run = run,
    .discard = discard,
};
