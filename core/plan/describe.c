/* describe.c - a plan as text: phases, instructions, storage, sections. */
#include "plan/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

typedef struct {
  char *text;
  size_t used, capacity;
  icl_status status;
} lines;

static void ICL__PRINTF(2, 3) say(lines *out, const char *format, ...) {
  va_list arguments;
  for (int attempt = 0; attempt < 2 && out->status == ICL_OK; attempt++) {
    va_start(arguments, format);
    int n = vsnprintf(out->text ? out->text + out->used : NULL, out->capacity - out->used, format, arguments);
    va_end(arguments);
    if (n >= 0 && out->used + (size_t)n < out->capacity) {
      out->used += (size_t)n;
      return;
    }
    char *grown = icl__grow(out->text, &out->capacity, out->used + (size_t)(n > 0 ? n : 0) + 1, 1);
    out->status = grown ? ICL_OK : ICL_ENOMEM;
    out->text = grown ? grown : out->text;
  }
}

static void say_node(lines *out, const icl__pnode *v) {
  static const char *store[] = {"joined", "leaf", "output", "KEPT", "chunk", "shared", "partial", "block"};
  char shape[ICL__SHAPE_TEXT];
  say(out, "  %%%d %s %s, %s%s", v->index, icl__plan_op_name(v->op),
      icl__shape_text(shape, v->dtype, v->rank, v->shape), store[v->store], v->same ? " in place" : "");
  if (v->companion)
    say(out, ", with %%%d", v->companion->index);
  say(out, " (");
  for (int j = 0; j < v->inputs; j++)
    say(out, "%s%%%d", j ? " " : "", v->in[j]->index);
  say(out, ")%s%s%s%s\n", v->choice ? " by " : "", v->choice ? v->choice : "", v->layer && *v->layer ? " " : "",
      v->layer ? v->layer : "");
}

static void say_section(lines *out, const icl__plan *plan, const icl__phase *phase) {
  int threads = plan->policy.threads;
  for (int w = 0; w < phase->waves; w++)
    for (int t = 0; t < threads; t++)
      for (int k = 0; k < phase->items[w * threads + t]; k++) {
        const icl__item *item = &phase->item[w * threads + t][k];
        say(out, "  wave %d thread %d part %d/%d:", w + 1, t, item->part + 1, item->parts);
        say_node(out, item->node);
        for (const icl__pnode *v = item->node->link; v; v = v->link) {
          say(out, "    with it, block by block:");
          say_node(out, v);
        }
      }
}

icl_status icl__plan_describe(const icl__plan *plan, char **text) {
  lines out = {NULL, 0, 0, ICL_OK};
  say(&out,
      "%d nodes, %d phases; %d merged, %d joined, %d sunk, %d computed again, %d in place\n"
      "arena %.2f MB, kept %.2f MB, computed again %.2f MB, scratch a thread %.0f KB\n",
      plan->nodes, plan->phases, plan->merged, plan->joined, plan->sunk, plan->recomputed, plan->placed_over,
      (double)plan->arena_bytes / 1e6, (double)plan->kept_bytes / 1e6, (double)plan->recomputed_bytes / 1e6,
      (double)(plan->scratch_bytes + plan->workspace_bytes) / 1e3);
  for (int p = 0; plan->phase && p <= plan->phases; p++) {
    const icl__phase *phase = &plan->phase[p];
    if (p)
      say(&out, "phase %d: %d images, chunks of %d\n", p, plan->domain_size[phase->domain], phase->chunk);
    for (int i = 0; i < phase->instructions; i++)
      say_node(&out, phase->instruction[i]);
    say(&out, "section %d\n", p);
    say_section(&out, plan, phase);
  }
  if (out.status != ICL_OK) {
    icl__free(out.text);
    return out.status;
  }
  *text = out.text;
  return ICL_OK;
}
