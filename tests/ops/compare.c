/* compare.c - a case on the CPU device against the reference device. */
#include "ops_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "ops/ops.h"

/* ---- ways to evaluate a case ---- */

typedef icl_status (*evaluate_fn)(const test_setup *setup, icl_engine *engine, icl_tensor **result);

static icl_status at_once(const test_setup *setup, icl_engine *engine, icl_tensor **result) {
  icl_tensor *in[ICL_MAX_INPUTS];
  ICL__TRY(setup_tensors(setup, engine, in));
  icl_status status = setup_record(setup, engine, in, result);
  release_tensors(setup->inputs, in);
  return status;
}

/* Replaces an input that may have the batch on axis 0 by its rows gathered in order. Gathered rows are a batch, so that
 * the op is computed chunk by chunk. */
static icl_status gather_rows(icl_engine *engine, int32_t rows, icl_tensor **tensor) {
  icl_tensor *index, *gathered;
  int64_t *numbers = calloc((size_t)rows, sizeof *numbers);
  if (!numbers)
    return icl__fail(ICL_ENOMEM, "no memory for an index");
  for (int32_t i = 0; i < rows; i++)
    numbers[i] = i;
  icl_status status = icl_tensor_new(engine, ICL_I64, 1, &rows, numbers, &index);
  free(numbers);
  ICL__TRY(status);
  status = icl__record(engine, ICL__OP_gather, 2, (icl_tensor *[]){*tensor, index}, NULL, &gathered);
  icl_tensor_release(index);
  ICL__TRY(status);
  icl_tensor_release(*tensor);
  *tensor = gathered;
  return ICL_OK;
}

static icl_status record_in_step(const test_setup *setup, icl_engine *engine, icl_tensor **in, icl_tensor **result) {
  int32_t rows = 0;
  for (int i = 0; i < setup->inputs; i++) {
    const test_input *input = &setup->in[i];
    if (input->rank == 0 || input->whole || input->shape[0] == 0 || (rows && input->shape[0] != rows))
      continue;
    rows = input->shape[0];
    ICL__TRY(gather_rows(engine, rows, &in[i]));
  }
  ICL__TRY(setup_record(setup, engine, in, result));
  return icl_tensor_keep(*result);
}

static icl_status in_step(const test_setup *setup, icl_engine *engine, icl_tensor **result) {
  icl_tensor *in[ICL_MAX_INPUTS];
  ICL__TRY(icl_step_begin(engine));
  icl_status status = setup_tensors(setup, engine, in);
  if (status == ICL_OK) {
    status = record_in_step(setup, engine, in, result);
    release_tensors(setup->inputs, in);
  }
  if (status != ICL_OK)
    icl_step_cancel(engine);
  return status == ICL_OK ? icl_step_end(engine) : status;
}

/* The third run of a step is unlike the first: a device may have captured it, and what it reads lies elsewhere. */
static icl_status in_third_step(const test_setup *setup, icl_engine *engine, icl_tensor **result) {
  for (int i = 0; i < 2; i++) {
    ICL__TRY(in_step(setup, engine, result));
    icl_tensor_release(*result);
  }
  return in_step(setup, engine, result);
}

typedef struct {
  const char *name;
  icl_config config;
  evaluate_fn evaluate;
} test_way;

static const test_way ways[] = {
    {"at once", {.device = "cpu", .threads = 2}, at_once},
    {"in a step", {.device = "cpu", .threads = 2}, in_step},
    {"in a step with chunk 1", {.device = "cpu", .threads = 2, .chunk = 1}, in_step},
    {"in a step without joins, recomputing and storage taken over",
     {.device = "cpu", .threads = 2, .chunk = 1, .plan = "no-join,no-recompute,no-inplace"},
     in_step},
    {"in a step on a device with a memory of its own", {.device = "far"}, in_step},
    {"at once on a device with a memory of its own", {.device = "far"}, at_once},
};
enum { WAYS = sizeof ways / sizeof *ways };

/* On test_device, with precise kernels, which the tolerances of cases are for. It takes long to open, so its engines
 * stay for all cases. */
static const test_way device_ways[] = {
    {"in a step, for the third time", {.threads = 1, .precise = true}, in_third_step},
    {"in a step without joins and storage taken over",
     {.threads = 1, .plan = "no-join,no-inplace", .precise = true},
     in_step},
    {"at once", {.threads = 1, .precise = true}, at_once},
};
enum { DEVICE_WAYS = sizeof device_ways / sizeof *device_ways };
static icl_engine *device_engines[DEVICE_WAYS];

/* The result of the engine, a new one if there is none yet, and its elements as f64; all are the caller's to free. What
 * a device says that it does not compute is skipped. */
static test_outcome evaluate(const test_setup *setup, const test_way *way, icl_engine **engine, icl_tensor **result,
                             double **values) {
  *values = NULL;
  *result = NULL;
  icl_config config = way->config;
  if (!config.device)
    config.device = test_device;
  if (!*engine && icl_engine_new(&config, engine) != ICL_OK) {
    report_status(setup, way->name);
    return TEST_FAILED;
  }
  icl_status status = way->evaluate(setup, *engine, result);
  if (status == ICL_OK)
    *values = calloc((size_t)icl_tensor_count(*result) + 1, sizeof **values);
  if (status == ICL_OK && *values)
    status = icl_tensor_read(*result, ICL_F64, *values);
  if (status == ICL_OK && *values)
    return TEST_PASSED;
  test_outcome outcome = status == ICL_ENOTSUP && !way->config.device ? TEST_SKIPPED : TEST_FAILED;
  if (outcome == TEST_SKIPPED)
    printf("skipped: %s\n", icl_message());
  else
    report_status(setup, way->name);
  free(*values);
  icl_tensor_release(*result);
  return outcome;
}

static test_outcome compare_way(const test_setup *setup, const test_way *way, icl_engine **engine,
                                const icl_tensor *expected, const double *expected_values) {
  icl_tensor *result;
  double *values;
  test_outcome outcome = evaluate(setup, way, engine, &result, &values);
  if (outcome != TEST_PASSED)
    return outcome;
  double error = HUGE_VAL, tolerance = tolerance_of(setup, icl_tensor_dtype(expected));
  if (icl_tensor_dtype(result) == icl_tensor_dtype(expected) && icl_tensor_count(result) == icl_tensor_count(expected))
    error = worst_error(values, expected_values, icl_tensor_count(result));
  bool good = error <= tolerance;
  if (!good)
    report(setup, way->name, error, tolerance);
  free(values);
  icl_tensor_release(result);
  return good ? TEST_PASSED : TEST_FAILED;
}

static test_outcome compare_ways(const test_setup *setup, const icl_tensor *expected, const double *values) {
  bool good = true;
  for (int i = 0; i < WAYS; i++) {
    icl_engine *engine = NULL;
    good = compare_way(setup, &ways[i], &engine, expected, values) == TEST_PASSED && good;
    icl_engine_free(engine);
  }
  return (!setup->op || compare_kernels(setup, expected, values)) && good ? TEST_PASSED : TEST_FAILED;
}

static test_outcome compare_on_device(const test_setup *setup, const icl_tensor *expected, const double *values) {
  test_outcome worst = TEST_PASSED;
  for (int i = 0; i < DEVICE_WAYS && worst != TEST_SKIPPED; i++) {
    test_outcome outcome = compare_way(setup, &device_ways[i], &device_engines[i], expected, values);
    worst = outcome == TEST_PASSED ? worst : outcome;
  }
  return worst;
}

void compare_end(void) {
  for (int i = 0; i < DEVICE_WAYS; i++)
    icl_engine_free(device_engines[i]);
}

test_outcome compare_case(const test_case *row, icl_dtype x) {
  static const test_way reference = {"on the reference", {.device = "ref", .threads = 1}, at_once};
  test_setup setup;
  icl_engine *engine = NULL;
  icl_tensor *expected;
  double *values;
  if (!setup_make(&setup, row, x, x == ICL_F64 ? ICL_F64 : ICL_F32))
    return TEST_FAILED;
  test_outcome outcome = evaluate(&setup, &reference, &engine, &expected, &values);
  if (outcome == TEST_PASSED) {
    outcome = (test_device ? compare_on_device : compare_ways)(&setup, expected, values);
    free(values);
    icl_tensor_release(expected);
  }
  icl_engine_free(engine);
  setup_free(&setup);
  return outcome;
}
