/* norm.c - the elementwise half of batch norm. */
#include "backend/bn_sums.h"
#include "backend/cpu/kernels/lines.h"
#include "ops/attributes.h"
#include "ops/ops.h"

/* ---- formulas ---- */

/* Images that go in, coefficients by lane, and the result. Pitches are from line to line, in elements. */
enum { MOST_IMAGES = 3, MOST_COEFFICIENTS = 5 };
typedef struct {
  const char *image[MOST_IMAGES];
  char *out;
  int64_t pitch[MOST_IMAGES], out_pitch;
  int64_t length; /* elements of a line */
  const float *coefficient[MOST_COEFFICIENTS];
} operands;

/* Registers of images and of coefficients: what a formula sees. */
typedef struct {
  vec image[MOST_IMAGES], coefficient[MOST_COEFFICIENTS];
} registers;

typedef vec (*formula)(const registers *r);

#define X    r->image[0]
#define G    r->image[1]
#define REST r->image[2]
#define MEAN r->coefficient[0]
#define A    r->coefficient[1]
#define B    r->coefficient[2]
INLINE vec scale_shift(const registers *r) { return A * (X - MEAN) + B; }
INLINE vec scale_shift_relu(const registers *r) { return relu(A * (X - MEAN) + B); }
INLINE vec scale_shift_rest(const registers *r) { return A * (X - MEAN) + B + G; }
INLINE vec scale_shift_rest_relu(const registers *r) { return relu(A * (X - MEAN) + B + G); }
INLINE vec scale_mask(const registers *r) { return A * where_positive(A * (X - MEAN) + B, G); }
INLINE vec scale_mask_rest(const registers *r) { return A * where_positive(A * (X - MEAN) + B, G) + REST; }
#define K1 r->coefficient[3]
#define K0 r->coefficient[4]
INLINE vec input_grad(const registers *r) { return A * G + (K0 - K1 * (X - MEAN)); }
INLINE vec input_grad_rest(const registers *r) { return A * G + (K0 - K1 * (X - MEAN) + REST); }
INLINE vec input_grad_mask(const registers *r) {
  vec deviation = X - MEAN;
  return A * where_positive(A * deviation + B, G) + (K0 - K1 * deviation);
}
INLINE vec input_grad_mask_rest(const registers *r) {
  vec deviation = X - MEAN;
  return A * where_positive(A * deviation + B, G) + (K0 - K1 * deviation + REST);
}
#undef K1
#undef K0
#undef A
#undef B
#define K1 r->coefficient[1]
#define K0 r->coefficient[2]
INLINE vec sums_grad(const registers *r) { return K0 - K1 * (X - MEAN); }
INLINE vec sums_grad_rest(const registers *r) { return K0 - K1 * (X - MEAN) + G; }
#undef K1
#undef K0
#undef MEAN
INLINE vec scale(const registers *r) { return r->coefficient[0] * X; }
#undef X
#undef G
#undef REST

/* ---- loops ---- */

/* Columns j to j + columns * LANES - 1 of lines first to end - 1; of the last register only the first `part`, unless
 * that is 0. */
INLINE void map_columns(const operands *p, formula f, int images, int coefficients, icl_dtype dtype, int64_t first,
                        int64_t end, int64_t j, int columns, int64_t part) {
  registers r[GROUP];
  UNROLL(4)
  for (int v = 0; v < columns; v++)
    UNROLL(4)
  for (int k = 0; k < coefficients; k++)
    r[v].coefficient[k] = load(ICL_F32, p->coefficient[k], j + v * LANES);
  for (int64_t i = first; i < end; i++) {
    UNROLL(3)
    for (int k = 0; k < images; k++)
      fetch(dtype, p->image[k], (i + AHEAD) * p->pitch[k] + j, columns);
    UNROLL(4)
    for (int v = 0; v < columns; v++)
      UNROLL(3)
    for (int k = 0; k < images; k++)
      r[v].image[k] = read(dtype, p->image[k], i * p->pitch[k] + j + v * LANES, v + 1 < columns ? 0 : part);
    int64_t at = i * p->out_pitch + j;
    int pairs = part ? (columns - 1) / 2 * 2 : columns / 2 * 2;
    UNROLL(2)
    for (int v = 0; v < pairs; v += 2)
      store_pair(dtype, p->out, at + v * LANES, f(&r[v]), f(&r[v + 1]));
    UNROLL(2)
    for (int v = pairs; v < columns; v++)
      store_part(dtype, p->out, at + v * LANES, v + 1 < columns || !part ? LANES : part, f(&r[v]));
  }
}

/* A few lines at a time, each from its beginning to its end, so that memory is read about in order and coefficients are
 * loaded once for all of these lines. */
INLINE void map_lines(const operands *p, formula f, int images, int coefficients, icl_dtype dtype, int64_t lines) {
  enum { FEW = 4 };
  int64_t groups = p->length / (GROUP * LANES) * (GROUP * LANES), rest = p->length - groups, part = rest % LANES;
  for (int64_t i = 0; i < lines; i += FEW) {
    int64_t end = i + FEW < lines ? i + FEW : lines;
    for (int64_t j = 0; j < groups; j += GROUP * LANES)
      map_columns(p, f, images, coefficients, dtype, i, end, j, GROUP, 0);
    switch ((rest + LANES - 1) / LANES) {
    case 0:
      break;
    case 1:
      map_columns(p, f, images, coefficients, dtype, i, end, groups, 1, part);
      break;
    case 2:
      map_columns(p, f, images, coefficients, dtype, i, end, groups, 2, part);
      break;
    case 3:
      map_columns(p, f, images, coefficients, dtype, i, end, groups, 3, part);
      break;
    default:
      map_columns(p, f, images, coefficients, dtype, i, end, groups, GROUP, part);
    }
  }
}

typedef void (*loop)(const operands *p, icl_dtype dtype, int64_t lines);

#define LOOP(f, images, coefficients)                                                                                  \
  static void f##_loop(const operands *p, icl_dtype dtype, int64_t lines) {                                            \
    if (dtype == ICL_BF16)                                                                                             \
      map_lines(p, f, images, coefficients, ICL_BF16, lines);                                                          \
    else                                                                                                               \
      map_lines(p, f, images, coefficients, ICL_F32, lines);                                                           \
  }
LOOP(scale_shift, 1, 3)
LOOP(scale_shift_relu, 1, 3)
LOOP(scale_shift_rest, 2, 3)
LOOP(scale_shift_rest_relu, 2, 3)
LOOP(scale, 1, 1)
LOOP(sums_grad, 1, 3)
LOOP(sums_grad_rest, 2, 3)
LOOP(input_grad, 2, 5)
LOOP(input_grad_rest, 3, 5)
LOOP(input_grad_mask, 2, 5)
LOOP(input_grad_mask_rest, 3, 5)
LOOP(scale_mask, 2, 3)
LOOP(scale_mask_rest, 3, 3)

/* ---- calls ---- */

static void advance(operands *p, int images, int64_t lines, int64_t bytes) {
  for (int k = 0; k < images; k++)
    p->image[k] += lines * p->pitch[k] * bytes;
  p->out += lines * p->out_pitch * bytes;
}

static void run(const icl__call *call, loop f, int images, const icl__view *const *image, int coefficients,
                const void *const *coefficient) {
  const icl__view *out = &call->out;
  int64_t channels = icl__view_columns(out), bytes = (int64_t)icl_dtype_bytes(out->dtype);
  bool adjacent = is_dense(out);
  for (int k = 0; k < images; k++)
    adjacent = adjacent && is_dense(image[k]);
  int64_t rows = adjacent ? rows_of_line(channels) : 1;
  share own = part_of(call, icl__view_rows(out));
  operands p = {.length = rows * channels, .out_pitch = rows * out->pitch, .out = row_at(out, own.begin)};
  for (int k = 0; k < images; k++) {
    p.image[k] = row_at(image[k], own.begin);
    p.pitch[k] = rows * image[k]->pitch;
  }
  float *lanes = call->scratch;
  for (int k = 0; k < coefficients; k++, lanes += most_lanes(channels)) {
    spread(coefficient[k], channels, rows, lanes);
    p.coefficient[k] = lanes;
  }
  int64_t lines = (own.end - own.begin) / rows, rest = (own.end - own.begin) % rows, most = lines_of_block(p.length);
  for (int64_t n; lines; lines -= n) {
    n = lines < most ? lines : most;
    f(&p, out->dtype, n);
    advance(&p, images, n, bytes);
  }
  p.length = rest * channels;
  if (rest)
    f(&p, out->dtype, 1);
}

static const void *row_of(const icl__view *table, int row) { return row_at(table, row); }

static void run_scale_shift(const icl__call *call) {
  static const loop loops[2][2] = {{scale_shift_loop, scale_shift_rest_loop},
                                   {scale_shift_relu_loop, scale_shift_rest_relu_loop}};
  const icl__view *table = &call->in[1];
  bool rest = call->inputs > 2;
  run(call, loops[call->attr->i[SCALE_SHIFT_RELU] != 0][rest], rest ? 2 : 1,
      (const icl__view *const[]){&call->in[0], &call->in[2]}, 3,
      (const void *const[]){row_of(table, BN_MEAN), row_of(table, BN_A), row_of(table, BN_B)});
}

static void run_scale(const icl__call *call) {
  run(call, scale_loop, 1, (const icl__view *const[]){&call->in[0]}, 1,
      (const void *const[]){row_of(&call->in[1], BN_A)});
}

static void run_sums_grad(const icl__call *call) {
  const icl__view *k = &call->in[1];
  const icl__bn_sums sums = icl__bn_sums_at(&call->in[2]);
  bool rest = call->inputs > 3;
  int64_t channels = icl__view_columns(&call->out);
  float *mean = (float *)call->scratch + MOST_COEFFICIENTS * most_lanes(channels); /* as bn_coefficients rounds it */
  for (int64_t i = 0; i < channels; i++)
    mean[i] = (float)(sums.sum[i] / sums.count[i]);
  run(call, rest ? sums_grad_rest_loop : sums_grad_loop, rest ? 2 : 1,
      (const icl__view *const[]){&call->in[0], &call->in[3]}, 3,
      (const void *const[]){mean, row_of(k, BN_K1), row_of(k, BN_K0)});
}

static void run_input_grad(const icl__call *call) {
  static const loop loops[2][2] = {{input_grad_loop, input_grad_rest_loop},
                                   {input_grad_mask_loop, input_grad_mask_rest_loop}};
  const icl__view *table = &call->in[2], *k = &call->in[3];
  bool rest = call->inputs > 4;
  run(call, loops[call->attr->i[BN_MASK] != 0][rest], rest ? 3 : 2,
      (const icl__view *const[]){&call->in[1], &call->in[0], &call->in[4]}, 5,
      (const void *const[]){row_of(table, BN_MEAN), row_of(table, BN_A), row_of(table, BN_B), row_of(k, BN_K1),
                            row_of(k, BN_K0)});
}

static void run_scale_mask(const icl__call *call) {
  const icl__view *table = &call->in[2];
  bool rest = call->inputs > 3;
  run(call, rest ? scale_mask_rest_loop : scale_mask_loop, rest ? 3 : 2,
      (const icl__view *const[]){&call->in[1], &call->in[0], &call->in[3]}, 3,
      (const void *const[]){row_of(table, BN_MEAN), row_of(table, BN_A), row_of(table, BN_B)});
}

bool ISA_NAME(icl__choose_norm)(const icl__call *prototype, icl__choice *choice) {
  static const struct {
    int op;
    icl__kernel run;
    uint32_t images, sums; /* inputs that are images, and tables of bn_sums; the others are coefficients */
  } kernels[] = {
      {ICL__OP_scale_shift, run_scale_shift, 1 | 4, 0},      {ICL__OP_bn_scale, run_scale, 1, 0},
      {ICL__OP_bn_sums_grad, run_sums_grad, 1 | 8, 4},       {ICL__OP_bn_input_grad, run_input_grad, 1 | 2 | 16, 0},
      {ICL__OP_bn_scale_mask, run_scale_mask, 1 | 2 | 8, 0},
  };
  icl_dtype dtype = prototype->out.dtype;
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
    if (kernels[i].op != prototype->op)
      continue;
    bool fits = is_lane_dtype(dtype);
    for (int k = 0; k < prototype->inputs; k++) {
      icl_dtype other = kernels[i].sums >> k & 1 ? ICL_F64 : ICL_F32;
      fits = fits && prototype->in[k].dtype == (kernels[i].images >> k & 1 ? dtype : other);
    }
    int64_t channels = icl__view_columns(&prototype->out);
    size_t floats = (size_t)(MOST_COEFFICIENTS * most_lanes(channels) + channels);
    *choice = (icl__choice){.run = kernels[i].run, .workspace = floats * sizeof(float), .splits = true};
    return fits;
  }
  return false;
}
