/* loss.c - reference kernels of softmax and its relatives, over the last axis. */
#include "backend/ref/ref.h"

#include <math.h>

static double largest_of(const double *x, int64_t k) {
  double largest = -HUGE_VAL;
  for (int64_t i = 0; i < k; i++)
    largest = is_larger(x[i], largest) ? x[i] : largest;
  return largest;
}

/* Sum of exp(x - largest) over k numbers. `largest` is never added to its logarithm, which it would swallow. */
static double sum_exp(const double *x, int64_t k, double largest) {
  double sum = 0;
  for (int64_t i = 0; i < k; i++)
    sum += exp(x[i] - largest);
  return sum;
}

void icl__ref_log_softmax(const icl__call *call) {
  int64_t k = icl__view_columns(&call->out);
  for (int64_t n = 0; n < icl__view_rows(&call->out); n++) {
    const double *x = values(&call->in[0]) + n * k;
    double *y = values(&call->out) + n * k, largest = largest_of(x, k), all = log(sum_exp(x, k, largest));
    for (int64_t i = 0; i < k; i++)
      y[i] = x[i] - largest - all;
  }
}

void icl__ref_softmax(const icl__call *call) {
  int64_t k = icl__view_columns(&call->out);
  for (int64_t n = 0; n < icl__view_rows(&call->out); n++) {
    const double *x = values(&call->in[0]) + n * k;
    double *y = values(&call->out) + n * k, largest = largest_of(x, k), all = sum_exp(x, k, largest);
    for (int64_t i = 0; i < k; i++)
      y[i] = exp(x[i] - largest) / all;
  }
}

/* A class of weight 0 adds nothing, be its logit -inf. */
void icl__ref_cross_entropy(const icl__call *call) {
  int64_t k = icl__view_columns(&call->in[0]);
  for (int64_t n = 0; n < icl__view_count(&call->out); n++) {
    const double *x = values(&call->in[0]) + n * k, *target = values(&call->in[1]) + n * k;
    double sum = 0, largest = largest_of(x, k), all = log(sum_exp(x, k, largest));
    for (int64_t i = 0; i < k; i++)
      sum += target[i] == 0 ? 0 : target[i] * (all - (x[i] - largest));
    values(&call->out)[n] = sum;
  }
}
