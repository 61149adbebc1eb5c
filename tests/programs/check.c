/* check.c - runs a program in many ways and compares what it shows with what it shows on the reference device.
 *
 * How far rounding may take a result is measured: the reference runs twice more with every computed value disturbed by
 * many times the rounding of its dtype. What such noise changes much, a comparison of nearly equal numbers say, is
 * doubtful, and is not held against anybody. Before a difference is held against the engine, more runs look for doubt:
 * noise of other seeds, one without any, and once the results that jump are turned wherever rounding may decide them.
 */
#include "program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan/plan.h"

enum { REFERENCE, NOISE, QUIET, TURNED, TWO_THREADS, TWICE, DEVICE };

const char *given_device;

static const struct {
  const char *name;
  icl_config config;
  double noise;
  bool turned;
  bool repeats; /* gives the same bytes as the first one */
  bool given;   /* on given_device: these take the place of all others */
} ways[] = {[REFERENCE] = {"ref", {.device = "ref"}},
            [NOISE] = {"ref with noise", {.device = "ref", .eager = true}, .noise = 64},
            [QUIET] = {"ref op by op", {.device = "ref", .eager = true}},
            [TURNED] = {"ref with jumps turned", {.device = "ref", .eager = true}, .turned = true},
            [TWO_THREADS] = {"2 threads", {.device = "cpu", .threads = 2}},
            [TWICE] = {"2 threads again", {.device = "cpu", .threads = 2}, .repeats = true},
            [DEVICE] = {"the device", {.threads = 1}, .given = true},
            {"the device again", {.threads = 1}, .repeats = true, .given = true},
            {"the device op by op", {.threads = 1, .eager = true}, .given = true},
            {"1 thread, 2 shares", {.device = "cpu", .threads = 1, .shares = 2}, .repeats = true},
            {"5 threads, 2 shares", {.device = "cpu", .threads = 5, .shares = 2}, .repeats = true},
            {"2 threads, 7 shares", {.device = "cpu", .threads = 2, .shares = 7}},
            {"1 thread", {.device = "cpu", .threads = 1}},
            {"3 threads", {.device = "cpu", .threads = 3}},
            {"4 threads", {.device = "cpu", .threads = 4}},
            {"chunk 1", {.device = "cpu", .threads = 2, .chunk = 1}},
            {"op by op", {.device = "cpu", .threads = 2, .eager = true}},
#define X(rule, text) {"no-" #rule, {.device = "cpu", .threads = 2, .plan = "no-" #rule}},
            ICL__POLICY_TABLE(X)
#undef X
};
enum { WAYS = sizeof ways / sizeof *ways, FEW = 2, MOST_NOISES = 12 };

/* What the runs on the reference device showed. */
typedef struct {
  trace expected, noise[MOST_NOISES], first; /* `first`: of the first way, which another run must repeat */
  int noises;
} seen;

static int first_way(void) { return given_device ? DEVICE : TWO_THREADS; }
static bool is_checked(int way) { return way >= first_way() && ways[way].given == (given_device != NULL); }

const char *way_name(int way) { return way < 0 ? "generating" : ways[way].name; }

static void run_way(verdict *v, int way, uint32_t seed, trace *shown) {
  icl_config config = ways[way].config;
  if (!config.threads)
    config.threads = 1;
  if (ways[way].given)
    config.device = given_device;
  if (!config.plan)
    config.plan = "";
  run r = {.seen = shown, .at = &v->at, .noise = ways[way].noise, .noise_seed = seed, .turned = ways[way].turned};
  v->way = way;
  v->at = 0;
  run_open(&r, &v->p, &config);
  run_program(&r);
  run_close(&r);
}

/* ---- comparing ---- */

static void differ(verdict *v, const sight *s, const char *text) {
  v->outcome = DIFFERENT;
  v->instruction = s->instruction;
  v->turn = s->turn;
  snprintf(v->text, sizeof v->text, "%s", text);
}

static double largest(const sight *s) {
  double most = 0;
  for (int64_t k = 0; k < s->count; k++)
    if (isfinite(s->values[k]))
      most = fmax(most, fabs(s->values[k]));
  return most;
}

/* The largest difference; infinite where only one of two is a number. */
static double distance(const sight *a, const sight *b) {
  double most = 0;
  for (int64_t k = 0; k < a->count; k++) {
    if (a->values[k] == b->values[k] || (isnan(a->values[k]) && isnan(b->values[k])))
      continue;
    double d = fabs(a->values[k] - b->values[k]);
    most = isnan(d) ? HUGE_VAL : fmax(most, d);
  }
  return most;
}

static bool comparable(const trace *t, int i, const sight *s) {
  return i < t->count && t->list[i].kind == SEEN_VALUE && t->list[i].instruction == s->instruction &&
         t->list[i].turn == s->turn && t->list[i].count == s->count;
}

/* Of what is larger the square is no f32: whether something on the way to it becomes infinite, and then not a number,
 * depends on how sums are cut. */
static const double LARGEST_CERTAIN = 1e18;

/* How far a value may be from sight i of the reference; negative: anywhere. */
static double allowance(const seen *s, int i) {
  const sight *expected = &s->expected.list[i];
  double spread = 0, size = largest(expected);
  for (int noise = 0; noise < s->noises; noise++) {
    if (!comparable(&s->noise[noise], i, expected))
      return -1;
    spread = fmax(spread, distance(expected, &s->noise[noise].list[i]));
  }
  bool certain = size <= LARGEST_CERTAIN && spread <= 0.1 * size + 1e-3;
  return certain ? 2 * spread + 2e-5 * size + 2e-6 : -1;
}

static void compare_values(verdict *v, const seen *s, int i, const sight *got, bool exact) {
  char text[400];
  const sight *expected = exact ? &s->first.list[i] : &s->expected.list[i];
  double allowed = exact ? 0 : allowance(s, i);
  v->compared += got->count > 0;
  v->doubtful += allowed < 0;
  for (int64_t k = 0; k < got->count && allowed >= 0; k++) {
    double a = got->values[k], b = expected->values[k];
    if (a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= allowed || (!exact && !isfinite(b)))
      continue;
    snprintf(text, sizeof text, "element %lld is %.9g, but %s gives %.9g; %.3g is allowed", (long long)k, a,
             exact ? "the first run" : "ref", b, allowed);
    differ(v, got, text);
    return;
  }
}

static void compare(verdict *v, const seen *s, const trace *t, int way) {
  char text[400];
  const trace *other = ways[way].repeats ? &s->first : &s->expected;
  for (int i = 0; i < other->count && v->outcome == SAME; i++) {
    const sight *expected = &other->list[i], *got = i < t->count ? &t->list[i] : NULL;
    if (ways[way].config.eager && expected->kind == SEEN_ERROR && expected->status == ICL_ENOVALUE)
      return; /* op by op every value is there */
    if (ways[way].given && got && got->kind == SEEN_ERROR && got->status == ICL_ENOTSUP && expected->kind != SEEN_ERROR)
      return; /* a device need not compute every dtype */
    if (!got || got->kind != expected->kind || got->instruction != expected->instruction ||
        got->turn != expected->turn || strcmp(got->message, expected->message)) {
      snprintf(text, sizeof text, "gives '%.150s' at instruction %d, but the other way '%.150s'",
               got ? got->message : "the end", got ? got->instruction + 1 : 0, expected->message);
      differ(v, expected, text);
    } else if (got->kind == SEEN_VALUE) {
      compare_values(v, s, i, got, ways[way].repeats);
    }
  }
}

/* ---- checking ---- */

static void add_noises(verdict *v, seen *s, int count) {
  while (s->noises < count) {
    run_way(v, NOISE, (uint32_t)s->noises + 1, &s->noise[s->noises]);
    s->noises++;
  }
}

static void look_for_doubt(verdict *v, seen *s) {
  add_noises(v, s, MOST_NOISES - 2);
  run_way(v, QUIET, 0, &s->noise[s->noises++]);
  run_way(v, TURNED, 0, &s->noise[s->noises++]);
}

static void check_way(verdict *v, seen *s, int way) {
  trace t = {0};
  run_way(v, way, 0, &t);
  compare(v, s, &t, way);
  if (v->outcome == DIFFERENT && s->noises < MOST_NOISES) {
    v->outcome = SAME;
    look_for_doubt(v, s);
    v->way = way;
    compare(v, s, &t, way);
  }
  if (way == first_way())
    s->first = t;
  else
    trace_free(&t);
}

void check(verdict *v, int way) {
  seen s = {0};
  v->outcome = SAME;
  v->compared = v->doubtful = 0;
  run_way(v, REFERENCE, 0, &s.expected);
  add_noises(v, &s, FEW);
  bool every = way < first_way();
  for (int i = first_way(); i < WAYS && v->outcome == SAME; i++)
    if (is_checked(i) && (every || i == way || (i == first_way() && ways[way].repeats)))
      check_way(v, &s, i);
  trace_free(&s.expected);
  trace_free(&s.first);
  for (int i = 0; i < s.noises; i++)
    trace_free(&s.noise[i]);
}
