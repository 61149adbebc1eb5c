/* bench.h - what a case of bench_kernels is: it puts one launch on a stream. */
#ifndef ICL_TESTS_CUDA_BENCH_H
#define ICL_TESTS_CUDA_BENCH_H

#include "backend/cuda/kernels/kernels.h"

enum { BENCH_IMAGES = 4, BENCH_TABLES = 9 };

/* What launches work on. `image` differs from one set to the next, so that caches hold nothing of it; tables do not. */
typedef struct {
  int32_t n, h, w, c;
  icl_dtype dtype;
  void *image[BENCH_IMAGES];
  void *table[BENCH_TABLES];
  icl__cuda_scratch scratch;
  cudaStream_t stream;
} bench_work;

/* A kernel that reads and writes so many times as many bytes as an image has, and so many for each of its values. */
typedef struct {
  const char *name;
  cudaError_t (*run)(const bench_work *w);
  double images, more;
} bench_case;
static inline double bench_bytes(const bench_case *c, double values, icl_dtype dtype) {
  return values * (c->images * (dtype == ICL_F32 ? 4 : 2) + c->more);
}

extern const bench_case bench_cases[];
extern const int bench_case_count;

/* Many tensors in one launch: the parameters of a whole network, whose descriptors lie in device memory. */
typedef struct {
  const char *name;
  void *descriptors, *pieces;
  int count;
  double bytes;
} bench_many;
typedef enum { BENCH_TRANSPOSES, BENCH_TRANSPOSES_BACK, BENCH_OPTIMIZER, BENCH_MANY } bench_many_kind;

/* `arena`, of arena_bytes, is cut into tensors. False if it is too small, or host memory short. */
bool bench_many_make(bench_many *m, bench_many_kind kind, bool wide, char *arena, size_t arena_bytes, void *numbers,
                     cudaStream_t stream);
void bench_many_free(bench_many *m);
cudaError_t bench_many_run(bench_many_kind kind, const bench_many *m, cudaStream_t stream);

#endif
