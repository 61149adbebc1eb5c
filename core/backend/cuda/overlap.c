/* overlap.c - which gradients of weights are computed beside the rest of a step, on a stream of their own.
 *
 * Nothing waits for them before the last section, or for long before they are sent, and with few channels neither they
 * nor what runs meanwhile fill the GPU. They have until the end of the next phase, so what they read stays for so long.
 */
#include "backend/cuda/program.h"

#include "base/memory.h"
#include "plan/stages.h"

static bool may_wait(const icl__plan *plan, const icl__pnode *v) {
  return v->op == ICL__OP_conv2d_weight_grad && icl__cuda_unit_of(v)->kind == ICL__CUDA_CONV && v->uses == 1 &&
         v->use[0]->op == ICL__PLAN_FINISH && v->phase < plan->phases &&
         (v->use[0]->phase > v->phase + 1 || (v->use[0]->phase == plan->phases && !plan->sends));
}

/* Does nothing but u lie, now or later, where u lies? */
static bool is_alone(const icl__pnode *u, const int *sharers) {
  return u->leaf >= 0 || u->store == ICL__STORE_OUTPUT ||
         ((u->store == ICL__STORE_BATCH || u->store == ICL__STORE_CHUNK) && !u->same && !sharers[u->index]);
}

icl_status icl__cuda_overlap(icl__plan *plan) {
  int *sharers = icl__calloc((size_t)plan->nodes, sizeof *sharers);
  if (!sharers)
    return ICL_ENOMEM;
  for (int i = 0; i < plan->nodes; i++)
    plan->node[i]->index = i;
  for (int i = 0; i < plan->nodes; i++)
    if (plan->node[i]->same)
      sharers[plan->node[i]->same->index]++;
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    if (!may_wait(plan, v) || !is_alone(v->in[0], sharers) || !is_alone(v->in[1], sharers))
      continue;
    icl__cuda_unit_of(v)->beside = true;
    v->scratch = 0; /* it has a workspace of its own */
    for (int j = 0; j < v->inputs; j++)
      icl__plan_keep_until(v->in[j], 2 * v->phase + 3);
  }
  icl__free(sharers);
  return ICL_OK;
}

/* Steps that are computed beside others are waited for before the first step of the phase after the next. */
void icl__cuda_place_waits(icl__cuda_program *p) {
  int most = p->plan->sends ? p->firm - 1 : p->steps; /* nothing is beside when a rank may still fail */
  for (int i = 0; i < p->steps; i++) {
    icl__cuda_step *s = &p->step[i];
    if (!s->beside)
      continue;
    int k = i + 1;
    while (k < most && !p->step[k].last && p->step[k].phase <= s->phase + 1)
      k++;
    /* In the last section there is what reads it; those before it on its stream are done as well. */
    if (k < p->steps)
      p->step[k].wait_for[1] = i;
  }
}

icl_status icl__cuda_fork(icl__cuda_device *device, icl__cuda_step *s, cudaStream_t other) {
  const char *what = "work beside the rest";
  cudaEvent_t *events[] = {&s->before, &s->done};
  for (int i = 0; i < 2; i++)
    if (!*events[i])
      ICL__TRY(icl__cuda_check(cudaEventCreateWithFlags(events[i], cudaEventDisableTiming), what));
  ICL__TRY(icl__cuda_check(cudaEventRecord(s->before, device->stream), what));
  return icl__cuda_check(cudaStreamWaitEvent(other, s->before, 0), what);
}

icl_status icl__cuda_mark_done(icl__cuda_step *s, cudaStream_t other) {
  return icl__cuda_check(cudaEventRecord(s->done, other), "work beside the rest");
}
