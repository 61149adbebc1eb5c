/* bench_many.c - the parameters of ResNet-20 and of WRN-28-10 as launches of many tensors. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { MATRICES_MOST = 64, ALIGNMENT = 256 };

/* ---- networks ---- */

typedef struct {
  int count;
  int32_t rows[MATRICES_MOST], columns[MATRICES_MOST];
} network;

static void add_conv(network *net, int32_t kernel, int32_t from, int32_t to) {
  net->rows[net->count] = kernel * kernel * from;
  net->columns[net->count++] = to;
}

/* Three stages of blocks of two convolutions; the batch norms and the last layer are little beside them. */
static network network_of(bool wide) {
  network net = {0};
  int32_t width = wide ? 10 : 1, blocks = wide ? 4 : 3, from = 16;
  add_conv(&net, 3, 3, 16);
  for (int32_t stage = 0; stage < 3; stage++) {
    int32_t to = (16 << stage) * width;
    if (from != to)
      add_conv(&net, 1, from, to);
    for (int32_t block = 0; block < blocks; block++) {
      add_conv(&net, 3, from, to);
      add_conv(&net, 3, to, to);
      from = to;
    }
  }
  return net;
}

/* ---- memory ---- */

typedef struct {
  char *next, *end;
} arena;

static void *take(arena *a, int64_t count, size_t bytes) {
  size_t size = ((size_t)count * bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  void *result = a->next;
  if (!a->next || (size_t)(a->end - a->next) < size) {
    a->next = NULL;
    return NULL;
  }
  a->next += size;
  return result;
}

static void *to_device(const void *data, size_t bytes, cudaStream_t stream) {
  void *device = NULL, *host = NULL;
  if (cudaMallocHost(&host, bytes) != cudaSuccess || cudaMalloc(&device, bytes) != cudaSuccess)
    return NULL;
  memcpy(host, data, bytes);
  cudaError_t error = cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream);
  if (error == cudaSuccess)
    error = cudaStreamSynchronize(stream);
  cudaFreeHost(host);
  return error == cudaSuccess ? device : NULL;
}

/* ---- transposes ---- */

static bool make_transposes(bench_many *m, const network *net, bool back, arena *a, cudaStream_t stream) {
  icl__cuda_transpose matrices[MATRICES_MOST];
  m->count = 0;
  for (int i = 0; i < net->count; i++)
    m->count += icl__cuda_transpose_tiles(net->rows[i], net->columns[i]);
  icl__cuda_transpose_tile *tiles = malloc((size_t)m->count * sizeof *tiles), *next = tiles;
  if (!tiles)
    return false;
  for (int i = 0; i < net->count; i++) {
    int64_t count = (int64_t)net->rows[i] * net->columns[i];
    void *weights = take(a, count, sizeof(float)), *turned = take(a, count, sizeof(uint16_t));
    matrices[i] = back ? (icl__cuda_transpose){turned, weights, net->columns[i], net->rows[i], ICL_BF16, ICL_F32}
                       : (icl__cuda_transpose){weights, turned, net->rows[i], net->columns[i], ICL_F32, ICL_BF16};
    for (int32_t tile = 0; tile < icl__cuda_transpose_tiles(net->rows[i], net->columns[i]); tile++)
      *next++ = (icl__cuda_transpose_tile){i, tile};
    m->bytes += (double)count * (sizeof(float) + sizeof(uint16_t));
  }
  m->descriptors = to_device(matrices, (size_t)net->count * sizeof *matrices, stream);
  m->pieces = to_device(tiles, (size_t)m->count * sizeof *tiles, stream);
  free(tiles);
  return a->next != NULL;
}

/* ---- SGD with Nesterov momentum, in place ---- */

static void add_step(icl__chain *c, int code, int result, const char *in) {
  icl__chain_step *step = &c->step[c->steps++];
  *step = (icl__chain_step){.code = (uint8_t)code, .out = (uint8_t)result};
  for (int i = 0; in[i]; i++)
    step->in[i] = (uint8_t)(in[i] - '0');
}

/* `numbers` holds three f64. */
static icl__chain sgd(int64_t count, float *g, float *p, float *v, const double *numbers) {
  icl__chain c = {.slots = 7, .rank = 1, .size = {(int32_t)count}, .count = count};
  const void *inputs[] = {g, p, v, numbers, numbers + 1, numbers + 2};
  for (int i = 0; i < 6; i++) {
    c.in[i] = (icl__chain_input){
        .data = inputs[i], .dtype = i < 3 ? ICL_F32 : ICL_F64, .mode = i < 3 ? ICL__CHAIN_DENSE : ICL__CHAIN_SINGLE};
    add_step(&c, ICL__CHAIN_LOAD, i, (char[]){(char)('0' + i), 0});
  }
  c.out[0] = (icl__chain_output){v, ICL_F32};
  c.out[1] = (icl__chain_output){p, ICL_F32};
  add_step(&c, ICL__CHAIN_sgd_momentum, 6, "01234");
  add_step(&c, ICL__CHAIN_STORE, 0, "6");
  add_step(&c, ICL__CHAIN_sgd_nesterov, 6, "102534");
  add_step(&c, ICL__CHAIN_STORE, 1, "6");
  return c;
}

static bool make_optimizer(bench_many *m, const network *net, arena *a, const double *numbers, cudaStream_t stream) {
  m->count = 0;
  for (int i = 0; i < net->count; i++)
    m->count += (net->rows[i] * net->columns[i] + ICL__CHAIN_BLOCK_F32 - 1) / ICL__CHAIN_BLOCK_F32;
  icl__chain *chains = malloc((size_t)net->count * sizeof *chains);
  icl__chain_block *blocks = malloc((size_t)m->count * sizeof *blocks), *next = blocks;
  for (int i = 0; chains && blocks && i < net->count; i++) {
    int64_t count = (int64_t)net->rows[i] * net->columns[i];
    float *g = take(a, count, sizeof *g), *p = take(a, count, sizeof *p), *v = take(a, count, sizeof *v);
    chains[i] = sgd(count, g, p, v, numbers);
    for (int32_t block = 0; (int64_t)block * ICL__CHAIN_BLOCK_F32 < count; block++)
      *next++ = (icl__chain_block){i, block};
    m->bytes += (double)count * 5 * sizeof(float);
  }
  if (chains && blocks) {
    m->descriptors = to_device(chains, (size_t)net->count * sizeof *chains, stream);
    m->pieces = to_device(blocks, (size_t)m->count * sizeof *blocks, stream);
  }
  free(chains);
  free(blocks);
  return a->next != NULL;
}

/* ---- all of them ---- */

bool bench_many_make(bench_many *m, bench_many_kind kind, bool wide, char *memory, size_t bytes, void *numbers,
                     cudaStream_t stream) {
  static const char *const names[BENCH_MANY] = {"transposes, weights", "transposes, gradients", "optimizer"};
  network net = network_of(wide);
  arena a = {memory, memory + bytes};
  *m = (bench_many){.name = names[kind]};
  bool good = kind == BENCH_OPTIMIZER ? make_optimizer(m, &net, &a, numbers, stream)
                                      : make_transposes(m, &net, kind == BENCH_TRANSPOSES_BACK, &a, stream);
  return good && m->descriptors && m->pieces;
}

void bench_many_free(bench_many *m) {
  cudaFree(m->descriptors);
  cudaFree(m->pieces);
}

cudaError_t bench_many_run(bench_many_kind kind, const bench_many *m, cudaStream_t stream) {
  return kind == BENCH_OPTIMIZER
             ? icl__cuda_chains(m->descriptors, m->pieces, m->count, ICL__CHAIN_SLOTS, false, stream)
             : icl__cuda_transposes(m->descriptors, m->pieces, m->count, stream);
}
