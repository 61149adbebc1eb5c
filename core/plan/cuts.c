/* cuts.c - phases end where prepared weights would take more memory than the images that wait for them.
 *
 * Weights are prepared just before the phase that needs them, and batch norm ends phases often enough in training. In
 * an evaluation nothing does, and the weights of all layers would lie in memory at once, by Winograd's way four times
 * as large as they are. So a convolution begins a new phase where those of the present one weigh more than all images
 * that have to be kept for it and for later ones. Steps of few images are left alone: their weights last. */
#include "plan/stages.h"

#include "base/memory.h"

static size_t batch_bytes(const icl__plan *plan, const icl__pnode *v) {
  bool images = v->leaf < 0 && v->behaviour == ICL__MAP;
  return images ? icl__plan_image_bytes(v) * (size_t)plan->domain_size[v->domain] : 0;
}

/* Place of the last op that reads v, or its own. */
static int last_reader(const icl__pnode *v) {
  int last = v->index;
  for (int i = 0; i < v->uses; i++)
    last = v->use[i]->index > last ? v->use[i]->index : last;
  return last;
}

/* Bytes of the prepared weights that v reads. */
static size_t weights_of(const icl__pnode *v) {
  size_t bytes = 0;
  for (int j = 0; j < v->inputs; j++)
    if (v->in[j]->op == ICL__PLAN_PREPARE)
      bytes += icl__plan_stored_bytes(v->in[j]);
  return bytes;
}

/* Ends no phase for less. */
enum { LEAST_BYTES = 1 << 20 };

icl_status icl__plan_cuts(icl__plan *plan) {
  if (!plan->policy.late_prepare || plan->domains != 1 || icl__plan_has_few_images(plan))
    return ICL_OK;
  size_t *ending = icl__calloc((size_t)plan->nodes, sizeof *ending), kept = 0, weights = 0;
  if (!ending)
    return ICL_ENOMEM;
  for (int i = 0, phase = 1; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    size_t own = weights_of(v), bytes = batch_bytes(plan, v);
    int last = last_reader(v);
    if (own && weights > kept && weights > LEAST_BYTES) {
      weights = 0;
      phase++;
      v->cuts = true;
    }
    if (own)
      v->pinned = phase;
    weights += own;
    kept -= ending[i];
    if (last > i) {
      kept += bytes;
      ending[last] += bytes;
    }
  }
  icl__free(ending);
  return ICL_OK;
}
