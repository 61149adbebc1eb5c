/* ops_test.h - the test of every op: one table of cases (cases.def), three uses of it.
 *
 *   test_ops [compare|grad|complete|time] [OP...] [--device NAME [--f16]] [--jobs N|--no-fork]
 *
 * compare: each case on the CPU device, evaluated at once, inside a step, and by its kernel alone on padded rows and on
 *   ranges of the batch, against the reference device.
 * grad: gradients in f64 on the reference device against central differences, of second order where the row says so.
 * complete: an op without a row to compare, or a differentiable one without a gradient check, fails.
 * time: what a kernel reaches on one thread, as GB/s or GFLOP/s, and as a share of what a loop reaches that only moves
 *   as much memory. Only when asked for.
 * Without a mode the first three run. Every op runs in a process of its own, so that a crash fails one op only; with
 * --jobs so many at a time. With --device each case is compared on that device alone, with --f16 in f16 as well. */
#ifndef ICL_TESTS_OPS_TEST_H
#define ICL_TESTS_OPS_TEST_H

#include "icl.h"
#include "backend/kernel.h"

/* GRAD: check the gradient. SECOND: and the gradient of the gradient. HALF: compare in bf16 too, on another device than
 * the CPU also in f64. TIME: measure only. */
enum { GRAD = 1, SECOND = 2, HALF = 4, TIME = 8 };

typedef struct {
  const char *op;         /* or the name of a chain of ops: chains.c */
  const char *inputs;     /* "dtype:sizes:kind ...", explained in cases.def */
  const char *attributes; /* "stride=2 padding=1,0" */
  double tolerance;
  unsigned flags;
  int line;
} test_case;

extern const test_case test_cases[];
extern const int test_case_count;

/* The one device that cases are compared on; NULL: the CPU in many ways, and the device that is there for tests. */
extern const char *test_device;

/* ---- a case with its values (setup.c) ---- */

typedef struct {
  icl_dtype dtype;
  int rank;
  int32_t shape[ICL_MAX_RANK];
  int64_t count;
  bool number; /* a number of arithmetic */
  bool real;   /* gradients by it are checked */
  bool whole;  /* never has the batch on axis 0 */
  double *values;
  void *data; /* the values in `dtype` */
} test_input;

typedef struct test_chain test_chain;

typedef struct {
  const test_case *row;
  const icl_op *op;        /* NULL for a chain */
  const test_chain *chain; /* NULL for an op */
  icl_attributes attr;
  icl_dtype x; /* what the row calls x */
  int inputs;
  test_input in[ICL_MAX_INPUTS];
} test_setup;

/* `x` is the dtype of inputs written as x, `wide` that of those written as f32. False after printing what is wrong. */
bool setup_make(test_setup *setup, const test_case *row, icl_dtype x, icl_dtype wide);
void setup_free(test_setup *setup);
/* Brings input i to its values plus `scale` times `direction`; NULL: to its values. */
void setup_shift(test_setup *setup, int i, double scale, const double *direction);
icl_status setup_tensors(const test_setup *setup, icl_engine *engine, icl_tensor **tensors);
icl_status setup_record(const test_setup *setup, icl_engine *engine, icl_tensor *const *in, icl_tensor **result);
void release_tensors(int count, icl_tensor **tensors);

/* Number `index` of a sequence of numbers in [-1, 1) that look like noise. */
double noise(uint32_t sequence, int64_t index);

/* ---- chains (chains.c): ops that only mean something together ---- */

struct test_chain {
  const char *name;
  const char *covers; /* " bn_sums bn_coefficients ": whose gradients a check of the chain checks */
  icl_status (*record)(icl_engine *engine, icl_tensor *const *in, icl_tensor **result);
};
const test_chain *chain_find(const char *name);
bool chain_covers(const test_chain *chain, const char *op);

/* ---- the uses of a case; each prints a line and returns false if it fails ---- */

/* compare.c; kernels.c is a part of it, for a case whose result on the reference is known. */
typedef enum { TEST_FAILED, TEST_PASSED, TEST_SKIPPED } test_outcome;
test_outcome compare_case(const test_case *row, icl_dtype x);
/* Frees the engines of test_device. */
void compare_end(void);
bool compare_kernels(const test_setup *setup, const icl_tensor *result, const double *expected);
/* gradient.c */
bool check_gradient(const test_case *row, int order);
/* timing.c */
bool time_case(const test_case *row, icl_dtype x);

/* A loop that only moves memory (yardstick.c), as much as a kernel with `inputs` large inputs and, or not, a large
 * output: it reads one array, copies one, or adds two to a third. */
typedef struct {
  const char *name; /* "read", "copy", "triad" */
  int arrays;
  int64_t count; /* floats of an array */
  double bytes;  /* that are moved, about as many as asked for */
  float *memory;
} yardstick;
bool yardstick_new(yardstick *y, int inputs, bool output, double bytes);
void yardstick_run(const yardstick *y);
void yardstick_free(yardstick *y);

/* Prints "failed: op (inputs) attributes, way: worst error e, more than t". */
void report(const test_setup *setup, const char *way, double error, double tolerance);
/* The same for a call that failed: its message. Always false. */
bool report_status(const test_setup *setup, const char *way);

/* The largest |got - expected| / (|expected| + root mean square of all expected); infinite where only one is NaN. */
double worst_error(const double *got, const double *expected, int64_t count);
/* What the row and the dtype of the result allow. */
double tolerance_of(const test_setup *setup, icl_dtype result);

#endif
