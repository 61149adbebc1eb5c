/* fused.c - kernels that do several ops at once against those ops one by one or plain loops, and chains of several
 * steps for many tensors in one launch. */
#include "../ops/ops_test.h"
#include "kernel_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/batch_norm.h"

/* ---- batch norm: sums with all that follows from them ---- */

static void test_batch_norm(int64_t rows, int32_t c, icl_dtype dtype, int way) {
  size_t row = (size_t)c * sizeof(float);
  icl__cuda_table size = {rows, c};
  memory x = images(1, rows * c, dtype), g = images(2, rows * c, dtype), weight = floats(3, c), bias = floats(4, c);
  memory sums = memory_new(2 * row * BN_SUMS_ROWS), sums2 = memory_new(sums.bytes);
  memory table = memory_new(row * BN_COEFFICIENTS_ROWS), table2 = memory_new(table.bytes);
  memory mean = floats(5, c), mean2 = floats(5, c), variance = floats(6, c), variance2 = floats(6, c);
  memory s = memory_new(2 * row * BN_SCALE_ROWS), k = memory_new(row * BN_GRADIENT_ROWS), k2 = memory_new(k.bytes);
  float factor = (float)rows / (float)(rows - 1);

  check(icl__cuda_bn_sums(in(&x, dtype), size, sums.device, NULL, scratch, stream));
  check(icl__cuda_bn_coefficients(sums.device, weight.device, bias.device, 1e-5f, c, table.device, stream));
  check(icl__cuda_bn_running(table.device, BN_MEAN, mean.device, 0.1f, 1, c, mean.device, stream));
  check(icl__cuda_bn_running(table.device, BN_VARIANCE, variance.device, 0.1f, factor, c, variance.device, stream));
  icl__cuda_bn_finish finish = {.weight = weight.device,
                                .bias = bias.device,
                                .eps = 1e-5f,
                                .momentum = 0.1f,
                                .variance_factor = factor,
                                .coefficients = table2.device,
                                .running_mean = mean2.device,
                                .running_variance = variance2.device};
  check(icl__cuda_bn_sums(in(&x, dtype), size, sums2.device, &finish, scratch, stream));
  expect(same(&sums, &sums2) && same(&table, &table2), "bn_sums with coefficients", way);
  expect(same(&mean, &mean2) && same(&variance, &variance2), "bn_sums with running statistics", way);

  for (int constant = 0; constant < 2; constant++) {
    icl__cuda_bn_finish_grad gradient = {constant ? NULL : sums.device, k2.device};
    check(icl__cuda_bn_scale_sums(in(&g, dtype), in(&x, dtype), table.device, true, size, s.device, &gradient, scratch,
                                  stream));
    check(icl__cuda_bn_coefficients_grad(s.device, table.device, gradient.sums, c, k.device, stream));
    expect(same(&k, &k2), "bn_scale_sums with gradients", way);
  }
  memory all[] = {x, g, weight, bias, sums, sums2, table, table2, mean, mean2, variance, variance2, s, k, k2};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    memory_free(all[i]);
}

/* relu(a (x - mean) + b + rest) */
static void test_residual(int64_t rows, int32_t c, int way) {
  int64_t count = rows * c;
  float *x = numbers(1, count), *rest = numbers(2, count), *table = numbers(3, c * BN_COEFFICIENTS_ROWS);
  memory dx = floats(1, count), drest = floats(2, count), dtable = floats(3, c * BN_COEFFICIENTS_ROWS);
  memory y = memory_new((size_t)count * sizeof *x);
  icl__cuda_bn o = {
      .x = in(&dx, ICL_F32), .rest = in(&drest, ICL_F32), .coefficients = dtable.device, .y = {y.device, ICL_F32}};
  check(icl__cuda_scale_shift(&o, true, (icl__cuda_table){rows, c}, stream));
  const float *result = download(&y);
  double worst = 0;
  for (int64_t i = 0; i < count; i++) {
    double a = (double)table[BN_A * c + i % c], b = (double)table[BN_B * c + i % c];
    double z = a * ((double)x[i] - (double)table[BN_MEAN * c + i % c]) + b + (double)rest[i];
    double error = fabs((z < 0 ? 0 : z) - (double)result[i]);
    worst = error <= worst ? worst : error; /* and so if it is NaN */
  }
  expect(worst < 1e-6, "scale_shift with a residual", way);
  memory all[] = {dx, drest, dtable, y};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    memory_free(all[i]);
  free(x);
  free(rest);
  free(table);
}

/* ---- the loss ---- */

static void test_cross_entropy_grad(int64_t rows, int32_t k, int way) {
  float *g = numbers(1, rows), *x = numbers(2, rows * k), *target = numbers(3, rows * k);
  memory dg = floats(1, rows), dx = floats(2, rows * k), dtarget = floats(3, rows * k);
  memory y = memory_new((size_t)(rows * k) * sizeof *x);
  check(icl__cuda_cross_entropy_grad(dg.device, in(&dx, ICL_F32), in(&dtarget, ICL_F32), rows, k,
                                     (icl__cuda_out){y.device, ICL_F32}, stream));
  const float *result = download(&y);
  double worst = 0;
  for (int64_t n = 0; n < rows; n++) {
    double sum = 0, weight = 0;
    for (int32_t i = 0; i < k; i++) {
      sum += exp((double)x[n * k + i]);
      weight += (double)target[n * k + i];
    }
    for (int32_t i = 0; i < k; i++) {
      double expected = (double)g[n] * (weight * exp((double)x[n * k + i]) / sum - (double)target[n * k + i]);
      double error = fabs(expected - (double)result[n * k + i]);
      worst = error <= worst ? worst : error;
    }
  }
  expect(worst < 2e-6, "cross_entropy_grad", way);
  memory all[] = {dg, dx, dtarget, y};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    memory_free(all[i]);
  free(g);
  free(x);
  free(target);
}

/* ---- chains ---- */

enum { PARAMETERS = 5, BLOCKS_MOST = 16 };
static const int64_t sizes[PARAMETERS] = {1, 7, 1024, 5000, 333};

typedef struct {
  memory p, g, v, p_new, v_new;
} parameter;

static void add_step(icl__chain *c, int code, int out, const char *in) {
  icl__chain_step *step = &c->step[c->steps++];
  *step = (icl__chain_step){.code = (uint8_t)code, .out = (uint8_t)out};
  for (int i = 0; in[i]; i++)
    step->in[i] = (uint8_t)(in[i] - '0');
}

/* SGD with Nesterov momentum: v_new, then p_new; numbers are single f64. */
static icl__chain sgd(const parameter *p, int64_t count, const memory *lr, const memory *momentum,
                      const memory *decay) {
  icl__chain c = {.slots = ICL__CHAIN_SLOTS, .rank = 1, .size = {(int32_t)count}, .count = count};
  const memory *inputs[] = {&p->g, &p->p, &p->v, momentum, decay, lr};
  for (int i = 0; i < 6; i++) {
    c.in[i] = (icl__chain_input){
        inputs[i]->device, i < 3 ? ICL_F32 : ICL_F64, i < 3 ? ICL__CHAIN_DENSE : ICL__CHAIN_SINGLE, {0}};
    add_step(&c, ICL__CHAIN_LOAD, i, (char[]){(char)('0' + i), 0});
  }
  c.out[0] = (icl__chain_output){p->v_new.device, ICL_F32};
  c.out[1] = (icl__chain_output){p->p_new.device, ICL_F32};
  add_step(&c, ICL__CHAIN_sgd_momentum, 6, "01234");
  add_step(&c, ICL__CHAIN_STORE, 0, "6");
  add_step(&c, ICL__CHAIN_sgd_nesterov, 7, "106534");
  add_step(&c, ICL__CHAIN_STORE, 1, "7");
  return c;
}

static bool is_right(const parameter *p, uint32_t sequence, int64_t count) {
  float *old = numbers(sequence, count), *g = numbers(sequence + 1, count), *v = numbers(sequence + 2, count);
  const float *p_new = download(&p->p_new), *v_new = download(&p->v_new);
  bool good = true;
  for (int64_t i = 0; i < count; i++) {
    double step = (double)g[i] + 5e-4 * (double)old[i], momentum = 0.9 * (double)v[i] + step;
    double expected = (double)old[i] - 0.1 * (step + 0.9 * momentum);
    good = good && fabs(momentum - (double)v_new[i]) < 1e-6 && fabs(expected - (double)p_new[i]) < 1e-6;
  }
  free(old);
  free(g);
  free(v);
  return good;
}

static void test_optimizer(int way) {
  const double values[] = {0.1, 0.9, 5e-4};
  memory lr = upload(&values[0], 8), momentum = upload(&values[1], 8), decay = upload(&values[2], 8);
  parameter all[PARAMETERS];
  icl__chain chains[PARAMETERS];
  icl__chain_block blocks[BLOCKS_MOST];
  int count = 0;
  for (int i = 0; i < PARAMETERS; i++) {
    size_t bytes = (size_t)sizes[i] * sizeof(float);
    uint32_t sequence = 10 * (uint32_t)i;
    all[i] = (parameter){floats(sequence, sizes[i]), floats(sequence + 1, sizes[i]), floats(sequence + 2, sizes[i]),
                         memory_new(bytes), memory_new(bytes)};
    chains[i] = sgd(&all[i], sizes[i], &lr, &momentum, &decay);
    for (int32_t block = 0; block * ICL__CHAIN_BLOCK_F32 < sizes[i]; block++)
      blocks[count++] = (icl__chain_block){i, block};
  }
  memory dchains = upload(chains, sizeof chains), dblocks = upload(blocks, (size_t)count * sizeof *blocks);
  check(icl__cuda_chains(dchains.device, dblocks.device, count, ICL__CHAIN_SLOTS, false, stream));
  for (int i = 0; i < PARAMETERS; i++)
    expect(is_right(&all[i], 10 * (uint32_t)i, sizes[i]), "an optimizer in one launch", way);
  for (int i = 0; i < PARAMETERS; i++) {
    memory own[] = {all[i].p, all[i].g, all[i].v, all[i].p_new, all[i].v_new};
    for (int j = 0; j < 5; j++)
      memory_free(own[j]);
  }
  memory rest[] = {lr, momentum, decay, dchains, dblocks};
  for (int j = 0; j < 5; j++)
    memory_free(rest[j]);
}

enum { CHAINS = 200, CHAIN_BLOCKS_MOST = 1000, LAUNCHES = 3 };

/* b = b + a in place, of elements [first, first + count) of two arrays. */
static icl__chain increment(const memory *a, const memory *b, int64_t first, int64_t count) {
  icl__chain c = {.slots = 2, .rank = 1, .size = {(int32_t)count}, .count = count};
  c.in[0] = (icl__chain_input){(float *)a->device + first, ICL_F32, ICL__CHAIN_DENSE, {0}};
  c.in[1] = (icl__chain_input){(float *)b->device + first, ICL_F32, ICL__CHAIN_DENSE, {0}};
  c.out[0] = (icl__chain_output){(float *)b->device + first, ICL_F32};
  add_step(&c, ICL__CHAIN_LOAD, 0, "0");
  add_step(&c, ICL__CHAIN_LOAD, 1, "1");
  add_step(&c, ICL__CHAIN_add, 0, "10");
  add_step(&c, ICL__CHAIN_STORE, 0, "0");
  return c;
}

static cudaGraphExec_t captured_chains(const memory *chains, const memory *blocks, int count) {
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  check(icl__cuda_chains(chains->device, blocks->device, count, ICL__CHAIN_SLOTS, false, stream));
  check(cudaStreamEndCapture(stream, &graph));
  check(cudaGraphInstantiate(&executable, graph, 0));
  check(cudaGraphDestroy(graph));
  return executable;
}

/* Chains of very different lengths in one launch, which a graph finds in device memory as often as it is launched. */
static void test_many_chains(int way) {
  static icl__chain chains[CHAINS];
  static icl__chain_block blocks[CHAIN_BLOCKS_MOST];
  int64_t length[CHAINS], total = 0;
  int count = 0;
  for (int i = 0; i < CHAINS; i++) {
    length[i] = i % 50 ? 1 + i * i * 37 % 700 : 20000 + i;
    total += (length[i] + 3) / 4 * 4; /* the next begins at a multiple of 16 bytes */
  }
  memory a = floats(1, total), b = floats(2, total);
  float *x = numbers(1, total), *expected = numbers(2, total);
  for (int64_t i = 0, first = 0; i < CHAINS; first += (length[i++] + 3) / 4 * 4) {
    chains[i] = increment(&a, &b, first, length[i]);
    for (int32_t block = 0; block * ICL__CHAIN_BLOCK_F32 < length[i]; block++)
      blocks[count++] = (icl__chain_block){(int32_t)i, block};
    for (int64_t k = 0; k < LAUNCHES * length[i]; k++)
      expected[first + k % length[i]] += x[first + k % length[i]];
  }
  memory dchains = upload(chains, sizeof chains), dblocks = upload(blocks, (size_t)count * sizeof *blocks);
  cudaGraphExec_t graph = captured_chains(&dchains, &dblocks, count);
  for (int launch = 0; launch < LAUNCHES; launch++)
    check(cudaGraphLaunch(graph, stream));
  expect(!memcmp(download(&b), expected, b.bytes), "many chains in one launch of a graph", way);
  check(cudaGraphExecDestroy(graph));
  memory all[] = {a, b, dchains, dblocks};
  for (int i = 0; i < 4; i++)
    memory_free(all[i]);
  free(x);
  free(expected);
}

/* What is rounded between two steps is what would have been stored. */
static void test_rounding(icl_dtype dtype, int way) {
  enum { COUNT = 3000 };
  memory x = floats(1, COUNT), y = memory_new(COUNT * 4), stored = memory_new(COUNT * 2), z = memory_new(COUNT * 4);
  icl__chain c = {.slots = 2, .rank = 1, .size = {COUNT}, .count = COUNT}, store = c, load = c;
  add_step(&c, ICL__CHAIN_LOAD, 0, "0");
  add_step(&c, ICL__CHAIN_exp, 0, "0");
  store = load = c;
  c.in[0] = store.in[0] = (icl__chain_input){x.device, ICL_F32, ICL__CHAIN_DENSE, {0}};
  load.in[0] = (icl__chain_input){stored.device, (int32_t)dtype, ICL__CHAIN_DENSE, {0}};
  c.out[0] = (icl__chain_output){y.device, ICL_F32};
  store.out[0] = (icl__chain_output){stored.device, (int32_t)dtype};
  load.out[0] = (icl__chain_output){z.device, ICL_F32};
  add_step(&c, ICL__CHAIN_ROUND, 1, (char[]){'0', (char)('0' + (int)dtype), 0});
  add_step(&c, ICL__CHAIN_exp, 1, "1");
  add_step(&c, ICL__CHAIN_STORE, 0, "1");
  add_step(&store, ICL__CHAIN_STORE, 0, "0");
  add_step(&load, ICL__CHAIN_STORE, 0, "0");
  check(icl__cuda_chain(&c, stream));
  check(icl__cuda_chain(&store, stream));
  check(icl__cuda_chain(&load, stream));
  expect(same(&y, &z), "rounding within a chain", way);
  memory all[] = {x, y, stored, z};
  for (int i = 0; i < 4; i++)
    memory_free(all[i]);
}

void test_fused(void) {
  for (int way = 0; set_order(way); way++) {
    test_batch_norm(900, 40, ICL_F32, way);
    test_batch_norm(400, 7, ICL_BF16, way);
    test_batch_norm(5, 2100, ICL_F16, way);
    test_batch_norm(300, 1144, ICL_BF16, way);
    test_batch_norm(70, 1043, ICL_F32, way);
    test_batch_norm(300, 160, ICL_F32, way);
    test_residual(300, 16, way);
    test_residual(31, 13, way);
    test_cross_entropy_grad(9, 10, way);
    test_cross_entropy_grad(3, 1000, way);
    test_optimizer(way);
    test_many_chains(way);
    test_rounding(ICL_BF16, way);
    test_rounding(ICL_F16, way);
  }
  set_order(0);
}
