/* kernel_test.c - see kernel_test.h. */
#include "kernel_test.h"

#include "../ops/ops_test.h"
#include "cudasim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"

int passed, failed;
cudaStream_t stream;
icl__cuda_scratch scratch;

void count_test(bool good) {
  passed += good;
  failed += !good;
}

void check(cudaError_t error) {
  if (error == cudaSuccess)
    return;
  fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
  exit(2);
}

/* ---- memory ---- */

memory memory_new(size_t bytes) {
  memory m = {.bytes = bytes};
  check(cudaMalloc(&m.device, bytes + 1)); /* 0 bytes have an address as well */
  check(cudaMallocHost(&m.host, bytes + 1));
  return m;
}

memory upload(const void *data, size_t bytes) {
  memory m = memory_new(bytes);
  memcpy(m.host, data, bytes);
  check(cudaMemcpyAsync(m.device, m.host, bytes, cudaMemcpyHostToDevice, stream));
  return m;
}

const void *download(const memory *m) {
  check(cudaMemcpyAsync(m->host, m->device, m->bytes, cudaMemcpyDeviceToHost, stream));
  check(cudaStreamSynchronize(stream));
  return m->host;
}

void memory_free(memory m) {
  check(cudaFree(m.device));
  check(cudaFreeHost(m.host));
}

bool same(const memory *a, const memory *b) {
  return download(a) && download(b) && !memcmp(a->host, b->host, a->bytes);
}

float *numbers(uint32_t sequence, int64_t count) {
  float *x = calloc((size_t)count, sizeof *x);
  for (int64_t i = 0; x && i < count; i++)
    x[i] = (float)noise(sequence, i);
  return x;
}

memory floats(uint32_t sequence, int64_t count) {
  float *x = numbers(sequence, count);
  memory m = upload(x, (size_t)count * sizeof *x);
  free(x);
  return m;
}

memory images(uint32_t sequence, int64_t count, icl_dtype dtype) {
  float *x = numbers(sequence, count);
  void *data = calloc((size_t)count, icl_dtype_bytes(dtype));
  icl__convert(ICL_F32, x, dtype, data, count);
  memory m = upload(data, (size_t)count * icl_dtype_bytes(dtype));
  free(x);
  free(data);
  return m;
}

/* ---- the device ---- */

void begin_device(void) {
  void *partial, *tickets;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  check(cudaMalloc(&partial, ICL__CUDA_PARTIAL_FLOATS * sizeof(float)));
  check(cudaMalloc(&tickets, ICL__CUDA_TICKETS * sizeof(unsigned)));
  check(cudaMemsetAsync(tickets, 0, ICL__CUDA_TICKETS * sizeof(unsigned), stream));
  scratch = (icl__cuda_scratch){partial, tickets};
}

void end_device(void) {
  check(cudaFree(scratch.partial));
  check(cudaFree(scratch.tickets));
  check(cudaStreamDestroy(stream));
  if (cudasim_live && cudasim_live() > 0) {
    printf("failed: %d allocations, streams, events or graphs are left\n", cudasim_live());
    count_test(false);
  }
}

/* ---- orders ---- */

static const struct {
  const char *name, *order, *streams;
} ways[] = {
    {"kernel", "forward", "lazy"},
    {"kernel, threads and blocks in reverse", "reverse", "eager"},
    {"kernel, threads, blocks and streams at random", "random", "random"},
};
enum { WAYS = sizeof ways / sizeof *ways };

bool set_order(int way) {
  if (way >= WAYS || (way > 0 && (!cudasim_set || ONCE)))
    return false;
  if (cudasim_set)
    cudasim_set(ways[way].order, ways[way].streams, 7);
  return true;
}

const char *order_name(int way) { return ways[way].name; }

void expect(bool good, const char *what, int way) {
  count_test(good);
  if (!good)
    printf("failed: %s, %s\n", what, order_name(way));
}
