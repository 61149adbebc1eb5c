/* test_bytes.c - kernels that memory limits move what they have to, and at most a tenth more (counted.h). The cases are
 * those that tests/cuda/bench_kernels.c measures. */
#include "../cuda/bench.h"
#include "counted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double MOST = 1.1;
enum { TABLE_BYTES = 1 << 16, PARAMETER_BYTES = 8 << 20 };

static cudaStream_t stream;
static int passed, failed;

static void check(cudaError_t error) {
  if (error == cudaSuccess)
    return;
  printf("failed: %s\n", cudaGetErrorString(error));
  exit(1);
}

static void *zeros(size_t bytes) {
  void *memory = NULL;
  check(cudaMalloc(&memory, bytes));
  check(cudaMemsetAsync(memory, 0, bytes, stream));
  return memory;
}

/* ---- one launch ---- */

static void judge(const char *name, const char *shape, counted_bytes moved, double ideal) {
  double ratio = (moved.read + moved.written) / ideal;
  bool good = ratio <= MOST && ratio >= 0.99; /* less would be bytes that were not counted */
  printf("%-26s %-18s %12.0f %12.0f %12.0f   ratio %5.3f%s\n", name, shape, moved.read, moved.written, ideal, ratio,
         good ? "" : " failed");
  passed += good;
  failed += !good;
}

static void test_image(const bench_case *c, bench_work w, const int32_t shape[4], icl_dtype dtype) {
  w.n = shape[0], w.h = shape[1], w.w = shape[2], w.c = shape[3];
  w.dtype = dtype;
  double values = (double)w.n * w.h * w.w * w.c;
  for (int i = 0; i < BENCH_IMAGES; i++)
    w.image[i] = zeros((size_t)values * sizeof(float));
  check(cudaStreamSynchronize(stream));
  counted_begin();
  check(c->run(&w));
  check(cudaStreamSynchronize(stream));
  counted_bytes moved = counted_end();
  char where[64];
  snprintf(where, sizeof where, "%dx%dx%dx%d %s", w.n, w.h, w.w, w.c, dtype == ICL_F32 ? "f32" : "bf16");
  judge(c->name, where, moved, bench_bytes(c, values, dtype));
  for (int i = 0; i < BENCH_IMAGES; i++)
    check(cudaFree(w.image[i]));
}

static void test_many(bench_many_kind kind, void *numbers) {
  char *arena = zeros(PARAMETER_BYTES);
  bench_many m;
  if (!bench_many_make(&m, kind, false, arena, PARAMETER_BYTES, numbers, stream)) {
    printf("failed: no memory for the parameters\n");
    exit(1);
  }
  check(cudaStreamSynchronize(stream));
  counted_begin();
  check(bench_many_run(kind, &m, stream));
  check(cudaStreamSynchronize(stream));
  judge(m.name, "ResNet-20", counted_end(), m.bytes);
  bench_many_free(&m);
  check(cudaFree(arena));
}

static bool is_chosen(int count, char **names, const char *name) {
  for (int i = 0; i < count; i++)
    if (!strncmp(names[i], name, strlen(names[i])))
      return true;
  return count == 0;
}

/* The arguments are beginnings of names; none: all. */
int main(int argc, char **argv) {
  /* Layers of ResNet-20 and, for fewer images, of WRN-28-10. The larger ones do not fit into the cache. */
  static const struct {
    int32_t size[4];
    icl_dtype dtype;
  } shapes[] = {{{128, 32, 32, 16}, ICL_BF16}, {{128, 32, 32, 16}, ICL_F32},  {{128, 16, 16, 32}, ICL_BF16},
                {{128, 16, 16, 32}, ICL_F32},  {{128, 8, 8, 64}, ICL_BF16},   {{128, 8, 8, 64}, ICL_F32},
                {{16, 32, 32, 160}, ICL_BF16}, {{32, 16, 16, 320}, ICL_BF16}, {{64, 8, 8, 640}, ICL_BF16}};
  bench_work w = {0};
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  w.stream = stream;
  for (int i = 0; i < BENCH_TABLES; i++)
    w.table[i] = zeros(TABLE_BYTES);
  w.scratch.partial = zeros(ICL__CUDA_PARTIAL_FLOATS * sizeof(float));
  w.scratch.tickets = zeros(ICL__CUDA_TICKETS * sizeof(unsigned));
  printf("%-26s %-18s %12s %12s %12s\n", "kernel", "shape", "bytes read", "written", "ideal");
  for (int i = 0; i < bench_case_count; i++)
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes && is_chosen(argc - 1, argv + 1, bench_cases[i].name); k++)
      test_image(&bench_cases[i], w, shapes[k].size, shapes[k].dtype);
  for (int kind = 0; kind < BENCH_MANY && argc == 1; kind++)
    test_many((bench_many_kind)kind, w.table[0]);
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
