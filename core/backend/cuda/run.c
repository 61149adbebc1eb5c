/* run.c - one run of a program. The first launches one step after another; from the second on the steps are a graph,
 * captured again when an address in it has changed. Where something is sent to other ranks, the steps that store
 * states are a graph by themselves, which is launched when all ranks have come so far. */
#include "backend/cuda/program.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* ---- leaves ---- */

static icl_status flush(const icl__cuda_program *p, icl__cuda_bind *bind) {
  if (!bind->number_count && !bind->piece_count)
    return ICL_OK;
  ICL__TRY(icl__cuda_check(icl__cuda_bind_leaves(bind, p->device->stream), "leaves of a step"));
  bind->numbers += bind->number_count;
  bind->number_count = bind->piece_count = 0;
  return ICL_OK;
}

/* Brings numbers, and the leaves that have slots, to where the graph reads them. */
static icl_status bind_leaves(const icl__cuda_program *p, const icl__bindings *b) {
  icl__cuda_bind bind = {.numbers = (double *)(void *)p->memory};
  for (int i = 0; i < p->plan->leaves; i++) {
    const icl__cuda_leaf *leaf = &p->leaf[i];
    if (bind.number_count == ICL__CUDA_BIND_NUMBERS || bind.piece_count == ICL__CUDA_BIND_PIECES)
      ICL__TRY(flush(p, &bind));
    if (leaf->kind == ICL__LEAF_NUMBER)
      bind.number[bind.number_count++] = *(const double *)b->leaf[i];
    else if (leaf->slot && leaf->bytes)
      bind.piece[bind.piece_count++] = (icl__cuda_piece){b->leaf[i], leaf->slot, (int64_t)leaf->bytes};
  }
  return flush(p, &bind);
}

/* ---- addresses ---- */

/* A batch, indices, keys and other tensors come to lie elsewhere in every step; states do not. Where there is
 * no memory for its slot a leaf stays as it was, so that the next run asks for one again. */
static icl_status note_leaf(icl__cuda_program *p, icl__cuda_leaf *leaf, const void *at) {
  if (leaf->kind == ICL__LEAF_NUMBER || leaf->slot || leaf->at == at)
    return ICL_OK;
  p->stale = true;
  if (p->runs && leaf->kind != ICL__LEAF_STATE) {
    ICL__TRY(icl__cuda_allocate(p->device, leaf->bytes + 1, &leaf->slot));
    p->plan->device_bytes += leaf->bytes;
  }
  leaf->at = at;
  return ICL_OK;
}

static icl_status note_addresses(icl__cuda_program *p, const icl__bindings *b) {
  p->stale = p->stale || p->arena != b->arena;
  p->arena = b->arena;
  for (int k = 0; k < p->plan->outputs; k++) {
    p->stale = p->stale || p->output[k] != b->output[k];
    p->output[k] = b->output[k];
  }
  for (int i = 0; i < p->plan->leaves; i++)
    ICL__TRY(note_leaf(p, &p->leaf[i], b->leaf[i]));
  return ICL_OK;
}

/* ---- one step after another ---- */

/* What v is, and where, as a message has it. */
typedef struct {
  char text[256];
} place;

static place place_of(const icl__pnode *v) {
  place p;
  bool has_layer = v->layer && *v->layer;
  snprintf(p.text, sizeof p.text, "%s%s%s", icl__plan_op_name(v->op), has_layer ? " in " : "",
           has_layer ? v->layer : "");
  return p;
}

static icl_status launch_step(icl__cuda_program *p, const icl__bindings *b, icl__cuda_step *s) {
  p->torn = p->torn || s->stores;
  ICL__TRY(icl__cuda_launch_step(p, b, s));
  if (!p->device->blocking)
    return ICL_OK;
  return icl__cuda_check(cudaStreamSynchronize(p->device->stream), s->nodes ? place_of(s->node[0]).text : "all_reduce");
}

static icl_status launch_steps(icl__cuda_program *p, const icl__bindings *b, int first, int end) {
  for (int i = first; i < end; i++)
    ICL__TRY(launch_step(p, b, &p->step[i]));
  return ICL_OK;
}

/* Before step number i: may it run? */
static icl_status settle_before(icl__cuda_program *p, const icl__bindings *b, int i) {
  return p->plan->sends && i == p->firm ? icl__cuda_settle_flags(p, b) : ICL_OK;
}

static icl_status launch_all(icl__cuda_program *p, const icl__bindings *b) {
  ICL__TRY(launch_steps(p, b, 0, p->firm));
  ICL__TRY(settle_before(p, b, p->firm));
  return launch_steps(p, b, p->firm, p->steps);
}

static icl_status record(icl__cuda_program *p, cudaEvent_t *event) {
  if (!*event)
    ICL__TRY(icl__cuda_check(cudaEventCreate(event), "an event"));
  return icl__cuda_check(cudaEventRecord(*event, p->device->stream), "a mark in the stream");
}

static icl_status run_with_times(icl__cuda_program *p, const icl__bindings *b) {
  for (int i = 0; i < p->steps; i++) {
    ICL__TRY(settle_before(p, b, i));
    ICL__TRY(record(p, &p->step[i].before));
    ICL__TRY(launch_step(p, b, &p->step[i]));
  }
  ICL__TRY(settle_before(p, b, p->steps));
  ICL__TRY(record(p, &p->end));
  ICL__TRY(icl__cuda_wait(p->device));
  for (int i = 0; i < p->steps; i++) {
    float milliseconds = 0;
    cudaEvent_t next = i + 1 < p->steps ? p->step[i + 1].before : p->end;
    ICL__TRY(icl__cuda_check(cudaEventElapsedTime(&milliseconds, p->step[i].before, next), "times"));
    if (p->runs) /* the first loads kernels */
      p->step[i].milliseconds += (double)milliseconds;
  }
  return ICL_OK;
}

/* ---- with check_nan ---- */

static bool can_check(const icl__pnode *v) {
  return (v->stored == ICL_F32 || v->stored == ICL_BF16 || v->stored == ICL_F16) && icl__count(v->rank, v->shape) > 0;
}

static icl_status find_nans(icl__cuda_program *p, const icl__bindings *b, const icl__cuda_step *s) {
  for (int k = 0; k < s->nodes; k++) {
    const icl__pnode *v = s->node[k];
    int32_t *flag = (int32_t *)(void *)(p->memory + p->flags) + v->index;
    icl__cuda_in x = {icl__cuda_address(p, b, v), (int)v->stored};
    if (can_check(v))
      ICL__TRY(icl__cuda_check(icl__cuda_find_nan(x, icl__count(v->rank, v->shape), flag, p->device->stream),
                               "looking for NaN"));
  }
  return ICL_OK;
}

/* Which op made the first. */
static icl_status judge(icl__cuda_program *p, int first, int end) {
  int32_t *flag = icl__alloc((size_t)p->plan->nodes, sizeof *flag);
  icl_status status =
      flag ? icl__cuda_download(p->device, flag, p->memory + p->flags, (size_t)p->plan->nodes * sizeof *flag)
           : ICL_ENOMEM;
  for (int i = first; i < end && status == ICL_OK; i++)
    for (int k = 0; k < p->step[i].nodes && status == ICL_OK; k++) {
      const icl__pnode *v = p->step[i].node[k];
      if (flag[v->index])
        status = icl__fail(ICL_ENONFINITE, "%s made a NaN; the step was dropped and its states are as before",
                           place_of(v).text);
    }
  icl__free(flag);
  return status;
}

/* States are written in the last section, so what comes before it is judged first; in a group before the last bucket
 * leaves, which tells the others that all is well here. */
static bool is_firm(const icl__cuda_step *s) { return s->last || (s->sends && s->sends->flags); }

static icl_status run_checked(icl__cuda_program *p, const icl__bindings *b) {
  int i = 0, first = 0;
  ICL__TRY(icl__cuda_check(
      cudaMemsetAsync(p->memory + p->flags, 0, (size_t)p->plan->nodes * sizeof(int32_t), p->device->stream),
      "flags of NaN"));
  for (; i < p->steps; i++) {
    if (is_firm(&p->step[i]) && !first && i) {
      ICL__TRY(judge(p, 0, i));
      first = i;
    }
    ICL__TRY(settle_before(p, b, i));
    ICL__TRY(launch_step(p, b, &p->step[i]));
    ICL__TRY(find_nans(p, b, &p->step[i]));
  }
  ICL__TRY(settle_before(p, b, i));
  return judge(p, first, i);
}

/* ---- as a graph ---- */

static void drop_graph(cudaGraphExec_t *graph) {
  if (*graph)
    cudaGraphExecDestroy(*graph);
  *graph = NULL;
}

void icl__cuda_drop_graphs(icl__cuda_program *p) {
  drop_graph(&p->graph);
  drop_graph(&p->firm_graph);
}

static icl_status capture(icl__cuda_program *p, const icl__bindings *b, int first, int end, cudaGraphExec_t *result) {
  cudaGraph_t graph = NULL;
  if (first == end)
    return ICL_OK;
  ICL__TRY(icl__cuda_check(cudaStreamBeginCapture(p->device->stream, cudaStreamCaptureModeThreadLocal), "capture"));
  icl_status status = ICL_OK;
  for (int i = first; i < end && status == ICL_OK; i++)
    status = icl__cuda_launch_step(p, b, &p->step[i]);
  cudaError_t error = cudaStreamEndCapture(p->device->stream, &graph);
  if (status == ICL_OK)
    status = icl__cuda_check(error, "capture");
  else
    cudaGetLastError(); /* of a fork that was never joined; it must not meet the next launch */
  if (status == ICL_OK)
    status = icl__cuda_check(cudaGraphInstantiate(result, graph, 0), "making a graph of a step");
  if (graph)
    cudaGraphDestroy(graph);
  return status;
}

static icl_status capture_all(icl__cuda_program *p, const icl__bindings *b) {
  p->captures++;
  icl__cuda_drop_graphs(p);
  ICL__TRY(capture(p, b, 0, p->firm, &p->graph));
  return capture(p, b, p->firm, p->steps, &p->firm_graph);
}

static icl_status launch_graph(const icl__cuda_program *p, cudaGraphExec_t graph) {
  return graph ? icl__cuda_check(cudaGraphLaunch(graph, p->device->stream), "a step") : ICL_OK;
}

static icl_status launch_graphs(icl__cuda_program *p, const icl__bindings *b) {
  ICL__TRY(launch_graph(p, p->graph));
  ICL__TRY(settle_before(p, b, p->firm));
  return launch_graph(p, p->firm_graph);
}

bool icl__cuda_is_restless(const icl__cuda_program *p) {
  enum { PATIENCE = 8 };
  return p->captures > PATIENCE && 2 * (uint64_t)p->captures > p->runs;
}

static icl_status run_program(icl__cuda_program *p, const icl__bindings *b) {
  ICL__TRY(note_addresses(p, b));
  bool moved = p->stale, one_by_one = !p->runs || icl__cuda_in_order(p->device);
  if (moved)
    icl__cuda_drop_graphs(p);
  ICL__TRY(bind_leaves(p, b));
  icl__cuda_way way = one_by_one || (moved && icl__cuda_is_restless(p)) ? ICL__CUDA_ONE_BY_ONE
                      : p->graph                                        ? ICL__CUDA_LAUNCH
                                                                        : ICL__CUDA_CAPTURE;
  if (moved)
    ICL__TRY(icl__cuda_write_tables(p, b));
  p->stale = false;
  if (p->plan->sends)
    ICL__TRY(icl__cuda_choose_way(p, b, moved, &way));
  if (p->device->check_nan)
    return run_checked(p, b);
  if (p->device->profile)
    return run_with_times(p, b);
  if (way == ICL__CUDA_ONE_BY_ONE)
    return launch_all(p, b);
  if (way == ICL__CUDA_CAPTURE)
    ICL__TRY(capture_all(p, b));
  return launch_graphs(p, b);
}

static icl_status run(icl__cuda_program *p, const icl__bindings *b) {
  if (icl__stop_wanted(b))
    return icl__fail(ICL_EINTERRUPTED, "interrupted; the step was dropped");
  ICL__TRY(icl__cuda_enter(p->device));
  return run_program(p, b);
}

/* Other ranks wait for what this one does not send. */
static icl_status give_up(const icl__bindings *b, icl_status status) {
  char why[512];
  snprintf(why, sizeof why, "%s", icl_message());
  icl_group_abort(b->group, why);
  return icl__fail(status, "%s", why);
}

icl_status icl__cuda_run(void *device, void *program, const icl__bindings *bindings) {
  icl__cuda_program *p = program;
  (void)device;
  p->torn = false;
  icl_status status = run(p, bindings);
  if (status != ICL_OK) /* what was begun beside the rest is waited for by nothing else */
    cudaStreamSynchronize(p->device->beside);
  p->runs += status == ICL_OK;
  *bindings->torn = status != ICL_OK && p->torn;
  return status != ICL_OK && p->plan->sends ? give_up(bindings, status) : status;
}
