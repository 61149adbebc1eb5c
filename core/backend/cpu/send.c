/* send.c - see send.h. */
#include "backend/cpu/send.h"

#include <stdio.h>

#include "backend/bn_sums.h"
#include "base/clock.h"
#include "group/flags.h"
#include "group/group.h"

static char *element(const icl__cpu_worker *w, const icl__bucket *b, size_t at) {
  return w->arena + b->offset + at * icl_dtype_bytes(b->dtype);
}

/* Puts the input of an all_reduce into its bucket, where it was not made there. */
static void copy_in(const icl__cpu_worker *w, const icl__pnode *v) {
  const icl__pnode *u = v->in[0];
  const icl__bucket *b = v->bucket;
  if (u->inside && u->bucket == b)
    return;
  int64_t columns = u->rank ? u->shape[u->rank - 1] : 1, rows = icl__count(u->rank - 1, u->shape);
  const char *from = icl__cpu_address(w, u, false);
  for (int64_t i = 0; i < rows; i++)
    icl__cpu_convert(u->stored, from + (size_t)(i * icl__plan_pitch(u)) * icl_dtype_bytes(u->stored), b->dtype,
                     element(w, b, v->element + (size_t)(i * columns)), columns);
}

static icl_status send(icl__cpu_worker *w, const icl__bucket *b, icl__request **request) {
  const icl__bindings *bindings = w->run->bindings;
  for (int k = 0; k < b->members; k++)
    copy_in(w, b->member[k]);
  char *data = element(w, b, 0), *behind = element(w, b, b->count);
  if (b->join)
    return icl__group_start_gather(bindings->group, data, b->count * icl_dtype_bytes(b->dtype), behind, request);
  if (b->flags)
    icl__flags_put(b->dtype, behind, bindings->flags ? *bindings->flags : 0);
  return icl__group_start_sum(bindings->group, b->dtype, data, data, b->count + (b->flags ? ICL__FLAGS : 0), request);
}

icl_status icl__cpu_send(icl__cpu_worker *w, int phase) {
  icl__cpu_program *p = w->run->program;
  for (int i = 0; i < w->plan->buckets; i++)
    if (w->plan->bucket[i]->start == phase)
      ICL__TRY(send(w, w->plan->bucket[i], &p->request[i]));
  return ICL_OK;
}

static icl_status await(icl__cpu_program *p, icl_group *group, int i) {
  icl__request *request = p->request[i];
  p->request[i] = NULL;
  double start = p->device->profile ? icl__seconds() : 0;
  icl_status status = icl__group_wait(group, request);
  if (p->device->profile)
    p->blocked += icl__seconds() - start;
  return status;
}

icl_status icl__cpu_await(icl__cpu_worker *w, int phase) {
  const icl__bindings *bindings = w->run->bindings;
  for (int i = 0; i < w->plan->buckets; i++) {
    const icl__bucket *b = w->plan->bucket[i];
    if (b->wait != phase)
      continue;
    ICL__TRY(await(w->run->program, bindings->group, i));
    if (b->flags && bindings->flags)
      *bindings->flags = icl__flags_get(b->dtype, element(w, b, b->count));
  }
  return ICL_OK;
}

/* As the tables of the threads of a process become one. */
static void join(const icl__cpu_worker *w, const icl__pnode *v) {
  const icl__bucket *b = v->bucket;
  const icl__view sum = {.data = icl__cpu_address(w, v, false), .pitch = v->shape[1]};
  icl__bn_sums_join(&sum, (double *)(void *)element(w, b, b->count), b->count, w->plan->policy.ranks);
}

void icl__cpu_receive(const icl__cpu_worker *w, const icl__pnode *v) {
  if (v->bucket->join)
    join(w, v);
  else
    icl__cpu_convert(v->bucket->dtype, element(w, v->bucket, v->element), v->stored, icl__cpu_address(w, v, false),
                     icl__count(v->rank, v->shape));
}

icl_status icl__cpu_give_up(icl__cpu_program *program, const icl__bindings *bindings, icl_status status) {
  char why[512]; /* waiting leaves a message of its own */
  if (!program->plan->sends)
    return status;
  snprintf(why, sizeof why, "%s", icl_message());
  icl_group_abort(bindings->group, why);
  for (int i = 0; i < program->plan->buckets; i++)
    if (program->request[i])
      await(program, bindings->group, i);
  return icl__fail(status, "%s", why);
}

double icl__cpu_busy(const icl__cpu_program *program, const icl__bindings *bindings) {
  return program->device->profile && program->plan->sends ? icl__group_busy(bindings->group) : 0;
}
