/* timing.c - how fast the CPU computes a case: its vector kernel on one thread, again and again on the same memory; an
 * op that has none, or that another library computes, through the engine on every core. */
#include "ops_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/kernels.h"
#include "base/clock.h"
#include "ops/ops.h"

static const double SECONDS = 0.5, ROUND = 0.002; /* of a measurement, and of its parts, at least */

/* Multiplications and additions of matrix products and convolutions; 0 for what only moves memory. */
static double operations(const test_setup *setup, const icl_tensor *result) {
  const int32_t *a = setup->in[0].shape, *b = setup->in[1].shape, *attr = setup->attr.i;
  double out = (double)icl_tensor_count(result);
  switch (setup->op->id) {
  case ICL__OP_matmul:
    return 2 * out * a[attr[0] ? 0 : 1];
  case ICL__OP_conv2d:
    return 2 * out * b[0] * b[1] * b[2];
  case ICL__OP_conv2d_input_grad:
    return 2 * (double)setup->in[0].count * b[0] * b[1] * b[2];
  case ICL__OP_conv2d_weight_grad:
    return 2 * out * b[0] * b[1] * b[2];
  default:
    return 0;
  }
}

/* ---- a kernel alone ---- */

typedef struct {
  double seconds, bytes;
  double yardstick, yardstick_bytes;
  const char *yardstick_name;
} measurement;

static double memory_of(icl__view *v, icl_dtype dtype, int rank, const int32_t *shape, const void *data) {
  *v = (icl__view){.dtype = dtype, .rank = rank};
  for (int d = 0; d < rank; d++)
    v->shape[d] = shape[d];
  v->pitch = icl__view_columns(v);
  size_t bytes = (size_t)icl__view_count(v) * icl_dtype_bytes(dtype);
  v->data = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (v->data && data)
    memcpy(v->data, data, bytes);
  return (double)bytes;
}

static bool has_memory(const icl__call *call) {
  bool all = call->out.data && call->scratch;
  for (int i = 0; i < call->inputs; i++)
    all = all && call->in[i].data;
  return all;
}

/* The shortest time of one run among many rounds, so that other users of the machine do not count; kernel and yardstick
 * take turns, so that both see the same clock. */
static void take_turns(icl__kernel kernel, const icl__call *call, const yardstick *y, measurement *m) {
  double begin = icl__seconds();
  m->seconds = m->yardstick = HUGE_VAL;
  for (int runs = 1; icl__seconds() - begin < SECONDS;) {
    double start = icl__seconds();
    for (int i = 0; i < runs; i++)
      kernel(call);
    double middle = icl__seconds();
    for (int i = 0; i < runs; i++)
      yardstick_run(y);
    double end = icl__seconds();
    m->seconds = fmin(m->seconds, (middle - start) / runs);
    m->yardstick = fmin(m->yardstick, (end - middle) / runs);
    if (middle - start < ROUND)
      runs *= 2;
  }
}

static bool is_large(const icl__view *v, double bytes) {
  return (double)icl__view_count(v) * (double)icl_dtype_bytes(v->dtype) > bytes / 16;
}

/* False if the op has no vector kernel. */
static bool time_kernel(const test_setup *setup, const icl_tensor *result, measurement *m) {
  icl__call call = {.op = setup->op->id, .attr = &result->attr, .inputs = setup->inputs, .parts = 1};
  m->bytes = memory_of(&call.out, icl_tensor_dtype(result), icl_tensor_rank(result), icl_tensor_shape(result), NULL);
  for (int i = 0; i < setup->inputs; i++) {
    const test_input *in = &setup->in[i];
    m->bytes += memory_of(&call.in[i], in->dtype, in->rank, in->shape, in->data);
  }
  icl__choice choice;
  bool own = icl__cpu_choose(&call, &choice);
  call.scratch = aligned_alloc(64, (choice.workspace + 64) / 64 * 64);
  int large = 0;
  for (int i = 0; i < call.inputs; i++)
    large += is_large(&call.in[i], m->bytes);
  yardstick y;
  bool measured = own && has_memory(&call) && yardstick_new(&y, large, is_large(&call.out, m->bytes), m->bytes);
  if (measured) {
    take_turns(choice.run, &call, &y, m);
    m->yardstick_bytes = y.bytes;
    m->yardstick_name = y.name;
    yardstick_free(&y);
  }
  free(call.scratch);
  free(call.out.data);
  for (int i = 0; i < call.inputs; i++)
    free(call.in[i].data);
  return measured;
}

/* ---- through the engine ---- */

static icl_status run_step(const test_setup *setup, icl_engine *engine, icl_tensor *const *in) {
  icl_tensor *result;
  ICL__TRY(icl_step_begin(engine));
  icl_status status = setup_record(setup, engine, in, &result);
  if (status == ICL_OK) {
    status = icl_tensor_keep(result);
    icl_tensor_release(result);
  }
  if (status == ICL_OK)
    return icl_step_end(engine);
  icl_step_cancel(engine);
  return status;
}

static icl_status time_steps(const test_setup *setup, icl_engine *engine, icl_tensor *const *in, double *seconds) {
  ICL__TRY(run_step(setup, engine, in)); /* plans */
  icl_statistics before, after;
  icl_engine_statistics(engine, &before);
  int steps = 0;
  do {
    ICL__TRY(run_step(setup, engine, in));
    icl_engine_statistics(engine, &after);
    steps++;
  } while (after.run_seconds - before.run_seconds < SECONDS && steps < 10000);
  *seconds = (after.run_seconds - before.run_seconds) / steps;
  return ICL_OK;
}

/* ---- reports ---- */

static void print_row(const test_setup *setup, double seconds) {
  printf("%-20s %-4s %-64s %8.2f us", setup->row->op, icl_dtype_name(setup->x), setup->row->inputs, seconds * 1e6);
}

static void print_kernel(const test_setup *setup, const icl_tensor *result, const measurement *m) {
  double rate = m->bytes / m->seconds, possible = m->yardstick_bytes / m->yardstick;
  print_row(setup, m->seconds);
  printf("  %6.1f GB/s, %3.0f %% of %s", rate * 1e-9, 100 * rate / possible, m->yardstick_name);
  if (operations(setup, result) > 0)
    printf("  %6.1f GFLOP/s", operations(setup, result) / m->seconds * 1e-9);
  printf(" on one thread\n");
}

static void print_steps(const test_setup *setup, const icl_tensor *result, const icl_engine *engine, double seconds) {
  print_row(setup, seconds);
  printf("  %6.1f GFLOP/s on %d threads\n", operations(setup, result) / seconds * 1e-9, icl_engine_threads(engine));
}

bool time_case(const test_case *row, icl_dtype x) {
  test_setup setup;
  icl_engine *engine;
  icl_tensor *in[ICL_MAX_INPUTS] = {NULL}, *result = NULL;
  if (!setup_make(&setup, row, x, ICL_F32))
    return false;
  if (icl_engine_new(NULL, &engine) != ICL_OK) {
    report_status(&setup, "time");
    setup_free(&setup);
    return false;
  }
  measurement m;
  double seconds;
  icl_status status = setup_tensors(&setup, engine, in);
  if (status == ICL_OK)
    status = setup_record(&setup, engine, in, &result);
  if (status == ICL_OK && time_kernel(&setup, result, &m))
    print_kernel(&setup, result, &m);
  else if (status == ICL_OK && (status = time_steps(&setup, engine, in, &seconds)) == ICL_OK)
    print_steps(&setup, result, engine, seconds);
  if (status != ICL_OK)
    report_status(&setup, "time");
  release_tensors(setup.inputs, in);
  icl_tensor_release(result);
  icl_engine_free(engine);
  setup_free(&setup);
  return status == ICL_OK;
}
