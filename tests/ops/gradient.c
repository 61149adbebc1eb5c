/* gradient.c - gradients in f64 on the reference device against central differences.
 *
 * The result is turned into a scalar by a fixed random projection. Its derivative along a random direction of each
 * input must be the inner product of that direction with the gradient; for the second order the scalar is a projection
 * of the gradients themselves. */
#include "ops_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "graph/graph.h"
#include "ops/ops.h"

enum { DIRECTIONS = 3 };
static const double STEP = 1e-3, TOLERANCE = 1e-8;

static void fill_noise(double *values, int64_t count, uint32_t sequence) {
  for (int64_t k = 0; k < count; k++)
    values[k] = noise(sequence, k);
}

/* sum of y times noise, plus `sum` if there is one; takes the reference to `sum`. */
static icl_status add_projection(icl_tensor *y, uint32_t sequence, icl_tensor **sum) {
  icl_engine *engine = icl_tensor_engine(y);
  int64_t count = icl_tensor_count(y);
  double *values = calloc((size_t)count + 1, sizeof *values);
  icl_tensor *projection = NULL, *product = NULL, *scalar = NULL, *total = NULL;
  if (!values)
    return icl__fail(ICL_ENOMEM, "no memory for a projection");
  fill_noise(values, count, sequence);
  icl_status status = icl_tensor_new(engine, ICL_F64, icl_tensor_rank(y), icl_tensor_shape(y), values, &projection);
  if (status == ICL_OK)
    status = icl__record(engine, ICL__OP_mul, 2, (icl_tensor *[]){y, projection}, NULL, &product);
  icl_attributes all = {0}; /* no axes: all of them */
  if (status == ICL_OK)
    status = icl__record(engine, ICL__OP_sum, 1, &product, &all, &scalar);
  if (status == ICL_OK && *sum) {
    status = icl__record(engine, ICL__OP_add, 2, (icl_tensor *[]){*sum, scalar}, NULL, &total);
    icl_tensor_release(*sum);
    *sum = total;
  } else if (status == ICL_OK) {
    *sum = icl_tensor_retain(scalar);
  }
  free(values);
  release_tensors(3, (icl_tensor *[]){projection, product, scalar});
  return status;
}

/* The scalar of the given order, and its gradients by the inputs (NULL where it does not depend on one). */
static icl_status differentiate(const test_setup *setup, icl_engine *engine, int order, icl_tensor **scalar,
                                icl_tensor **gradients) {
  icl_tensor *in[ICL_MAX_INPUTS], *real[ICL_MAX_INPUTS], *y = NULL;
  int reals = 0;
  *scalar = NULL;
  ICL__TRY(setup_tensors(setup, engine, in));
  icl_status status = ICL_OK;
  for (int i = 0; i < setup->inputs; i++)
    if (setup->in[i].real && status == ICL_OK) {
      status = icl_tensor_require_gradient(in[i]);
      real[reals++] = in[i];
    }
  if (status == ICL_OK)
    status = setup_record(setup, engine, in, &y);
  if (status == ICL_OK)
    status = add_projection(y, 1, scalar);
  if (status == ICL_OK)
    status = icl_gradient(*scalar, reals, real, gradients);
  if (status == ICL_OK && order == 2) {
    icl_tensor *first[ICL_MAX_INPUTS];
    for (int i = 0; i < reals; i++) {
      first[i] = gradients[i];
      gradients[i] = NULL;
    }
    icl_tensor_release(*scalar);
    *scalar = NULL;
    for (int i = 0; i < reals && status == ICL_OK; i++)
      if (first[i])
        status = add_projection(first[i], 2 + (uint32_t)i, scalar);
    if (status == ICL_OK && *scalar && icl_tensor_needs_gradient(*scalar))
      status = icl_gradient(*scalar, reals, real, gradients);
    release_tensors(reals, first);
  }
  icl_tensor_release(y);
  release_tensors(setup->inputs, in);
  return status;
}

/* The scalar at the present inputs; false after a report. */
static bool value_of(const test_setup *setup, icl_engine *engine, int order, double *value) {
  icl_tensor *scalar, *gradients[ICL_MAX_INPUTS] = {NULL};
  icl_status status = differentiate(setup, engine, order, &scalar, gradients);
  *value = 0;
  if (status == ICL_OK && scalar)
    status = icl_tensor_read(scalar, ICL_F64, value);
  icl_tensor_release(scalar);
  release_tensors(ICL_MAX_INPUTS, gradients);
  return status == ICL_OK || report_status(setup, "gradient");
}

/* The derivative along a direction of input i, by four values: the error is of the fourth order in the step. */
static bool difference(test_setup *setup, icl_engine *engine, int order, int i, const double *direction,
                       double *slope) {
  static const struct { double at, weight; } stencil[] = {{1, 8}, {-1, -8}, {2, -1}, {-2, 1}};
  bool good = true;
  *slope = 0;
  for (int k = 0; k < 4 && good; k++) {
    double value;
    setup_shift(setup, i, stencil[k].at * STEP, direction);
    good = value_of(setup, engine, order, &value);
    *slope += stencil[k].weight * value / (12 * STEP);
  }
  setup_shift(setup, i, 0, NULL);
  return good;
}

/* Input i, whose gradient is `gradient` (NULL: zero). */
static bool check_input(test_setup *setup, icl_engine *engine, int order, int i, icl_tensor *gradient) {
  int64_t count = setup->in[i].count;
  double *g = calloc((size_t)count + 1, sizeof *g), *direction = calloc((size_t)count + 1, sizeof *direction);
  bool good = g && direction && (!gradient || icl_tensor_read(gradient, ICL_F64, g) == ICL_OK);
  if (!good)
    report_status(setup, "gradient");
  for (int d = 0; d < DIRECTIONS && good; d++) {
    double slope, expected = 0, size = 1;
    fill_noise(direction, count, 100 + (uint32_t)(i * DIRECTIONS + d));
    good = difference(setup, engine, order, i, direction, &slope);
    for (int64_t k = 0; k < count; k++) {
      expected += g[k] * direction[k];
      size += fabs(g[k] * direction[k]);
    }
    double error = fabs(slope - expected) / size;
    if (good && !(error <= TOLERANCE)) {
      char way[64];
      snprintf(way, sizeof way, "gradient of order %d by input %d", order, i + 1);
      report(setup, way, error, TOLERANCE);
      good = false;
    }
  }
  free(g);
  free(direction);
  return good;
}

bool check_gradient(const test_case *row, int order) {
  test_setup setup;
  icl_engine *engine;
  if (!setup_make(&setup, row, ICL_F64, ICL_F64))
    return false;
  bool good = icl_engine_new(&(icl_config){.device = "ref", .threads = 1}, &engine) == ICL_OK;
  if (!good) {
    report_status(&setup, "gradient");
    setup_free(&setup);
    return false;
  }
  icl_tensor *scalar, *gradients[ICL_MAX_INPUTS] = {NULL};
  good = differentiate(&setup, engine, order, &scalar, gradients) == ICL_OK || report_status(&setup, "gradient");
  for (int i = 0, real = 0; i < setup.inputs && good; i++)
    if (setup.in[i].real)
      good = check_input(&setup, engine, order, i, gradients[real++]);
  icl_tensor_release(scalar);
  release_tensors(ICL_MAX_INPUTS, gradients);
  icl_engine_free(engine);
  setup_free(&setup);
  return good;
}
