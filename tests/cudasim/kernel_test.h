/* kernel_test.h - what the tests of kernels share: a stream, memory, and the orders in which a simulator runs. */
#ifndef ICL_TESTS_CUDASIM_KERNEL_TEST_H
#define ICL_TESTS_CUDASIM_KERNEL_TEST_H

#include "backend/cuda/kernels/kernels.h"

/* Races are between accesses that nothing orders, whatever order they have: once is enough, and takes long. */
#if defined __SANITIZE_THREAD__
enum { ONCE = 1 };
#else
enum { ONCE = 0 };
#endif

extern int passed, failed;
void count_test(bool good);

extern cudaStream_t stream;
extern icl__cuda_scratch scratch;
void begin_device(void);
void end_device(void);         /* a test fails if something was not given back */
void check(cudaError_t error); /* ends the program */

/* Device memory, and pinned memory of the same size on the way to it. */
typedef struct {
  void *device, *host;
  size_t bytes;
} memory;
memory memory_new(size_t bytes);
memory upload(const void *data, size_t bytes);
const void *download(const memory *m); /* waits; lives as long as the memory */
void memory_free(memory m);
bool same(const memory *a, const memory *b);

/* `count` numbers that look like noise, for the caller to free; in device memory; there in a dtype of floats. */
float *numbers(uint32_t sequence, int64_t count);
memory floats(uint32_t sequence, int64_t count);
memory images(uint32_t sequence, int64_t count, icl_dtype dtype);
static inline icl__cuda_in in(const memory *m, icl_dtype dtype) { return (icl__cuda_in){m->device, (int)dtype}; }

/* From now on order number `way`; false if there is none: the simulator has several, a GPU one. */
bool set_order(int way);
const char *order_name(int way);
/* Counts a test of `what` in order number `way`, and reports it if it is not `good`. */
void expect(bool good, const char *what, int way);

void test_fused(void); /* kernels that do several ops at once, and chains of several steps */
void test_axes(void);  /* how axes are joined */
void test_host(void);  /* kernels that are no op: host code needs them around a graph */

#endif
