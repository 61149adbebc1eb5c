/* pointwise.c - reference kernels of pointwise ops: the formulas of pointwise.def in f64. */
#include "backend/ref/ref.h"

#include <math.h>

#define ABS   fabs
#define ERF   erf
#define EXP   exp
#define FLOOR floor
#define LOG   log
#define POW   pow
#define REAL  (double)
#define SQRT  sqrt
#define TANH  tanh

enum { MOST_INPUTS = 6 };
typedef double (*formula)(const double x[MOST_INPUTS]);

static void pointwise(const icl__call *call, formula f) {
  const icl__view *out = &call->out;
  int32_t at[ICL_MAX_RANK] = {0};
  for (int64_t i = 0; i < icl__view_count(out); i++, step(out->rank, out->shape, at)) {
    double x[MOST_INPUTS] = {0};
    for (int k = 0; k < call->inputs; k++)
      x[k] = values(&call->in[k])[broadcast_index(&call->in[k], out->rank, at)];
    values(out)[i] = f(x);
  }
}

#define x0 x[0]
#define x1 x[1]
#define x2 x[2]
#define x3 x[3]
#define x4 x[4]
#define x5 x[5]
#define PW(name, inputs, kind, grad, formula, doc)                                                                     \
  static double name##_value(const double *x) { return formula; }                                                      \
  void icl__ref_##name(const icl__call *call) { pointwise(call, name##_value); }
#include "ops/pointwise.def"
#undef PW

void icl__ref_add_n(const icl__call *call) {
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    double sum = 0;
    for (int k = 0; k < call->inputs; k++)
      sum += values(&call->in[k])[i];
    values(&call->out)[i] = sum;
  }
}

/* Through the dtype and back: what is rounded or cut off is gone. */
void icl__ref_cast(const icl__call *call) {
  icl_dtype dtype = (icl_dtype)call->attr->i[CAST_DTYPE];
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    int64_t element;
    icl__store_f64(dtype, &element, 0, values(&call->in[0])[i]);
    values(&call->out)[i] = icl__load_f64(dtype, &element, 0);
  }
}
