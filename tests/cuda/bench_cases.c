/* bench_cases.c - kernels that are limited by memory, on images. */
#include "bench.h"

/* Tables of the work, by what they hold. */
enum { WEIGHT, BIAS, COEFFICIENTS, GRADIENTS, SUMS, SCALE_SUMS, MEAN, VARIANCE, RESULT };

static icl__cuda_in in(const bench_work *w, int i) { return (icl__cuda_in){w->image[i], (int)w->dtype}; }
static icl__cuda_out out(const bench_work *w, int i) { return (icl__cuda_out){w->image[i], (int)w->dtype}; }
static int64_t pixels(const bench_work *w) { return (int64_t)w->h * w->w; }
static int64_t count(const bench_work *w) { return w->n * pixels(w) * w->c; }
static icl__cuda_table size(const bench_work *w) { return (icl__cuda_table){w->n * pixels(w), w->c}; }

/* ---- batch norm ---- */

static cudaError_t bn_sums(const bench_work *w) {
  icl__cuda_bn_finish finish = {.weight = w->table[WEIGHT],
                                .bias = w->table[BIAS],
                                .eps = 1e-5f,
                                .momentum = 0.1f,
                                .variance_factor = 1,
                                .coefficients = w->table[RESULT],
                                .running_mean = w->table[MEAN],
                                .running_variance = w->table[VARIANCE]};
  return icl__cuda_bn_sums(in(w, 0), size(w), w->table[SUMS], &finish, w->scratch, w->stream);
}

static cudaError_t bn_scale_sums(const bench_work *w) {
  icl__cuda_bn_finish_grad finish = {w->table[SUMS], w->table[RESULT]};
  return icl__cuda_bn_scale_sums(in(w, 0), in(w, 1), w->table[COEFFICIENTS], true, size(w), w->table[SCALE_SUMS],
                                 &finish, w->scratch, w->stream);
}

/* g and x are images 0 and 1, what is added is 2, the result 3. */
static icl__cuda_bn apply(const bench_work *w, bool rest) {
  icl__cuda_bn o = {
      .g = in(w, 0), .x = in(w, 1), .coefficients = w->table[COEFFICIENTS], .k = w->table[GRADIENTS], .y = out(w, 3)};
  if (rest)
    o.rest = in(w, 2);
  return o;
}

static cudaError_t scale_shift(const bench_work *w) {
  icl__cuda_bn o = apply(w, false);
  return icl__cuda_scale_shift(&o, true, size(w), w->stream);
}

static cudaError_t scale_shift_rest(const bench_work *w) {
  icl__cuda_bn o = apply(w, true);
  return icl__cuda_scale_shift(&o, true, size(w), w->stream);
}

static cudaError_t bn_input_grad(const bench_work *w) {
  icl__cuda_bn o = apply(w, false);
  return icl__cuda_bn_input_grad(&o, true, size(w), w->stream);
}

static cudaError_t bn_input_grad_rest(const bench_work *w) {
  icl__cuda_bn o = apply(w, true);
  return icl__cuda_bn_input_grad(&o, true, size(w), w->stream);
}

/* ---- chains ---- */

/* Loads `inputs` images, computes one op of them, and stores it. */
static cudaError_t chain(const bench_work *w, int code, int inputs) {
  int64_t all = count(w);
  icl__chain c = {.slots = inputs, .rank = 1, .size = {(int32_t)all}, .count = all};
  icl__chain_step op = {.code = (uint8_t)code};
  for (int i = 0; i < inputs; i++) {
    c.in[i] = (icl__chain_input){.data = w->image[i], .dtype = (int32_t)w->dtype, .mode = ICL__CHAIN_DENSE};
    c.step[c.steps++] = (icl__chain_step){.code = ICL__CHAIN_LOAD, .out = (uint8_t)i, .in = {(uint8_t)i}};
    op.in[i] = (uint8_t)i;
  }
  c.step[c.steps++] = op;
  c.step[c.steps++] = (icl__chain_step){.code = ICL__CHAIN_STORE};
  c.out[0] = (icl__chain_output){w->image[3], (int32_t)w->dtype};
  return icl__cuda_chain(&c, w->stream);
}

static cudaError_t relu(const bench_work *w) { return chain(w, ICL__CHAIN_relu, 1); }
static cudaError_t add(const bench_work *w) { return chain(w, ICL__CHAIN_add, 2); }
static cudaError_t where(const bench_work *w) { return chain(w, ICL__CHAIN_where, 3); }

/* ---- reductions ---- */

/* A gradient of a bias. */
static cudaError_t sum_rows(const bench_work *w) {
  icl__cuda_axes kept = {1, {w->c}, {1}}, rows = {1, {(int32_t)(w->n * pixels(w))}, {w->c}};
  return icl__cuda_reduce(ICL__CUDA_SUM, in(w, 0), &kept, &rows, (icl__cuda_out){w->table[RESULT], ICL_F32}, w->scratch,
                          w->stream);
}

/* A norm: everything to one number. */
static cudaError_t sum_all(const bench_work *w) {
  icl__cuda_axes kept = {0}, all = {1, {(int32_t)count(w)}, {1}};
  return icl__cuda_reduce(ICL__CUDA_SUM, in(w, 0), &kept, &all, (icl__cuda_out){w->table[RESULT], ICL_F32}, w->scratch,
                          w->stream);
}

static cudaError_t find_nan(const bench_work *w) {
  return icl__cuda_find_nan(in(w, 0), count(w), w->table[RESULT], w->stream);
}

/* ---- pooling ---- */

static icl__cuda_pool windows(const bench_work *w) {
  return (icl__cuda_pool){w->n, w->h, w->w, w->c, w->h / 2, w->w / 2, {2, 2}, {2, 2}, {0, 0}};
}

static cudaError_t max_pool2d(const bench_work *w) {
  icl__cuda_pool p = windows(w);
  return icl__cuda_max_pool2d(in(w, 0), &p, out(w, 3), w->stream);
}

static cudaError_t max_pool2d_grad(const bench_work *w) {
  icl__cuda_pool p = windows(w);
  return icl__cuda_max_pool2d_grad(in(w, 0), w->image[1], &p, out(w, 3), w->stream);
}

static cudaError_t global_avg_pool(const bench_work *w) {
  return icl__cuda_global_avg_pool(in(w, 0), w->n, pixels(w), w->c, out(w, 3), w->stream);
}

static cudaError_t global_avg_pool_grad(const bench_work *w) {
  return icl__cuda_global_avg_pool_grad(in(w, 0), w->n, pixels(w), w->c, out(w, 3), w->stream);
}

/* ---- moves ---- */

/* (n, h w, c) to (n, c, h w) */
static cudaError_t permute(const bench_work *w) {
  int64_t image = pixels(w) * w->c;
  icl__cuda_move m = {.rank = 3,
                      .axis = -1,
                      .size = {w->n, (int32_t)pixels(w), w->c},
                      .from_stride = {image, w->c, 1},
                      .to_stride = {image, 1, pixels(w)},
                      .from = w->image[0],
                      .to = w->image[3]};
  return icl__cuda_move_turned(&m, w->dtype == ICL_F32 ? 4 : 2, w->stream);
}

const bench_case bench_cases[] = {
    {"bn_sums", bn_sums, 1, 0},
    {"bn_scale_sums", bn_scale_sums, 2, 0},
    {"scale_shift", scale_shift, 2, 0},
    {"scale_shift, residual", scale_shift_rest, 3, 0},
    {"bn_input_grad", bn_input_grad, 3, 0},
    {"bn_input_grad, residual", bn_input_grad_rest, 4, 0},
    {"relu", relu, 2, 0},
    {"add", add, 3, 0},
    {"where", where, 4, 0},
    {"sum of rows", sum_rows, 1, 0},
    {"sum of all", sum_all, 1, 0},
    {"find_nan", find_nan, 1, 0},
    {"max_pool2d", max_pool2d, 1.25, 0},
    {"max_pool2d_grad", max_pool2d_grad, 1.25, 0.25}, /* positions are bytes */
    {"global_avg_pool", global_avg_pool, 1, 0},
    {"global_avg_pool_grad", global_avg_pool_grad, 1, 0},
    {"permute", permute, 2, 0},
};
const int bench_case_count = sizeof bench_cases / sizeof *bench_cases;
