/* test_kernels.c - every kernel of the CUDA backend against the reference, from the table of tests/ops.
 *
 *   test_cuda_kernels [OP...]    (also fused, axes and host, for tests of what no row of the table reaches)
 *
 * Each case runs in f32 and, where its row says HALF, in bf16, f16 and f64. In the simulator it runs in several orders
 * of threads, blocks and streams, which must give the same bytes. Ops that libraries compute are skipped by name. */
#include "../ops/ops_test.h"
#include "cudasim.h"
#include "kernel_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/ops.h"
#include "ops/ops.h"

static int skipped;

/* ---- a case ---- */

static icl__view view_of(icl_dtype dtype, int rank, const int32_t *shape, void *data) {
  icl__view v = {.data = data, .dtype = dtype, .rank = rank};
  for (int d = 0; d < rank; d++)
    v.shape[d] = shape[d];
  v.pitch = icl__view_columns(&v);
  return v;
}

/* The bytes of the result, for the caller to free; NULL after a report. *supported tells whether there is a kernel. */
static void *run_kernel(const test_setup *setup, const icl_tensor *expected, bool *supported) {
  icl_dtype dtype = icl_tensor_dtype(expected);
  size_t bytes = (size_t)icl_tensor_count(expected) * icl_dtype_bytes(dtype);
  memory in[ICL_MAX_INPUTS], out = memory_new(bytes);
  icl__call call = {.op = setup->op->id, .attr = &expected->attr, .inputs = setup->inputs, .parts = 1};
  call.out = view_of(dtype, icl_tensor_rank(expected), icl_tensor_shape(expected), out.device);
  for (int i = 0; i < setup->inputs; i++) {
    const test_input *input = &setup->in[i];
    in[i] = upload(input->data, (size_t)input->count * icl_dtype_bytes(input->dtype));
    call.in[i] = view_of(input->dtype, input->rank, input->shape, in[i].device);
  }
  icl_status status = icl__cuda_launch(&call, scratch, stream);
  check(cudaMemcpyAsync(out.host, out.device, bytes, cudaMemcpyDeviceToHost, stream));
  check(cudaStreamSynchronize(stream));
  void *result = malloc(bytes + 1);
  if (result)
    memcpy(result, out.host, bytes);
  for (int i = 0; i < setup->inputs; i++)
    memory_free(in[i]);
  memory_free(out);
  *supported = status != ICL_ENOTSUP;
  if (status == ICL_OK)
    return result;
  free(result);
  if (*supported)
    report_status(setup, "kernel");
  return NULL;
}

/* In every order the same bytes. */
static bool run_orders(const test_setup *setup, const icl_tensor *expected, const void *result, size_t bytes) {
  bool good = true, supported;
  for (int way = 1; set_order(way); way++) {
    void *other = run_kernel(setup, expected, &supported);
    if (!other || memcmp(other, result, bytes)) {
      printf("failed: %s (cases.def:%d): %s gives other bytes\n", setup->row->op, setup->row->line, order_name(way));
      good = false;
    }
    free(other);
  }
  set_order(0);
  return good;
}

static bool judge(const test_setup *setup, const icl_tensor *expected, const double *expected_values,
                  const void *result) {
  int64_t count = icl_tensor_count(expected);
  double *values = calloc((size_t)count + 1, sizeof *values),
         tolerance = tolerance_of(setup, icl_tensor_dtype(expected));
  if (!values)
    return false;
  icl__convert(icl_tensor_dtype(expected), result, ICL_F64, values, count);
  double error = worst_error(values, expected_values, count);
  if (!(error <= tolerance))
    report(setup, order_name(0), error, tolerance);
  free(values);
  return error <= tolerance;
}

/* Says once that a library computes the op, or that its dtypes are not taken. */
static void skip(const test_setup *setup) {
  static const test_case *last;
  if (!last || strcmp(last->op, setup->row->op))
    printf("skipped: %s\n", icl_message());
  last = setup->row;
  skipped++;
}

static void compare(const test_setup *setup, const icl_tensor *expected, const double *values) {
  bool supported;
  void *result = run_kernel(setup, expected, &supported);
  if (!supported) {
    skip(setup);
    return;
  }
  size_t bytes = (size_t)icl_tensor_count(expected) * icl_dtype_bytes(icl_tensor_dtype(expected));
  bool good = result && judge(setup, expected, values, result) && run_orders(setup, expected, result, bytes);
  count_test(good);
  free(result);
}

/* What the reference makes of the case; false after a report. */
static bool evaluate(const test_setup *setup, icl_engine *engine, icl_tensor **result, double **values) {
  icl_tensor *in[ICL_MAX_INPUTS];
  *result = NULL;
  *values = NULL;
  icl_status status = setup_tensors(setup, engine, in);
  if (status == ICL_OK) {
    status = setup_record(setup, engine, in, result);
    release_tensors(setup->inputs, in);
  }
  if (status == ICL_OK)
    *values = calloc((size_t)icl_tensor_count(*result) + 1, sizeof **values);
  if (status == ICL_OK && *values)
    status = icl_tensor_read(*result, ICL_F64, *values);
  return status == ICL_OK ? *values != NULL : report_status(setup, "on the reference");
}

static void run_case(icl_engine *engine, const test_case *row, icl_dtype x) {
  test_setup setup;
  icl_tensor *expected;
  double *values;
  if (!setup_make(&setup, row, x, x == ICL_F64 ? ICL_F64 : ICL_F32)) {
    count_test(false);
    return;
  }
  if (setup.op && evaluate(&setup, engine, &expected, &values)) {
    compare(&setup, expected, values);
    free(values);
    icl_tensor_release(expected);
  } else if (setup.op) {
    count_test(false);
  }
  setup_free(&setup);
}

static bool is_chosen(int count, char **names, const char *op) {
  for (int i = 0; i < count; i++)
    if (!strcmp(names[i], op))
      return true;
  return count == 0;
}

int main(int argc, char **argv) {
  const icl_config reference = {.device = "ref", .threads = 1};
  icl_engine *engine;
  begin_device();
  if (icl_engine_new(&reference, &engine) != ICL_OK) {
    fprintf(stderr, "%s\n", icl_message());
    return 2;
  }
  for (int i = 0; i < test_case_count; i++) {
    const test_case *row = &test_cases[i];
    if (row->flags & TIME || !is_chosen(argc - 1, argv + 1, row->op))
      continue;
    run_case(engine, row, ICL_F32);
    if (row->flags & HALF && !ONCE) {
      run_case(engine, row, ICL_BF16);
      run_case(engine, row, ICL_F16);
      run_case(engine, row, ICL_F64);
    }
  }
  icl_engine_free(engine);
  if (is_chosen(argc - 1, argv + 1, "fused"))
    test_fused();
  if (is_chosen(argc - 1, argv + 1, "axes"))
    test_axes();
  if (is_chosen(argc - 1, argv + 1, "host"))
    test_host();
  end_device();
  printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return failed > 0 || passed == 0;
}
