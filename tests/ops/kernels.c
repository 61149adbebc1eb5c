/* kernels.c - a CPU kernel by itself: rows further apart than they are long, parts of the output, ranges of the batch.
 */
#include "ops_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/kernels.h"
#include "graph/graph.h"
#include "ops/ops.h"

enum { GAP = 5, GUARD = 0xa5 };

/* ---- views ---- */

/* A view of new memory full of guard bytes, with `gap` elements between rows. Memory ends with the last element, so
 * that a sanitizer sees what reads behind it. */
static bool view_new(icl__view *v, icl_dtype dtype, int rank, const int32_t *shape, int gap) {
  *v = (icl__view){.dtype = dtype, .rank = rank};
  for (int d = 0; d < rank; d++)
    v->shape[d] = shape[d];
  v->pitch = icl__view_columns(v) + (rank > 1 ? gap : 0);
  int64_t elements = icl__view_count(v) ? (icl__view_rows(v) - 1) * v->pitch + icl__view_columns(v) : 0;
  size_t bytes = (size_t)elements * icl_dtype_bytes(dtype);
  if (posix_memalign(&v->data, 64, bytes ? bytes : 1))
    return false;
  memset(v->data, GUARD, bytes);
  return true;
}

static void *row_of(const icl__view *v, int64_t row) {
  return (char *)v->data + (size_t)(row * v->pitch) * icl_dtype_bytes(v->dtype);
}

static void view_fill(const icl__view *v, const void *data) {
  size_t bytes = (size_t)icl__view_columns(v) * icl_dtype_bytes(v->dtype);
  for (int64_t row = 0; row < icl__view_rows(v); row++)
    memcpy(row_of(v, row), (const char *)data + (size_t)row * bytes, bytes);
}

/* Nothing was written between the rows. */
static bool guards_hold(const icl__view *v) {
  size_t element = icl_dtype_bytes(v->dtype), row_bytes = (size_t)icl__view_columns(v) * element;
  for (int64_t row = 0; row + 1 < icl__view_rows(v) && row_bytes > 0; row++)
    for (size_t i = row_bytes; i < (size_t)v->pitch * element; i++)
      if (((uint8_t *)row_of(v, row))[i] != GUARD)
        return false;
  return true;
}

static void view_read(const icl__view *v, double *values) {
  for (int64_t row = 0; row < icl__view_rows(v); row++)
    icl__convert(v->dtype, row_of(v, row), ICL_F64, values + row * icl__view_columns(v), icl__view_columns(v));
}

/* Images first ... end - 1 of a batch. */
static void view_range(icl__view *v, int64_t first, int64_t end) {
  int64_t rows = v->rank == 1 ? 1 : icl__view_rows(v) / v->shape[0];
  int64_t elements = v->rank == 1 ? first : first * rows * v->pitch;
  v->data = (char *)v->data + (size_t)elements * icl_dtype_bytes(v->dtype);
  v->shape[0] = (int32_t)(end - first);
  if (v->rank == 1)
    v->pitch = v->shape[0];
}

/* ---- calls ---- */

/* What kernels.c tries. `wide` chooses the operands whose rows have a gap: bit i for input i, OUT for the output. */
typedef struct {
  const char *name;
  uint32_t wide;
  enum { WHOLE, PARTS, RANGES } split;
} variant;
enum { OUT = 1u << ICL_MAX_INPUTS };
static const variant variants[] = {
    {"kernel", 0, WHOLE},
    {"kernel, first input with row pitch", 1, WHOLE},
    {"kernel, output with row pitch", OUT, WHOLE},
    {"kernel, everything with row pitch", ~0u, WHOLE},
    {"kernel, in parts", 0, PARTS},
    {"kernel, in parts with row pitch", ~0u, PARTS},
    {"kernel, in ranges of the batch", 0, RANGES},
    {"kernel, in ranges of the batch with row pitch", ~0u, RANGES},
};
enum { VARIANTS = sizeof variants / sizeof *variants, SPLITS = 3 };

static bool run(const icl__call *call) {
  icl__call prototype = *call;
  prototype.out.data = NULL;
  for (int i = 0; i < prototype.inputs; i++)
    prototype.in[i].data = NULL;
  icl__choice choice;
  icl__cpu_choose(&prototype, &choice);
  icl__call own = *call;
  own.scratch = aligned_alloc(64, (choice.workspace + 64) / 64 * 64);
  if (!own.scratch)
    return false;
  choice.run(&own);
  free(own.scratch);
  return true;
}

static bool splits(const icl__call *call) {
  icl__choice choice;
  icl__cpu_choose(call, &choice);
  return choice.splits;
}

static bool run_parts(const icl__call *call) {
  icl__call part = *call;
  bool good = true;
  for (part.part = 0, part.parts = SPLITS; part.part < SPLITS && good; part.part++)
    good = run(&part);
  return good;
}

/* Image by image of the batch, the rest of it at once; partial sums of a reduction add up. */
static bool run_ranges(const icl__call *call, const icl__batch_rule *rule, int64_t images) {
  bool good = true;
  for (int64_t first = 0, end; first < images && good; first = end) {
    end = first < SPLITS - 1 ? first + 1 : images;
    icl__call range = *call;
    range.first = first;
    for (int i = 0; i < range.inputs; i++)
      if (rule->batched >> i & 1)
        view_range(&range.in[i], first, end);
    if (rule->behaviour == ICL__MAP)
      view_range(&range.out, first, end);
    range.accumulate = rule->behaviour == ICL__REDUCE && first > 0;
    good = run(&range);
  }
  return good;
}

static icl__batch_rule rule_of(const test_setup *setup, const icl_tensor *result) {
  icl__facts facts = {.op = setup->op->id,
                      .inputs = setup->inputs,
                      .dtype = icl_tensor_dtype(result),
                      .rank = icl_tensor_rank(result),
                      .shape = icl_tensor_shape(result),
                      .attr = &result->attr};
  icl__batch_rule rule;
  for (int i = 0; i < setup->inputs; i++)
    facts.in[i] = (struct icl__operand){setup->in[i].dtype, setup->in[i].rank, setup->in[i].shape};
  setup->op->batch(&facts, &rule);
  return rule;
}

static int64_t images_of(const test_setup *setup, const icl_tensor *result, const icl__batch_rule *rule) {
  if (rule->behaviour == ICL__MAP)
    return icl_tensor_shape(result)[0];
  for (int i = 0; i < setup->inputs; i++)
    if (rule->batched >> i & 1)
      return setup->in[i].shape[0];
  return 0;
}

/* The dtype in which a reduction adds up the parts of a batch. */
static icl_dtype partial_dtype(icl_dtype dtype) { return icl__is_float(dtype) ? ICL_F64 : dtype; }

static void free_views(icl__call *call) {
  free(call->out.data);
  for (int i = 0; i < call->inputs; i++)
    free(call->in[i].data);
}

static bool make_call(const test_setup *setup, const icl_tensor *result, const variant *v, icl_dtype dtype,
                      icl__call *call) {
  *call = (icl__call){.op = setup->op->id, .attr = &result->attr, .inputs = setup->inputs, .parts = 1};
  bool good = view_new(&call->out, dtype, icl_tensor_rank(result), icl_tensor_shape(result), v->wide & OUT ? GAP : 0);
  for (int i = 0; i < setup->inputs && good; i++) {
    const test_input *in = &setup->in[i];
    good = view_new(&call->in[i], in->dtype, in->rank, in->shape, v->wide >> i & 1 ? GAP : 0);
    if (good)
      view_fill(&call->in[i], in->data);
  }
  if (!good)
    free_views(call);
  return good;
}

/* Bit by bit, but for NaN. */
static bool are_same(const double *a, const double *b, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
      return false;
  return true;
}

/* `whole` is what the first variant, the call as a whole, makes: parts and ranges of what is no sum give the same. */
static bool compare_variant(const test_setup *setup, const icl_tensor *result, const double *expected, const variant *v,
                            double *whole) {
  icl__batch_rule rule = rule_of(setup, result);
  icl_dtype dtype = icl_tensor_dtype(result);
  int64_t images = images_of(setup, result, &rule);
  bool ranges = v->split == RANGES;
  icl__call call;
  if (ranges && (rule.behaviour == ICL__GLOBAL || images == 0))
    return true;
  if (!make_call(setup, result, v, ranges && rule.behaviour == ICL__REDUCE ? partial_dtype(dtype) : dtype, &call))
    return report_status(setup, v->name);
  int64_t count = icl__view_count(&call.out);
  double *values = calloc((size_t)count + 1, sizeof *values);
  bool good = true, run_it = v->split != PARTS || splits(&call);
  if (run_it && values)
    good = ranges ? run_ranges(&call, &rule, images) : v->split == PARTS ? run_parts(&call) : run(&call);
  if (run_it && values && good) {
    view_read(&call.out, values);
    if (v == variants)
      memcpy(whole, values, (size_t)count * sizeof *whole);
    bool exact = !v->wide && v->split != WHOLE && rule.behaviour != ICL__REDUCE;
    bool right = guards_hold(&call.out) && (!exact || are_same(values, whole, count));
    double error = right ? worst_error(values, expected, count) : HUGE_VAL;
    good = error <= tolerance_of(setup, dtype);
    if (!good)
      report(setup, v->name, error, tolerance_of(setup, dtype));
  }
  free(values);
  free_views(&call);
  return good;
}

bool compare_kernels(const test_setup *setup, const icl_tensor *result, const double *expected) {
  bool good = true;
  double *whole = calloc((size_t)icl_tensor_count(result) + 1, sizeof *whole);
  for (int i = 0; i < VARIANTS && whole; i++)
    good = compare_variant(setup, result, expected, &variants[i], whole) && good;
  free(whole);
  return good;
}
