/* traffic.c - what an op moves to and from memory. */
#include "plan/plan.h"

/* Of a value that is read or made as a whole by one thread, or by each. */
static size_t moved(const icl__plan *plan, const icl__pnode *v, bool by_all) {
  size_t bytes = icl__plan_stored_bytes(v), threads = (size_t)plan->policy.threads;
  switch (v->store) {
  case ICL__STORE_NONE:
  case ICL__STORE_CHUNK:
  case ICL__STORE_BLOCK:
    return 0;
  case ICL__STORE_PARTIAL:
    return bytes * (size_t)plan->policy.shares;
  default:
    return by_all ? bytes * threads : bytes;
  }
}

size_t icl__plan_traffic(const icl__plan *plan, const icl__pnode *v) {
  bool in_phase = icl__plan_runs_in_phase(v);
  size_t bytes = moved(plan, v, false);
  for (int j = 0; j < v->inputs; j++)
    bytes += moved(plan, v->in[j], in_phase && !icl__plan_reads_images(v, j));
  return bytes;
}
