/* profile.c - the times a program kept, as text: by op, by layer, by phase, and what threads waited. */
#include "backend/cpu/program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct {
  const char *name, *choice;
  double seconds;
  int units;
} row;

typedef struct {
  row *row;
  size_t rows, capacity;
} table;

static icl_status add(table *t, const char *name, const char *choice, double seconds) {
  for (size_t i = 0; i < t->rows; i++)
    if (!strcmp(t->row[i].name, name) && !strcmp(t->row[i].choice, choice)) {
      t->row[i].seconds += seconds;
      t->row[i].units++;
      return ICL_OK;
    }
  row *grown = icl__grow(t->row, &t->capacity, t->rows + 1, sizeof *grown);
  if (!grown)
    return ICL_ENOMEM;
  t->row = grown;
  t->row[t->rows] = (row){.name = name, .choice = choice, .seconds = seconds, .units = 1};
  t->rows++;
  return ICL_OK;
}

static int slowest_first(const void *a, const void *b) {
  const row *x = a, *y = b;
  return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

typedef struct {
  char *text;
  size_t used, capacity;
} lines;

static icl_status ICL__PRINTF(2, 3) say(lines *out, const char *format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  size_t bytes = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
  char *grown = icl__grow(out->text, &out->capacity, out->used + bytes + 1, 1);
  if (!grown)
    return ICL_ENOMEM;
  out->text = grown;
  memcpy(out->text + out->used, line, bytes + 1);
  out->used += bytes;
  return ICL_OK;
}

static double seconds_of(const icl__cpu_program *p, const icl__pnode *v) {
  double sum = 0;
  for (int t = 0; t < p->device->threads; t++)
    sum += icl__unit_of(v)->seconds[t];
  return sum;
}

/* Milliseconds of a run, summed over threads. */
static icl_status say_table(lines *out, const icl__cpu_program *p, const char *title, table *t, double total) {
  if (t->rows)
    qsort(t->row, t->rows, sizeof *t->row, slowest_first);
  ICL__TRY(say(out, "%-40s %10s %7s %6s\n", title, "ms", "share", "units"));
  for (size_t i = 0; i < t->rows; i++) {
    const row *r = &t->row[i];
    char name[128];
    snprintf(name, sizeof name, "%s%s%s", r->name, *r->choice ? ", " : "", r->choice);
    ICL__TRY(say(out, "%-40s %10.3f %6.1f%% %6d\n", name, 1e3 * r->seconds / (double)p->runs,
                 total > 0 ? 100 * r->seconds / total : 0, r->units));
  }
  return say(out, "\n");
}

static icl_status by_name(lines *out, const icl__cpu_program *p, bool layer, double total) {
  table t = {0};
  icl_status status = ICL_OK;
  for (int i = 0; i < p->plan->nodes && status == ICL_OK; i++) {
    const icl__pnode *v = p->plan->node[i];
    if (icl__unit_of(v)->kind == ICL__UNIT_NONE)
      continue;
    const char *where = v->layer && *v->layer ? v->layer : "(no layer)";
    const char *name = layer ? where : icl__plan_op_name(v->op), *choice = !layer && v->choice ? v->choice : "";
    status = add(&t, name, choice, seconds_of(p, v));
  }
  if (status == ICL_OK)
    status = say_table(out, p, layer ? "layer" : "op", &t, total);
  icl__free(t.row);
  return status;
}

static icl_status by_phase(lines *out, const icl__cpu_program *p, double total) {
  ICL__TRY(say(out, "%-40s %10s %7s %6s\n", "phase and section after it", "ms", "share", "units"));
  for (int q = 0; q <= p->plan->phases; q++) {
    double phase = 0, section = 0;
    int units = 0;
    for (int i = 0; i < p->plan->nodes; i++) {
      const icl__pnode *v = p->plan->node[i];
      if (v->phase != q || icl__unit_of(v)->kind == ICL__UNIT_NONE)
        continue;
      *(icl__plan_runs_in_phase(v) ? &phase : &section) += seconds_of(p, v);
      units++;
    }
    ICL__TRY(say(out, "%-12d phase %9.3f section %9.3f %5.1f%% %6d\n", q, 1e3 * phase / (double)p->runs,
                 1e3 * section / (double)p->runs, total > 0 ? 100 * (phase + section) / total : 0, units));
  }
  return say(out, "\n");
}

static icl_status by_thread(lines *out, const icl__cpu_program *p) {
  for (int t = 0; t < p->device->threads; t++) {
    double busy = 0;
    for (int i = 0; i < p->plan->nodes; i++)
      busy += icl__unit_of(p->plan->node[i])->seconds[t];
    ICL__TRY(say(out, "thread %d: busy %.3f ms, waiting %.3f ms after phases, %.3f ms in sections\n", t,
                 1e3 * busy / (double)p->runs, 1e3 * p->waiting[2 * t] / (double)p->runs,
                 1e3 * p->waiting[2 * t + 1] / (double)p->runs));
  }
  return say(out, "\n");
}

static icl_status write_profile(lines *out, const icl__cpu_program *p) {
  double total = 0;
  for (int i = 0; i < p->plan->nodes; i++)
    total += seconds_of(p, p->plan->node[i]);
  if (out->text)
    out->used = strlen(out->text);
  ICL__TRY(say(out, "plan of %d nodes, %d phases, run %llu times; times of a run, all threads together\n",
               p->plan->nodes, p->plan->phases, (unsigned long long)p->runs));
  ICL__TRY(by_name(out, p, false, total));
  ICL__TRY(by_name(out, p, true, total));
  ICL__TRY(by_phase(out, p, total));
  return by_thread(out, p);
}

/* Appends to *text, which is NULL or a block of ours. */
icl_status icl__cpu_profile(void *device, void *program, char **text) {
  const icl__cpu_program *p = program;
  (void)device;
  if (!p->runs)
    return ICL_OK;
  size_t length = *text ? strlen(*text) + 1 : 0;
  lines out = {*text, 0, length};
  icl_status status = write_profile(&out, p);
  *text = out.text;
  return status;
}
