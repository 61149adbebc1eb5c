/* profile.c - the times a program kept, as text: by op, by layer, by phase, and what threads waited. */
#include "backend/cpu/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

typedef struct {
  const char *name, *choice;
  double seconds;
  int units;
  size_t moved;
} row;

typedef struct {
  row *row;
  size_t rows, capacity;
} table;

static icl_status add(table *t, const char *name, const char *choice, double seconds, size_t moved) {
  size_t i = 0;
  while (i < t->rows && (strcmp(t->row[i].name, name) != 0 || strcmp(t->row[i].choice, choice) != 0))
    i++;
  if (i == t->rows) {
    row *grown = icl__grow(t->row, &t->capacity, t->rows + 1, sizeof *grown);
    if (!grown)
      return ICL_ENOMEM;
    t->row = grown;
    t->row[t->rows++] = (row){.name = name, .choice = choice};
  }
  t->row[i].seconds += seconds;
  t->row[i].units++;
  t->row[i].moved += moved;
  return ICL_OK;
}

static int slowest_first(const void *a, const void *b) {
  const row *x = a, *y = b;
  return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static double timed_runs(const icl__cpu_program *p) { return p->runs > 1 ? (double)p->runs - 1 : 1; }

static double seconds_of(const icl__cpu_program *p, const icl__pnode *v) {
  double sum = 0;
  for (int t = 0; t < p->device->threads; t++)
    sum += icl__unit_of(v)->seconds[t];
  return sum;
}

/* Bytes to and from memory, by the plan. */
static size_t moved_by(const icl__cpu_program *p, const icl__pnode *v) {
  bool runs = icl__unit_of(v)->kind != ICL__UNIT_NONE && !(v->settled && p->left_out);
  return runs ? icl__plan_traffic(p->plan, v) : 0;
}

/* Of a run: milliseconds, summed over threads, and megabytes that are moved. */
static void say_table(icl__text *out, const icl__cpu_program *p, const char *title, table *t, double total) {
  if (t->rows)
    qsort(t->row, t->rows, sizeof *t->row, slowest_first);
  icl__say(out, "%-40s %10s %7s %6s %9s\n", title, "ms", "share", "units", "MB");
  for (size_t i = 0; i < t->rows; i++) {
    const row *r = &t->row[i];
    char name[128];
    snprintf(name, sizeof name, "%s%s%s", r->name, *r->choice ? ", " : "", r->choice);
    icl__say(out, "%-40s %10.3f %6.1f%% %6d %9.2f\n", name, 1e3 * r->seconds / timed_runs(p),
             total > 0 ? 100 * r->seconds / total : 0, r->units, (double)r->moved / 1e6);
  }
  icl__say(out, "\n");
}

static icl_status by_name(icl__text *out, const icl__cpu_program *p, bool layer, double total) {
  table t = {0};
  icl_status status = ICL_OK;
  for (int i = 0; i < p->plan->nodes && status == ICL_OK; i++) {
    const icl__pnode *v = p->plan->node[i];
    if (icl__unit_of(v)->kind == ICL__UNIT_NONE)
      continue;
    const char *where = v->layer && *v->layer ? v->layer : "(no layer)";
    const char *name = layer ? where : icl__plan_op_name(v->op), *choice = !layer && v->choice ? v->choice : "";
    status = add(&t, name, choice, seconds_of(p, v), moved_by(p, v));
  }
  if (status == ICL_OK)
    say_table(out, p, layer ? "layer" : "op", &t, total);
  icl__free(t.row);
  return status;
}

static void by_phase(icl__text *out, const icl__cpu_program *p, double total) {
  icl__say(out, "%-40s %10s %7s %6s\n", "phase and section after it", "ms", "share", "units");
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
    icl__say(out, "%-12d phase %9.3f section %9.3f %5.1f%% %6d\n", q, 1e3 * phase / timed_runs(p),
             1e3 * section / timed_runs(p), total > 0 ? 100 * (phase + section) / total : 0, units);
  }
  icl__say(out, "\n");
}

static void by_thread(icl__text *out, const icl__cpu_program *p) {
  for (int t = 0; t < p->device->threads; t++) {
    double busy = 0;
    for (int i = 0; i < p->plan->nodes; i++)
      busy += icl__unit_of(p->plan->node[i])->seconds[t];
    icl__say(out, "thread %d: busy %.3f ms, waiting %.3f ms in phases, %.3f ms in sections\n", t,
             1e3 * busy / timed_runs(p), 1e3 * p->waiting[2 * t] / timed_runs(p),
             1e3 * p->waiting[2 * t + 1] / timed_runs(p));
  }
  icl__say(out, "\n");
}

/* What a run sent to other ranks, and how much of that went on while it computed. */
static void by_bucket(icl__text *out, const icl__cpu_program *p) {
  const icl__plan *plan = p->plan;
  size_t bytes = 0;
  for (int i = 0; i < plan->buckets; i++)
    bytes += icl__bucket_bytes(plan->bucket[i]);
  double hidden = p->sending > p->blocked ? 1 - p->blocked / p->sending : 0;
  icl__say(out, "group of %d ranks: %d bucket%s of %.3f MB in all, sent in %.3f ms, %.1f%% of it under computation\n\n",
           plan->policy.ranks, plan->buckets, plan->buckets == 1 ? "" : "s", (double)bytes / 1e6,
           1e3 * p->sending / timed_runs(p), 100 * hidden);
}

static icl_status write_profile(icl__text *out, const icl__cpu_program *p) {
  double total = 0;
  size_t moved = 0;
  for (int i = 0; i < p->plan->nodes; i++) {
    const icl__pnode *v = p->plan->node[i];
    total += seconds_of(p, v);
    moved += moved_by(p, v);
  }
  icl__say(out,
           "plan of %d nodes, %d phases, run %llu times; of a run after the first: times of all threads together, and "
           "%.1f MB that are "
           "moved to and from memory\n",
           p->plan->nodes, p->plan->phases, (unsigned long long)p->runs, (double)moved / 1e6);
  ICL__TRY(by_name(out, p, false, total));
  ICL__TRY(by_name(out, p, true, total));
  by_phase(out, p, total);
  by_thread(out, p);
  if (p->plan->sends)
    by_bucket(out, p);
  return out->status;
}

/* Appends to *text, which is NULL or a block of ours. The device is named first. */
icl_status icl__cpu_profile(void *device, void *program, char **text) {
  const icl__cpu_program *p = program;
  if (!p->runs)
    return ICL_OK;
  size_t length = *text ? strlen(*text) + 1 : 0;
  icl__text out = {.text = *text, .used = length ? length - 1 : 0, .capacity = length};
  if (!length) {
    char device_text[256];
    icl__cpu_describe(device, device_text, sizeof device_text);
    icl__say(&out, "%s\n", device_text);
  }
  icl_status status = write_profile(&out, p);
  *text = out.text;
  return status;
}
