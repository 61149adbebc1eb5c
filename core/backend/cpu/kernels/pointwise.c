/* pointwise.c - the formulas of pointwise.def, sums of tensors and broadcasting: elementwise kernels. */
#include "backend/cpu/kernels/functions.h"
#include "backend/cpu/kernels/elementwise.h"
#include "ops/ops.h"

/* ---- steps: STRETCH_STEP elements in arrays that become registers, since every loop over a step is unrolled ---- */

enum { OUT_HALF = 1 << STRETCH_OUT };

INLINE void load_step(float *x, const stretch *t, uint32_t halves, int k, int64_t i, int64_t place) {
  int64_t at = stretch_index(t, k, i, place);
  UNROLL(4)
  for (int r = 0; r < STRETCH_STEP; r += LANES)
    store(ICL_F32, x, r, load(halves >> k & 1 ? ICL_BF16 : ICL_F32, t->in[k], at + r));
}

INLINE void store_step(const float *y, const stretch *t, uint32_t halves, int64_t i) {
  UNROLL(4)
  for (int r = 0; r < STRETCH_STEP; r += 2 * LANES)
    store_pair(halves & OUT_HALF ? ICL_BF16 : ICL_F32, t->out, i + r, load(ICL_F32, y, r), load(ICL_F32, y, r + LANES));
}

/* ---- formulas ---- */

#define ABS   fabsf
#define ERF   erf_f32
#define EXP   exp_f32
#define FLOOR floorf
#define LOG   log_f32
#define POW   pow_f32
#define REAL  (float)
#define SQRT  sqrtf
#define TANH  tanh_f32

#define x0 x[0][j]
#define x1 x[1][j]
#define x2 x[2][j]
#define x3 x[3][j]
#define x4 x[4][j]
#define x5 x[5][j]
#define PW(name, inputs, kind, grad, formula, doc)                                                                     \
  INLINE void name##_loop(stretch t, uint32_t halves) {                                                                \
    for (FOR_STRETCH(t, i, place)) {                                                                                   \
      float x[inputs][STRETCH_STEP], y[STRETCH_STEP];                                                                  \
      UNROLL(6)                                                                                                        \
      for (int k = 0; k < inputs; k++)                                                                                 \
        load_step(x[k], &t, halves, k, i, place);                                                                      \
      _Pragma("omp simd") for (int j = 0; j < STRETCH_STEP; j++) y[j] = (float)(formula);                              \
      store_step(y, &t, halves, i);                                                                                    \
    }                                                                                                                  \
  }
#include "ops/pointwise.def"
#undef PW
#undef x0
#undef x1
#undef x2
#undef x3
#undef x4
#undef x5

/* Formulas of up to this many inputs have a loop for each mixture of f32 and bf16, the others only one for f32. */
enum { MOST_MIXED = 3 };
enum { ARITH, FLOAT, TEST, SELECT };

/* One mixture of inputs, with an output of f32 and, but for a test, of bf16. */
#define MIXTURE(name, inputs, kind, mix)                                                                               \
  case mix:                                                                                                            \
    if (mix < 1 << inputs)                                                                                             \
      name##_loop(*t, mix);                                                                                            \
    break;                                                                                                             \
  case mix | OUT_HALF:                                                                                                 \
    if (mix < 1 << inputs && kind != TEST)                                                                             \
      name##_loop(*t, mix | OUT_HALF);                                                                                 \
    break;

#define PW(name, inputs, kind, grad, formula, doc)                                                                     \
  static void name##_stretch(const stretch *t) {                                                                       \
    if (inputs > MOST_MIXED) {                                                                                         \
      name##_loop(*t, 0);                                                                                              \
      return;                                                                                                          \
    }                                                                                                                  \
    switch (t->halves) {                                                                                               \
      MIXTURE(name, inputs, kind, 0)                                                                                   \
      MIXTURE(name, inputs, kind, 1)                                                                                   \
      MIXTURE(name, inputs, kind, 2)                                                                                   \
      MIXTURE(name, inputs, kind, 3)                                                                                   \
      MIXTURE(name, inputs, kind, 4)                                                                                   \
      MIXTURE(name, inputs, kind, 5)                                                                                   \
      MIXTURE(name, inputs, kind, 6)                                                                                   \
      MIXTURE(name, inputs, kind, 7)                                                                                   \
    }                                                                                                                  \
  }
#include "ops/pointwise.def"
#undef PW

static void run_formula(const icl__call *call) {
  static const struct {
    stretch_kernel kernel;
    uint32_t halves;
  } formulas[ICL__OP_COUNT] = {
#define OP(name, least, most, attributes, infer, grad, batch, flags, doc)
#define PW(name, inputs, kind, grad, formula, doc) [ICL__OP_##name] = {name##_stretch, inputs > MOST_MIXED ? 0 : ~0u},
#include "ops/ops.def"
#undef OP
#undef PW
  };
  ISA_NAME(icl__elementwise)(call, formulas[call->op].kernel, formulas[call->op].halves);
}

/* ---- sums ---- */

INLINE void sum_loop(stretch t, int inputs, uint32_t halves) {
  for (FOR_STRETCH(t, i, place)) {
    float x[STRETCH_STEP], y[STRETCH_STEP] = {0};
    UNROLL(8)
    for (int k = 0; k < inputs; k++) {
      load_step(x, &t, halves, k, i, place);
      _Pragma("omp simd") for (int j = 0; j < STRETCH_STEP; j++) y[j] += x[j];
    }
    store_step(y, &t, halves, i);
  }
}

/* Loops for the usual numbers of inputs of one dtype, and one for all others. */
void ISA_NAME(icl__sum_stretch)(const stretch *t) {
  uint32_t all = ((1u << t->inputs) - 1) | OUT_HALF;
  bool half = (t->halves & all) == all;
  if (t->halves && !half)
    sum_loop(*t, t->inputs, t->halves);
  else if (t->inputs == 2 && half)
    sum_loop(*t, 2, ~0u);
  else if (t->inputs == 2)
    sum_loop(*t, 2, 0);
  else if (t->inputs == 3 && half)
    sum_loop(*t, 3, ~0u);
  else if (t->inputs == 3)
    sum_loop(*t, 3, 0);
  else if (half)
    sum_loop(*t, t->inputs, ~0u);
  else
    sum_loop(*t, t->inputs, 0);
}

static void run_add_n(const icl__call *call) { ISA_NAME(icl__elementwise)(call, ISA_NAME(icl__sum_stretch), ~0u); }

/* ---- broadcasting ---- */

static void copy_stretch(const stretch *t) {
  for (FOR_STRETCH(*t, i, place)) {
    float x[STRETCH_STEP];
    load_step(x, t, 0, 0, i, place);
    store_step(x, t, 0, i);
  }
}

static void run_broadcast_to(const icl__call *call) { ISA_NAME(icl__elementwise)(call, copy_stretch, 0); }

/* ---- choice ---- */

bool ISA_NAME(icl__choose_pointwise)(const icl__call *prototype, icl__choice *choice) {
  choice->splits = true;
  choice->workspace = ELEMENTWISE_WORKSPACE;
  if (icl__op(prototype->op)->flags & ICL__POINTWISE)
    choice->run = run_formula;
  else if (prototype->op == ICL__OP_add_n)
    choice->run = run_add_n;
  else if (prototype->op == ICL__OP_broadcast_to)
    choice->run = run_broadcast_to;
  return choice->run && ISA_NAME(icl__elementwise_fits)(prototype);
}
