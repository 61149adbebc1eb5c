/* timing.c - how fast the CPU computes a case: its vector kernel on one thread, again and again on the same memory; an
 * op that has none, or that another library computes, through the engine on every core. */
#include "ops_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/kernels.h"
#include "ops/ops.h"

static const double SECONDS = 0.2; /* of each measurement, at least */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

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

/* Seconds of one call; 0 if the op has no vector kernel. */
static double time_kernel(const test_setup *setup, const icl_tensor *result, double *bytes) {
  icl__call call = {.op = setup->op->id, .attr = &result->attr, .inputs = setup->inputs, .parts = 1};
  *bytes = memory_of(&call.out, icl_tensor_dtype(result), icl_tensor_rank(result), icl_tensor_shape(result), NULL);
  for (int i = 0; i < setup->inputs; i++) {
    const test_input *in = &setup->in[i];
    *bytes += memory_of(&call.in[i], in->dtype, in->rank, in->shape, in->data);
  }
  size_t scratch = icl__cpu_workspace(&call);
  call.scratch = aligned_alloc(64, (scratch + 64) / 64 * 64);
  double seconds = 0;
  if (has_memory(&call) && !icl__cpu_is_fallback(&call)) {
    icl__kernel kernel = icl__cpu_kernel(&call);
    double start = now();
    int64_t calls = 0;
    for (int64_t round = 1; seconds < SECONDS; round *= 2) {
      for (int64_t i = 0; i < round; i++)
        kernel(&call);
      calls += round;
      seconds = now() - start;
    }
    seconds /= (double)calls;
  }
  free(call.scratch);
  free(call.out.data);
  for (int i = 0; i < call.inputs; i++)
    free(call.in[i].data);
  return seconds;
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
  double bytes, seconds = 0;
  icl_status status = setup_tensors(&setup, engine, in);
  if (status == ICL_OK)
    status = setup_record(&setup, engine, in, &result);
  if (status == ICL_OK && (seconds = time_kernel(&setup, result, &bytes)) > 0)
    printf("%-20s %-4s %-60s %8.2f us  %7.1f GB/s on one thread\n", row->op, icl_dtype_name(x), row->inputs,
           seconds * 1e6, bytes / seconds * 1e-9);
  else if (status == ICL_OK && (status = time_steps(&setup, engine, in, &seconds)) == ICL_OK)
    printf("%-20s %-4s %-60s %8.2f us  %7.1f GB/s  %7.1f GFLOP/s on %d threads\n", row->op, icl_dtype_name(x),
           row->inputs, seconds * 1e6, bytes / seconds * 1e-9, operations(&setup, result) / seconds * 1e-9,
           icl_engine_threads(engine));
  if (status != ICL_OK)
    report_status(&setup, "time");
  release_tensors(setup.inputs, in);
  icl_tensor_release(result);
  icl_engine_free(engine);
  setup_free(&setup);
  return status == ICL_OK;
}
