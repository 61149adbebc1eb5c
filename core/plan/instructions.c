/* instructions.c - the order of work within each phase, and its chunk size. */
#include "plan/stages.h"

#include "base/memory.h"

/* Puts v after the ops of its phase that it needs. Depth is bounded by the longest chain within one phase. */
static void emit(icl__pnode *v, int p, icl__phase *phase) {
  if (v->visited || !icl__plan_runs_in_phase(v) || v->phase != p)
    return;
  v->visited = true;
  for (int i = 0; i < v->inputs; i++)
    emit(v->in[i], p, phase);
  v->place = phase->instructions;
  phase->instruction[phase->instructions++] = v;
}

static icl_status order(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++) {
    plan->node[i]->visited = false;
    if (icl__plan_runs_in_phase(plan->node[i]))
      plan->phase[plan->node[i]->phase].instructions++;
  }
  for (int p = 1; p <= plan->phases; p++) {
    icl__phase *phase = &plan->phase[p];
    phase->instruction = icl__alloc((size_t)phase->instructions, sizeof *phase->instruction);
    if (!phase->instruction)
      return ICL_ENOMEM;
    phase->instructions = 0;
  }
  for (int i = 0; i < plan->nodes; i++)
    if (icl__plan_runs_in_phase(plan->node[i]))
      emit(plan->node[i], plan->node[i]->phase, &plan->phase[plan->node[i]->phase]);
  return ICL_OK;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Bytes of an image of the widest value that the phase reads or makes. */
static size_t widest(const icl__phase *phase) {
  size_t bytes = 1;
  for (int i = 0; i < phase->instructions; i++) {
    const icl__pnode *v = phase->instruction[i];
    if (v->behaviour == ICL__MAP)
      bytes = larger(bytes, icl__plan_image_bytes(v));
    for (int j = 0; j < v->inputs; j++)
      if (icl__plan_reads_images(v, j))
        bytes = larger(bytes, icl__plan_image_bytes(v->in[j]));
  }
  return bytes;
}

/* Bytes of the largest value that is the same for all images of the phase, such as the weights of a convolution or
 * their gradient. */
static size_t largest_shared(const icl__phase *phase) {
  size_t bytes = 0;
  for (int i = 0; i < phase->instructions; i++) {
    const icl__pnode *v = phase->instruction[i];
    if (v->behaviour == ICL__REDUCE)
      bytes = larger(bytes, icl__plan_bytes(v));
    for (int j = 0; j < v->inputs; j++)
      if (!icl__plan_reads_images(v, j))
        bytes = larger(bytes, icl__plan_bytes(v->in[j]));
  }
  return bytes;
}

/* How much of its widest value a chunk holds: what fits the cache, but no less than the weights that it has to read as
 * well, within limits. */
static size_t chunk_bytes(const icl__policy *policy, const icl__phase *phase) {
  size_t weights = largest_shared(phase);
  return larger(policy->chunk_bytes, weights < policy->chunk_limit ? weights : policy->chunk_limit);
}

/* Images of a chunk: as many as fit, in even parts of a share, so that at most two sizes occur. */
static void choose_chunk(icl__plan *plan, icl__phase *phase) {
  const icl__policy *policy = &plan->policy;
  phase->domain = phase->instruction[0]->domain;
  int images = plan->domain_size[phase->domain];
  int own = (images + policy->shares - 1) / policy->shares;
  size_t fit = chunk_bytes(policy, phase) / widest(phase);
  int chunk = policy->chunk;
  if (!chunk)
    chunk = !policy->chunks || fit > (size_t)own ? own : (int)fit;
  chunk = chunk < own ? chunk : own;
  phase->chunk = chunk < 1 ? 1 : chunk;
}

icl_status icl__plan_instructions(icl__plan *plan) {
  ICL__TRY(order(plan));
  for (int p = 1; p <= plan->phases; p++)
    if (plan->phase[p].instructions)
      choose_chunk(plan, &plan->phase[p]);
  return ICL_OK;
}
