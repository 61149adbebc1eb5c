/* describe.c - a plan as text: phases, instructions, storage, sections. */
#include "plan/make.h"

#include "base/memory.h"
#include "base/text.h"

static void say_node(icl__text *out, const icl__pnode *v) {
  static const char *store[] = {"joined", "leaf", "output", "KEPT", "chunk", "shared", "partial", "block", "lasting"};
  char shape[ICL__SHAPE_TEXT];
  icl__say(out, "  %%%d %s %s, %s%s", v->index, icl__plan_op_name(v->op),
           icl__shape_text(shape, v->dtype, v->rank, v->shape), store[v->store],
           v->same     ? " in place"
           : v->inside ? " in its bucket"
                       : "");
  if (v->companion)
    icl__say(out, ", with %%%d", v->companion->index);
  icl__say(out, " (");
  for (int j = 0; j < v->inputs; j++)
    icl__say(out, "%s%%%d", j ? " " : "", v->in[j]->index);
  icl__say(out, ")%s%s%s%s\n", v->choice ? " by " : "", v->choice ? v->choice : "", v->layer && *v->layer ? " " : "",
           v->layer ? v->layer : "");
}

static void say_section(icl__text *out, const icl__plan *plan, const icl__phase *phase) {
  int threads = plan->policy.threads;
  for (int w = 0; w < phase->waves; w++)
    for (int t = 0; t < threads; t++) {
      const icl__lane *lane = &phase->lane[w * threads + t];
      for (int k = 0; k < lane->items; k++) {
        const icl__item *item = &lane->item[k];
        icl__say(out, "  wave %d thread %d part %d/%d:", w + 1, t, item->part + 1, item->parts);
        say_node(out, item->node);
        for (const icl__pnode *v = item->node->link; v; v = v->link) {
          icl__say(out, "    with it, block by block:");
          say_node(out, v);
        }
      }
    }
}

static void say_buckets(icl__text *out, const icl__plan *plan) {
  static const char *const what[] = {"sums", "tables"};
  for (int i = 0; i < plan->buckets; i++) {
    const icl__bucket *b = plan->bucket[i];
    icl__say(out, "bucket %d: %s of %s (%zu), %d values, on its way in phases %d to %d%s\n", i + 1, what[b->join],
             icl_dtype_name(b->dtype), b->count, b->members, b->start, b->wait, b->flags ? ", with flags" : "");
  }
}

icl_status icl__plan_describe(const icl__plan *plan, char **text) {
  icl__text out = {0};
  icl__say(&out,
           "%d nodes, %d phases; %d merged, %d joined, %d sunk, %d computed again, %d in place\n"
           "arena %.2f MB, kept %.2f MB, computed again %.2f MB, scratch a thread %.0f KB, lasting %.2f MB\n",
           plan->nodes, plan->phases, plan->merged, plan->joined, plan->sunk, plan->recomputed, plan->placed_over,
           (double)plan->arena_bytes / 1e6, (double)plan->kept_bytes / 1e6, (double)plan->recomputed_bytes / 1e6,
           (double)(plan->scratch_bytes + plan->workspace_bytes) / 1e3, (double)plan->lasting_bytes / 1e6);
  say_buckets(&out, plan);
  for (int p = 0; plan->phase && p <= plan->phases; p++) {
    const icl__phase *phase = &plan->phase[p];
    if (p && !phase->instructions)
      icl__say(&out, "phase %d: nothing to compute\n", p);
    else if (p)
      icl__say(&out, "phase %d: %d images, chunks of %d\n", p, plan->domain_size[phase->domain], phase->chunk);
    for (int i = 0; i < phase->instructions; i++)
      say_node(&out, phase->instruction[i]);
    icl__say(&out, "section %d\n", p);
    say_section(&out, plan, phase);
  }
  if (out.status != ICL_OK) {
    icl__free(out.text);
    return out.status;
  }
  *text = out.text;
  return ICL_OK;
}
