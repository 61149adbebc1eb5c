/* send.c - what a run sends to the other ranks of a group, buckets of the plan, and what it makes of what comes. A
 * bucket is on its way on a stream of its own from the beginning of a phase to the end of another. */
#include "backend/cuda/ops.h"
#include "backend/cuda/program.h"

#include <string.h>

#include "group/flags.h"
#include "ops/attributes.h"

static char *element(const icl__bindings *b, const icl__bucket *bucket, size_t at) {
  return (char *)b->arena + bucket->offset + at * icl_dtype_bytes(bucket->dtype);
}

static size_t elements_of(const icl__bucket *bucket) { return bucket->count + (bucket->flags ? ICL__FLAGS : 0); }

static icl_status convert(const icl__cuda_device *device, icl__view from, icl__view to, cudaStream_t stream) {
  size_t bytes = (size_t)icl__view_count(&to) * icl_dtype_bytes(to.dtype);
  if (from.dtype == to.dtype)
    return icl__cuda_check(cudaMemcpyAsync(to.data, from.data, bytes, cudaMemcpyDeviceToDevice, stream), "all_reduce");
  const icl_attributes none = {0};
  const icl__call call = {.op = ICL__OP_cast, .attr = &none, .inputs = 1, .out = to, .in = {from}, .parts = 1};
  return icl__cuda_launch(&call, device->scratch, stream);
}

/* What is shaped as v. */
static icl__view view_at(const icl__pnode *v, void *data, icl_dtype dtype) {
  icl__view view = {.data = data, .dtype = dtype, .rank = v->rank};
  memcpy(view.shape, v->shape, sizeof view.shape);
  view.pitch = icl__view_columns(&view);
  return view;
}

/* ---- sending ---- */

/* Puts the inputs of all_reduces into their bucket, where they were not made there. */
static icl_status fill(const icl__cuda_program *p, const icl__bindings *b, const icl__bucket *bucket) {
  for (int k = 0; k < bucket->members; k++) {
    const icl__pnode *v = bucket->member[k], *u = v->in[0];
    if ((u->inside && u->bucket == bucket) || icl__count(u->rank, u->shape) == 0)
      continue;
    ICL__TRY(convert(p->device, view_at(u, icl__cuda_address(p, b, u), u->stored),
                     view_at(u, element(b, bucket, v->element), bucket->dtype), p->device->talk));
  }
  return ICL_OK;
}

static icl_status copy_flags(const icl__cuda_program *p, const icl__bindings *b, const icl__bucket *bucket, bool come) {
  void *there = element(b, bucket, bucket->count), *here = icl__cuda_flags(p->device, come);
  enum cudaMemcpyKind way = come ? cudaMemcpyDeviceToHost : cudaMemcpyHostToDevice;
  return icl__cuda_check(cudaMemcpyAsync(come ? here : there, come ? there : here,
                                         ICL__FLAGS * icl_dtype_bytes(bucket->dtype), way, p->device->talk),
                         "flags of a step");
}

static icl_status send(const icl__cuda_program *p, const icl__bindings *b, const icl__bucket *bucket) {
  ICL__TRY(fill(p, b, bucket));
  void *data = element(b, bucket, 0);
  if (bucket->join)
    return icl__cuda_gather_tables(p->device, data, bucket->count, element(b, bucket, bucket->count));
  if (bucket->flags)
    ICL__TRY(copy_flags(p, b, bucket, false));
  ICL__TRY(icl__cuda_sum(p->device, bucket->dtype, data, elements_of(bucket), p->received));
  return bucket->flags ? copy_flags(p, b, bucket, true) : ICL_OK;
}

icl_status icl__cuda_send(icl__cuda_program *p, const icl__bindings *b, icl__cuda_step *step) {
  ICL__TRY(icl__cuda_fork(p->device, step, p->device->talk));
  icl_status status = send(p, b, step->sends);
  icl_status done = icl__cuda_mark_done(step, p->device->talk);
  return status == ICL_OK ? done : status;
}

size_t icl__cuda_room(const icl__cuda_program *p) {
  size_t most = 0;
  for (int i = 0; i < p->plan->buckets; i++) {
    const icl__bucket *bucket = p->plan->bucket[i];
    size_t bytes = bucket->join ? 0 : icl__cuda_sum_room(p->device, bucket->dtype, elements_of(bucket));
    most = bytes > most ? bytes : most;
  }
  return most;
}

/* ---- receiving ---- */

icl_status icl__cuda_receive(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v) {
  const icl__bucket *bucket = v->bucket;
  void *value = icl__cuda_address(p, b, v);
  cudaStream_t stream = p->device->stream;
  if (!bucket->join)
    return convert(p->device, view_at(v, element(b, bucket, v->element), bucket->dtype), view_at(v, value, v->stored),
                   stream);
  const double *tables = (const double *)(void *)element(b, bucket, bucket->count);
  return icl__cuda_check(
      icl__cuda_join_tables(tables, (int64_t)bucket->count, p->plan->policy.ranks, v->shape[1], value, stream),
      "all_reduce");
}

/* ---- around a run ---- */

/* The bucket that has them, which is the last one. */
static icl_dtype flag_dtype(const icl__cuda_program *p) { return p->plan->bucket[p->plan->buckets - 1]->dtype; }

icl_status icl__cuda_choose_way(icl__cuda_program *p, const icl__bindings *b, bool moved, icl__cuda_way *way) {
  icl__cuda_ready mine = {.buckets = (uint64_t)p->plan->buckets,
                          .capture = p->graph ? p->capture : 0,
                          .ready = p->runs && !icl__cuda_in_order(p->device) && !(moved && icl__cuda_is_restless(p))};
  for (int i = 0; i < p->plan->buckets; i++) {
    const icl__bucket *bucket = p->plan->bucket[i];
    mine.elements += bucket->count;
    mine.order = mine.order * 1099511628211u + (bucket->count << 8 | (uint64_t)bucket->dtype << 1 | bucket->join);
  }
  int32_t capture;
  ICL__TRY(icl__cuda_agree(p->device, &mine, way, &capture));
  if (*way == ICL__CUDA_CAPTURE)
    p->capture = capture;
  icl__flags_put(flag_dtype(p), icl__cuda_flags(p->device, false), b->flags ? *b->flags : 0);
  return ICL_OK;
}

icl_status icl__cuda_settle_flags(icl__cuda_program *p, const icl__bindings *b) {
  ICL__TRY(icl__cuda_settle(p->device, p->device->stream));
  if (b->flags)
    *b->flags = icl__flags_get(flag_dtype(p), icl__cuda_flags(p->device, true));
  return ICL_OK;
}
