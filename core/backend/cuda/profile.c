/* profile.c - the times that a program kept, as text: by op, and by layer. */
#include "backend/cuda/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

typedef struct {
  const char *name, *choice;
  double milliseconds;
  int launches;
} row;

typedef struct {
  row *row;
  int rows;
} table;

static void add(table *t, const char *name, const char *choice, double milliseconds) {
  int i = 0;
  while (i < t->rows && (strcmp(t->row[i].name, name) != 0 || strcmp(t->row[i].choice, choice) != 0))
    i++;
  if (i == t->rows)
    t->row[t->rows++] = (row){.name = name, .choice = choice};
  t->row[i].milliseconds += milliseconds;
  t->row[i].launches++;
}

static double timed_runs(const icl__cuda_program *p) { return p->runs > 1 ? (double)p->runs - 1 : 1; }

static int slowest_first(const void *a, const void *b) {
  const row *x = a, *y = b;
  return (x->milliseconds < y->milliseconds) - (x->milliseconds > y->milliseconds);
}

static void say_table(icl__text *out, const icl__cuda_program *p, const char *title, const table *t, double total) {
  if (t->rows)
    qsort(t->row, (size_t)t->rows, sizeof *t->row, slowest_first);
  icl__say(out, "%-56s %10s %7s %8s\n", title, "ms", "share", "launches");
  for (int i = 0; i < t->rows; i++) {
    const row *r = &t->row[i];
    char name[160];
    snprintf(name, sizeof name, "%s%s%s", r->name, *r->choice ? ", " : "", r->choice);
    icl__say(out, "%-56s %10.4f %6.1f%% %8d\n", name, r->milliseconds / timed_runs(p),
             total > 0 ? 100 * r->milliseconds / total : 0, r->launches);
  }
  icl__say(out, "\n");
}

static const char *name_of(const icl__cuda_step *s) {
  if (!s->nodes)
    return "all_reduce, on its way";
  const icl__pnode *v = s->node[0];
  if (icl__cuda_unit_of(v)->kind == ICL__CUDA_BN_FORWARD)
    return "bn_sums, bn_coefficients";
  if (icl__cuda_unit_of(v)->kind == ICL__CUDA_BN_BACKWARD)
    return "bn_scale_sums, bn_coefficients_grad";
  return s->count ? icl__cuda_unit_of(v)->kind == ICL__CUDA_TRANSPOSE ? "weights" : "chains" : icl__plan_op_name(v->op);
}

static void say_program(icl__text *out, const icl__cuda_program *p, table *t) {
  double total = 0;
  for (int i = 0; i < p->steps; i++)
    total += p->step[i].milliseconds;
  icl__say(out, "plan of %d nodes, %d phases, %d launches, run %llu times, %.4f ms each; one launch after another\n",
           p->plan->nodes, p->plan->phases, p->steps, (unsigned long long)p->runs, total / timed_runs(p));
  for (int layer = 0; layer < 2; layer++) {
    t->rows = 0;
    for (int i = 0; i < p->steps; i++) {
      const icl__cuda_step *s = &p->step[i];
      const icl__pnode *v = s->nodes ? s->node[0] : NULL;
      const char *where = v && v->layer && *v->layer ? v->layer : "(no layer)";
      if (!s->awaits) /* all steps are in order */
        add(t, layer ? where : name_of(s), !layer && v && v->choice ? v->choice : "", s->milliseconds);
    }
    say_table(out, p, layer ? "layer" : "op", t, total);
  }
}

icl_status icl__cuda_profile(void *device, void *program, char **text) {
  const icl__cuda_program *p = program;
  if (!p->runs)
    return ICL_OK;
  size_t length = *text ? strlen(*text) + 1 : 0;
  icl__text out = {.text = *text, .used = length ? length - 1 : 0, .capacity = length};
  table t = {.row = icl__calloc((size_t)p->steps + 1, sizeof *t.row)};
  if (!t.row)
    return ICL_ENOMEM;
  if (!length) {
    char device_text[512];
    icl__cuda_describe(device, device_text, sizeof device_text);
    icl__say(&out, "%s\n", device_text);
  }
  say_program(&out, p, &t);
  icl__free(t.row);
  *text = out.text;
  return out.status;
}
