/* norm.c - the elementwise half of batch norm: tile kernels that read rows of coefficients besides images.
 *
 * Images that are all f32 or all bf16 have loops of their own; other mixtures take the way over f32 buffers. */
#include "backend/cpu/kernels/rows.h"
#include "backend/cpu/kernels/tiles.h"
#include "ops/attributes.h"
#include "ops/ops.h"

/* ---- formulas: a register of the result ---- */

/* Where it begins: r elements from the start of the step at i; `place` is that of tile_index(). */
typedef struct {
  int64_t i, place;
  int r;
} position;

INLINE vec input(const tile *t, icl_dtype dtype, int k, position p) {
  return load(dtype, t->in[k], tile_index(t, k, p.i, p.place) + p.r);
}

/* x, a, b -> a x + b */
INLINE vec scale_shift(const tile *t, icl_dtype images, position p) {
  return input(t, images, 0, p) * input(t, ICL_F32, 1, p) + input(t, ICL_F32, 2, p);
}

INLINE vec scale_shift_relu(const tile *t, icl_dtype images, position p) { return relu(scale_shift(t, images, p)); }

/* g, a -> a g */
INLINE vec scale(const tile *t, icl_dtype images, position p) {
  return input(t, images, 0, p) * input(t, ICL_F32, 1, p);
}

/* x, k1, k0 -> k0 - k1 x */
INLINE vec sums_grad(const tile *t, icl_dtype images, position p) {
  return input(t, ICL_F32, 2, p) - input(t, ICL_F32, 1, p) * input(t, images, 0, p);
}

/* x, a, b, k1, k0, g, rest -> a g - k1 x + k0 (+ rest), with g only where a x + b > 0 if there is a mask */
INLINE vec input_grad_with(const tile *t, icl_dtype images, position p, bool mask, bool rest) {
  vec x = input(t, images, 0, p), a = input(t, ICL_F32, 1, p), g = input(t, images, 5, p);
  vec y = input(t, ICL_F32, 4, p) - input(t, ICL_F32, 3, p) * x;
  if (rest)
    y += input(t, images, 6, p);
  return y + a * (mask ? where_positive(x * a + input(t, ICL_F32, 2, p), g) : g);
}

#define INPUT_GRAD(name, mask, rest)                                                                                   \
  INLINE vec name(const tile *t, icl_dtype images, position p) { return input_grad_with(t, images, p, mask, rest); }
INPUT_GRAD(input_grad, false, false)
INPUT_GRAD(input_grad_rest, false, true)
INPUT_GRAD(input_grad_mask, true, false)
INPUT_GRAD(input_grad_mask_rest, true, true)

/* ---- loops ---- */

typedef vec (*formula)(const tile *t, icl_dtype images, position p);

INLINE void loop(tile t, icl_dtype images, formula f) {
  for (FOR_TILE(t, i, place)) {
    UNROLL(4)
    for (int r = 0; r < TILE_STEP; r += 2 * LANES) {
      position first = {i, place, r}, second = {i, place, r + LANES};
      store_pair(images, t.out, i + r, f(&t, images, first), f(&t, images, second));
    }
  }
}

typedef struct {
  tile_kernel f32, bf16;
} loops;

#define LOOPS(f)                                                                                                       \
  static void f##_f32(const tile *t) { loop(*t, ICL_F32, f); }                                                         \
  static void f##_bf16(const tile *t) { loop(*t, ICL_BF16, f); }                                                       \
  static const loops f##_loops = {f##_f32, f##_bf16};
LOOPS(scale_shift)
LOOPS(scale_shift_relu)
LOOPS(scale)
LOOPS(sums_grad)
LOOPS(input_grad)
LOOPS(input_grad_rest)
LOOPS(input_grad_mask)
LOOPS(input_grad_mask_rest)

/* ---- calls ---- */

/* Rows of coefficients, and of the gradients of the coefficients. */
enum { A, B };
enum { K1, K0 };

static icl__view row_of(const icl__view *table, int row) {
  int32_t channels = table->shape[1];
  return (icl__view){
      .data = row_at(table, row), .dtype = table->dtype, .rank = 1, .shape = {channels}, .pitch = channels};
}

/* Which inputs of a tile are images, whatever the op. */
enum { IMAGES = 1 << 0 | 1 << 5 | 1 << 6 };

static void run(const icl__call *call, const loops *l, int inputs, const icl__view *in) {
  icl__call elementwise = *call;
  elementwise.inputs = inputs;
  memcpy(elementwise.in, in, sizeof *in * (size_t)inputs);
  bool half = call->out.dtype == ICL_BF16;
  for (int k = 0; k < inputs; k++)
    half = half && (!(IMAGES >> k & 1) || in[k].dtype == ICL_BF16);
  ISA_NAME(icl__tiles)(&elementwise, half ? l->bf16 : l->f32, half ? IMAGES | 1 << TILE_OUT : 0);
}

static void run_scale_shift(const icl__call *call) {
  const icl__view in[] = {call->in[0], row_of(&call->in[1], A), row_of(&call->in[1], B)};
  run(call, call->attr->i[SCALE_SHIFT_RELU] ? &scale_shift_relu_loops : &scale_shift_loops, 3, in);
}

static void run_scale(const icl__call *call) {
  const icl__view in[] = {call->in[0], row_of(&call->in[1], A)};
  run(call, &scale_loops, 2, in);
}

static void run_sums_grad(const icl__call *call) {
  const icl__view in[] = {call->in[0], row_of(&call->in[1], K1), row_of(&call->in[1], K0)};
  run(call, &sums_grad_loops, 3, in);
}

static void run_input_grad(const icl__call *call) {
  static const loops *const choices[2][2] = {{&input_grad_loops, &input_grad_rest_loops},
                                             {&input_grad_mask_loops, &input_grad_mask_rest_loops}};
  const icl__view *g = &call->in[0], *x = &call->in[1], *coefficients = &call->in[2], *k = &call->in[3];
  bool rest = call->inputs > 4;
  const icl__view in[] = {*x, row_of(coefficients, A), row_of(coefficients, B), row_of(k, K1), row_of(k, K0),
                          *g, call->in[rest ? 4 : 0]};
  run(call, choices[call->attr->i[BN_MASK] != 0][rest], rest ? 7 : 6, in);
}

bool ISA_NAME(icl__choose_norm)(const icl__call *prototype, icl__choice *choice) {
  static const struct {
    int op;
    icl__kernel run;
    uint32_t images; /* inputs that are no coefficients */
  } kernels[] = {
      {ICL__OP_scale_shift, run_scale_shift, 1},
      {ICL__OP_bn_scale, run_scale, 1},
      {ICL__OP_bn_sums_grad, run_sums_grad, 1},
      {ICL__OP_bn_input_grad, run_input_grad, 1 | 2 | 16},
  };
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
    if (kernels[i].op != prototype->op)
      continue;
    bool fits = is_lane_dtype(prototype->out.dtype);
    for (int k = 0; k < prototype->inputs; k++)
      fits = fits &&
             (kernels[i].images >> k & 1 ? is_lane_dtype(prototype->in[k].dtype) : prototype->in[k].dtype == ICL_F32);
    *choice = (icl__choice){.run = kernels[i].run, .workspace = TILES_WORKSPACE, .splits = true};
    return fits;
  }
  return false;
}
