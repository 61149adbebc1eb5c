/* test_simulator.cpp - the simulator itself: every rule is broken once and must be noticed, and correct code runs.
 *
 * Rules that only a sanitizer knows are tested in the program that is built with it. */
#include "cudasim.h"
#include "language.h"
#include "noticed.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <vector>

#if defined __SANITIZE_ADDRESS__
enum { ASAN = 1, TSAN = 0 };
#elif defined __SANITIZE_THREAD__
enum { ASAN = 0, TSAN = 1 };
#else
enum { ASAN = 0, TSAN = 0 };
#endif

/* ---- helpers ---- */

enum { THREADS = 64, ELEMENTS = 256 };
static cudaStream_t stream;

template <class T> static T *device(size_t count) {
  void *memory = nullptr;
  cudaMalloc(&memory, count * sizeof(T));
  return (T *)memory;
}

template <class T> static T *pinned(size_t count) {
  void *memory = nullptr;
  cudaMallocHost(&memory, count * sizeof(T));
  return (T *)memory;
}

static cudaStream_t new_stream() {
  cudaStream_t s;
  cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
  return s;
}

static cudaEvent_t new_event() {
  cudaEvent_t event;
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  return event;
}

static int first_of(const int *memory) {
  int *host = pinned<int>(1);
  cudaMemcpyAsync(host, memory, sizeof *host, cudaMemcpyDeviceToHost, stream);
  cudaStreamSynchronize(stream);
  int value = *host;
  cudaFreeHost(host);
  return value;
}

#define RUN(kernel, blocks, threads, ...) ICL_LAUNCH(kernel, dim3(blocks), dim3(threads), 0, stream, __VA_ARGS__)
#define RUN_TO_END(kernel, blocks, threads, ...)                                                                       \
  do {                                                                                                                 \
    RUN(kernel, blocks, threads, __VA_ARGS__);                                                                         \
    cudaStreamSynchronize(stream);                                                                                     \
  } while (0)

/* ---- threads ---- */

__global__ void early_return(int *) {
  if (threadIdx.x == 3)
    return;
  __syncthreads();
}

__global__ void two_barriers(int *) {
  if (threadIdx.x % 2)
    __syncthreads();
  else
    __syncthreads();
}

__global__ void mask_without_me(int *x) { *x = __shfl_sync(1u, 1, 0); }
__global__ void lane_outside(int *x) {
  if (threadIdx.x < 16)
    *x = __shfl_sync(0xffffu, 1, 20);
}
__global__ void divergent_shuffle(int *x) {
  if (threadIdx.x < 20)
    *x = __shfl_xor_sync(~0u, 1, 1);
}
__global__ void two_collectives(int *x) {
  if (threadIdx.x < 16)
    *x = (int)__ballot_sync(~0u, 1);
  else
    *x = __any_sync(~0u, 1);
}
__global__ void no_dynamic(int *x) {
  ICL_DYNAMIC_SHARED(int, shared);
  *x = shared[0];
}
__global__ void much_shared(int *x) {
  ICL_SHARED(int, shared, 16384);
  *x = shared[0];
}

static void test_threads() {
  int *x = device<int>(ELEMENTS);
  expect_noticed("a thread returns before a barrier", "__syncthreads()", [=] { RUN_TO_END(early_return, 1, 64, x); });
  expect_noticed("different barriers", "different __syncthreads()", [=] { RUN_TO_END(two_barriers, 1, 64, x); });
  expect_noticed("a mask without the caller", "leaves it out", [=] { RUN_TO_END(mask_without_me, 1, 32, x); });
  expect_noticed("a lane outside of the mask", "not in the mask", [=] { RUN_TO_END(lane_outside, 1, 32, x); });
  expect_noticed("a shuffle in a branch", "deadlock", [=] { RUN_TO_END(divergent_shuffle, 1, 32, x); });
  expect_noticed("different collectives", "different collectives", [=] { RUN_TO_END(two_collectives, 1, 32, x); });
  expect_noticed("dynamic memory not given", "does not give it", [=] { RUN_TO_END(no_dynamic, 1, 1, x); });
  expect_noticed("too much static memory", "static shared memory", [=] { RUN_TO_END(much_shared, 1, 1, x); });
  cudaFree(x);
}

/* Sum of all threads of all blocks: barriers, shuffles, and the last block after fences. */
template <bool barrier, bool writer_fence, bool reader_fence>
__global__ void sum_all(const int *x, int *partial, unsigned *ticket, int *y) {
  ICL_SHARED(int, warps, THREADS / 32);
  ICL_SHARED(int, last, 1);
  int sum = x[blockIdx.x * THREADS + threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(~0u, sum, offset);
  if (threadIdx.x % 32 == 0)
    warps[threadIdx.x / 32] = sum;
  if (barrier)
    __syncthreads();
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = warps[0] + warps[1];
    if (writer_fence)
      __threadfence();
    last[0] = atomicInc(ticket, gridDim.x - 1) == gridDim.x - 1;
    if (reader_fence)
      __threadfence();
  }
  __syncthreads();
  if (!last[0] || threadIdx.x > 0)
    return;
  *y = 0;
  for (unsigned i = 0; i < gridDim.x; i++)
    *y += partial[i];
}

struct sums {
  int *x = device<int>(ELEMENTS), *partial = device<int>(ELEMENTS / THREADS), *y = device<int>(1);
  unsigned *ticket = device<unsigned>(1);
  sums() {
    int *host = pinned<int>(ELEMENTS);
    for (int i = 0; i < ELEMENTS; i++)
      host[i] = i;
    cudaMemcpyAsync(x, host, ELEMENTS * sizeof *x, cudaMemcpyHostToDevice, stream);
    cudaMemsetAsync(ticket, 0, sizeof *ticket, stream);
    cudaStreamSynchronize(stream);
    cudaFreeHost(host);
  }
  ~sums() {
    for (void *memory : {(void *)x, (void *)partial, (void *)y, (void *)ticket})
      cudaFree(memory);
  }
  template <bool barrier, bool writer_fence, bool reader_fence> int run() {
    RUN_TO_END((sum_all<barrier, writer_fence, reader_fence>), ELEMENTS / THREADS, THREADS, x, partial, ticket, y);
    return first_of(y);
  }
};

static void test_orders() {
  static const char *const orders[] = {"forward", "reverse", "random"};
  sums s;
  for (const char *order : orders) {
    cudasim_set(order, "lazy", 5);
    int sum = s.run<true, true, true>();
    expect(sum == ELEMENTS * (ELEMENTS - 1) / 2, order);
  }
  if (!TSAN) {
    cudasim_set("forward", "lazy", 1);
    expect(s.run<false, true, true>() != ELEMENTS * (ELEMENTS - 1) / 2, "a missing barrier shows in some order");
  }
  cudasim_set("forward", "lazy", 1);
}

/* ---- memory ---- */

struct holder {
  const int *hidden;
  char rest[8];
};
template <class Visitor> static void each_pointer(const holder &h, Visitor visit) { visit(h.hidden); }
struct large {
  char bytes[5000];
};
template <class Visitor> static void each_pointer(const large &, Visitor) {}

__global__ void read_at(const int *x, int64_t i, int *y) { *y = x[i]; }
__global__ void read_hidden(const holder h, int *y) { *y = *h.hidden; }
__global__ void take_large(const large l, int *y) { *y = l.bytes[0]; }
__global__ void read_shared_at(int i, int *y) {
  ICL_SHARED(int, shared, 8);
  const int *first = shared; /* of whose bounds the compiler knows nothing */
  *y = first[i];
}

static void test_memory() {
  int *x = device<int>(ELEMENTS), *y = device<int>(1), *gone = device<int>(1), host = 1;
  cudaFree(gone);
  expect((uintptr_t)x % 256 == 0 && (uintptr_t)x % 4096 != 0, "memory is aligned to 256 bytes and not to a page");
  expect_noticed("host code reads device memory", "host code touches", [=] { printf("%d", *(volatile int *)x); });
  expect_noticed("far past the end", "device code touches", [=] { RUN_TO_END(read_at, 1, 1, x, 1 << 20, y); });
  expect_noticed("freed memory as an argument", "neither in device", [=] { RUN(read_at, 1, 1, gone, 0, y); });
  expect_noticed("freed memory by way of another", "freed", [=] { RUN_TO_END(read_at, 1, 1, x, gone - x, y); });
  expect_noticed("a host pointer", "neither in device", [&] { RUN(read_at, 1, 1, &host, 0, y); });
  expect_noticed("a host pointer in a struct", "neither in device", [&] {
    RUN(read_hidden, 1, 1, (holder{&host, {0}}), y);
  });
  expect_noticed("freed twice", "no live device allocation", [=] { cudaFree(gone); });
  expect_noticed("not pinned", "no pinned allocation", [&] { cudaFreeHost(&host); });
  expect_noticed("too many parameters", "bytes of parameters", [=] { RUN(take_large, 1, 1, large{}, y); });
  expect_noticed("a block that is too large", "not possible", [=] { RUN(read_at, 1, 2048, x, 0, y); });
  expect_noticed("an empty grid", "not possible", [=] { RUN(read_at, 0, 1, x, 0, y); });
  expect_noticed("too much dynamic memory", "must be asked for",
                 [=] { ICL_LAUNCH(read_at, dim3(1), dim3(1), 100000, stream, x, 0, y); });
  expect_noticed("a refused allocation", "refused", [] {
    if (cudasim_refuse(1), !device<int>(1) && cudaGetLastError() == cudaErrorMemoryAllocation)
      fprintf(stderr, "refused\n");
  });
  expect_noticed("a refused launch", "refused", [=] {
    if (cudasim_refuse_launch(1), RUN(read_at, 1, 1, x, 0, y) == cudaErrorMemoryAllocation)
      fprintf(stderr, "refused\n");
  });
  RUN_TO_END(read_at, 1, 1, x, ELEMENTS - 1, y);
  expect(first_of(y) == -1, "new memory is poisoned");
  if (ASAN) {
    expect_noticed("one past the end", "use-after-poison", [=] { RUN_TO_END(read_at, 1, 1, x, ELEMENTS, y); });
    expect_noticed("one past shared memory", "use-after-poison", [=] { RUN_TO_END(read_shared_at, 1, 1, 8, y); });
  }
  cudaFree(x);
  cudaFree(y);
}

/* MANY is more than the mappings that a process has by default. */
static void test_many() {
  enum { MANY = 70000, LAST = MANY - 1 };
  std::vector<int *> x;
  for (int i = 0; i < MANY; i++)
    x.push_back(device<int>(1));
  RUN_TO_END(read_at, 1, 1, x[0], 0, x[LAST]);
  expect(first_of(x[LAST]) == -1, "many small allocations are there at once");
  expect_noticed("host code reads one of many", "host code touches", [&] { printf("%d", *(volatile int *)x[LAST]); });
  expect_noticed("freed memory among many", "freed", [&] {
    cudaFree(x[LAST - 1]);
    RUN_TO_END(read_at, 1, 1, x[0], x[LAST - 1] - x[0], x[LAST]);
  });
  for (int *one : x)
    cudaFree(one);
  for (int i = 0; i < MANY; i++)
    cudaFree(device<int>(1));
  x[0] = device<int>(1);
  expect(first_of(x[0]) == -1, "what was freed leaves no mappings behind");
  cudaFree(x[0]);
}

/* ---- the pool ---- */

static int *pooled(size_t bytes) {
  void *memory = nullptr;
  cudaMallocAsync(&memory, bytes, stream);
  return (int *)memory;
}

static uint64_t pool_attribute(cudaMemPoolAttr attribute) {
  cudaMemPool_t pool;
  uint64_t value = 0;
  cudaDeviceGetDefaultMemPool(&pool, 0);
  cudaMemPoolGetAttribute(pool, attribute, &value);
  return value;
}

static void test_pool() {
  int *x = pooled(4000), *y = device<int>(1), *gone = pooled(4);
  cudaMemPool_t pool;
  uint64_t keep = 1 << 20;
  cudaDeviceGetDefaultMemPool(&pool, 0);
  RUN(read_at, 1, 1, gone, 0, y);
  cudaFreeAsync(gone, stream);
  expect(first_of(y) == -1, "what the stream did before the memory was freed is good");
  expect_noticed("use behind cudaFreeAsync()", "neither in device", [=] { RUN(read_at, 1, 1, gone, 0, y); });
  expect_noticed("use behind it by way of another", "freed", [=] { RUN_TO_END(read_at, 1, 1, x, gone - x, y); });
  expect_noticed("freed twice", "no live device allocation", [=] { cudaFreeAsync(gone, stream); });
  expect_noticed("cudaFree() of the pool's", "cudaMallocAsync()'s", [=] { cudaFree(x); });
  expect_noticed("cudaFreeAsync() of the device's", "cudaMalloc()'s", [=] { cudaFreeAsync(y, stream); });
  expect_noticed("nothing is allocated", "0 bytes", [] { pooled(0); });
  cudaFreeAsync(x, stream);
  expect(pool_attribute(cudaMemPoolAttrUsedMemCurrent) == 4000, "memory is the pool's until the stream frees it");
  cudaStreamSynchronize(stream);
  expect(pool_attribute(cudaMemPoolAttrUsedMemCurrent) == 0 && pool_attribute(cudaMemPoolAttrReservedMemCurrent) == 0,
         "a pool keeps nothing when the host has waited");
  cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep);
  cudaFreeAsync(pooled(4000), stream);
  cudaStreamSynchronize(stream);
  expect(pool_attribute(cudaMemPoolAttrReservedMemCurrent) == 4000, "but what its threshold lets it keep");
  size_t before, behind, all;
  cudaMemGetInfo(&before, &all);
  cudaMemPoolTrimTo(pool, 0);
  cudaMemGetInfo(&behind, &all);
  expect(behind - before == 4000, "it gives that back when asked to");
  keep = 0;
  cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep);
  expect(!pooled((size_t)1 << 40) && cudaGetLastError() == cudaErrorMemoryAllocation, "the device's memory has an end");
  cudaFree(y);
}

/* ---- streams ---- */

__global__ void set(int *x, int value) { *x = value; }
__global__ void add(const int *x, int value, int *y) { *y = *x + value; }

static void test_streams() {
  int *x = device<int>(1), *y = device<int>(1), *host = pinned<int>(1), pageable = 0;
  RUN(set, 1, 1, x, 3);
  cudaMemcpyAsync(host, x, sizeof *host, cudaMemcpyDeviceToHost, stream);
  if (!TSAN) /* where looking is a race */
    expect(*host == -1, "nothing runs before the host waits");
  cudaStreamSynchronize(stream);
  expect(*host == 3, "all has run when the host has waited");
  expect_noticed("the default stream", "no stream", [=] { ICL_LAUNCH(set, dim3(1), dim3(1), 0, nullptr, x, 1); });
  expect_noticed("a copy to pageable memory", "must be pinned",
                 [&] { cudaMemcpyAsync(&pageable, x, 4, cudaMemcpyDeviceToHost, stream); });
  expect_noticed("a copy past the end", "not in the memory",
                 [=] { cudaMemcpyAsync(y, x, 8, cudaMemcpyDeviceToDevice, stream); });
  expect_noticed("a copy onto itself", "overlap", [=] { cudaMemcpyAsync(x, x, 4, cudaMemcpyDeviceToDevice, stream); });

  cudaStream_t other = new_stream();
  cudaEvent_t event = new_event();
  RUN(set, 1, 1, x, 7);
  cudaEventRecord(event, stream);
  cudaStreamWaitEvent(other, event, 0);
  ICL_LAUNCH(add, dim3(1), dim3(1), 0, other, x, 1, y);
  cudaStreamSynchronize(other);
  expect(first_of(y) == 8, "a stream waits for an event of another");
  if (!TSAN) { /* where it is a race */
    bool wrong = false;
    for (unsigned seed = 1; seed < 40; seed++) {
      RUN_TO_END(set, 1, 1, x, 0);
      cudasim_set("forward", "random", seed);
      RUN(set, 1, 1, x, 7);
      ICL_LAUNCH(add, dim3(1), dim3(1), 0, other, x, 1, y);
      cudaDeviceSynchronize();
      cudasim_set("forward", "lazy", 1);
      wrong = wrong || first_of(y) != 8;
    }
    expect(wrong, "a missing event shows in some order");
  }
  cudaEventDestroy(event);
  cudaStreamDestroy(other);
  cudaFree(x);
  cudaFree(y);
  cudaFreeHost(host);
}

static void test_times() {
  cudaEvent_t from, to, untimed = new_event();
  float milliseconds = -1;
  cudaEventCreate(&from);
  cudaEventCreate(&to);
  cudaEventRecord(from, stream);
  cudaEventRecord(to, stream);
  expect(cudaEventElapsedTime(&milliseconds, from, to) == cudaErrorNotReady, "there is no time before the event");
  int questions = 0;
  while (cudaEventQuery(to) == cudaErrorNotReady)
    questions++;
  expect(questions > 0 && cudaEventElapsedTime(&milliseconds, from, to) == cudaSuccess && milliseconds >= 0,
         "questions for an event find it in the end, and its time");
  cudaEventRecord(untimed, stream);
  cudaEventSynchronize(untimed);
  expect(cudaEventElapsedTime(&milliseconds, from, untimed) == cudaErrorInvalidResourceHandle && cudaGetLastError(),
         "an event without times has none");
  for (cudaEvent_t event : {from, to, untimed})
    cudaEventDestroy(event);
}

/* ---- graphs ---- */

/* x = value on one stream, y = x + 1 on another. */
static cudaGraph_t capture(int *x, int *y, bool fork, bool join) {
  cudaStream_t other = new_stream();
  cudaEvent_t begin = new_event(), end = new_event();
  cudaGraph_t graph;
  if (!fork)
    cudaEventRecord(begin, other);
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  RUN(set, 1, 1, x, 5);
  if (fork)
    cudaEventRecord(begin, stream);
  cudaStreamWaitEvent(fork ? other : stream, begin, 0);
  ICL_LAUNCH(add, dim3(1), dim3(1), 0, other, x, 1, y);
  cudaEventRecord(end, other);
  if (join)
    cudaStreamWaitEvent(stream, end, 0);
  cudaStreamEndCapture(stream, &graph);
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  cudaStreamDestroy(other);
  return graph;
}

static void test_graphs() {
  int *x = device<int>(1), *y = device<int>(1);
  cudaGraph_t graph = capture(x, y, true, true);
  cudaGraphExec_t executable;
  size_t nodes;
  cudaGraphGetNodes(graph, nullptr, &nodes);
  expect(nodes == 2, "a capture holds what was launched");
  expect(first_of(y) == -1, "a capture runs nothing");
  cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  for (unsigned seed = 1; seed < 4; seed++) {
    cudasim_set("random", "random", seed);
    cudaGraphLaunch(executable, stream);
    expect(first_of(y) == 6, "a graph runs in the order of its edges, again and again");
  }
  cudasim_set("forward", "lazy", 1);
  cudaGraphExecDestroy(executable);
  expect_noticed("work that is never joined", "never joined", [=] { capture(x, y, true, false); });
  expect_noticed("an event from outside", "outside of the capture", [=] { capture(x, y, false, true); });
  auto captured = [](std::function<void()> body) {
    return [=] {
      cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
      body();
    };
  };
  expect_noticed("waiting in a capture", "while a stream is captured", captured([] { cudaStreamSynchronize(stream); }));
  expect_noticed("memory in a capture", "while a stream is captured", captured([] { device<int>(1); }));
  expect_noticed("memory of the pool in a capture", "while a stream is captured", captured([] { pooled(4); }));
  cudaFree(x);
  cudaFree(y);
}

/* ---- races, for the thread sanitizer; it looks away in a process that was forked, so each is a program of its own
 * ---- */

static void missing_event() {
  int *x = device<int>(1), *y = device<int>(1);
  RUN(set, 1, 1, x, 7);
  ICL_LAUNCH(add, dim3(1), dim3(1), 0, new_stream(), x, 1, y);
  cudaDeviceSynchronize();
}

static const struct {
  const char *name;
  void (*run)();
} races[] = {
    {"correct code", [] { sums().run<true, true, true>(); }},
    {"no barrier", [] { sums().run<false, true, true>(); }},
    {"no fence before the ticket", [] { sums().run<true, false, true>(); }},
    {"no fence behind the ticket", [] { sums().run<true, true, false>(); }},
    {"a missing event", missing_event},
};

static void test_races() {
  for (size_t i = 0; i < sizeof races / sizeof *races; i++) {
    std::string number = std::to_string(i);
    std::string text = output_of([&] { execl("/proc/self/exe", "race", number.c_str(), nullptr); });
    expect((text.find("data race") != std::string::npos) == (i > 0), races[i].name);
  }
}

int main(int argc, char **argv) {
  stream = new_stream();
  if (argc > 1) {
    races[atoi(argv[1])].run();
    return 0;
  }
  test_threads();
  test_orders();
  test_memory();
  test_many();
  test_pool();
  test_streams();
  test_times();
  test_graphs();
  if (TSAN)
    test_races();
  expect(cudasim_live() == 1, "what was not given back is counted");
  cudaStreamDestroy(stream);
  expect(cudasim_live() == 0, "and what was is not");
  return close_tests();
}
