/* launch.cpp - what is put on streams: kernels and copies, checked when they are asked for. */
#include "simulator.h"

#include <memory>
#include <vector>

namespace sim {

/* ---- kernels ---- */

enum : size_t { MOST_PARAMETER_BYTES = 4096, MOST_SHARED_BYTES = 48 << 10 };

static bool is_possible(dim3 grid, dim3 block) {
  uint64_t threads = (uint64_t)block.x * block.y * block.z;
  return threads > 0 && threads <= 1024 && block.z <= 64 && grid.x > 0 && grid.y > 0 && grid.z > 0 &&
         grid.x <= 0x7fffffff && grid.y <= 65535 && grid.z <= 65535;
}

static void check_pointer(const void *pointer, void *context) {
  const kernel *k = (const kernel *)context;
  if (pointer && !is_device(pointer, 1) && !is_pinned(pointer, 1))
    fail("%s: the argument %p is neither in device nor in pinned memory", k->name, pointer);
}

/* Blocks run one after another, in the order that threads have as well. */
static void run_grid(const work &w) {
  size_t blocks = (size_t)w.grid.x * w.grid.y * w.grid.z;
  std::vector<size_t> order(blocks);
  for (size_t i = 0; i < blocks; i++)
    order[i] = setting.threads == REVERSE ? blocks - 1 - i : i;
  for (size_t i = blocks; setting.threads == RANDOM && i > 1; i--)
    std::swap(order[i - 1], order[draw(i)]);
  open_memory();
  begin_grid();
  for (size_t i : order)
    run_block(w,
              dim3((unsigned)(i % w.grid.x), (unsigned)(i / w.grid.x % w.grid.y), (unsigned)(i / w.grid.x / w.grid.y)));
  end_grid();
}

cudaError_t launch(const kernel *k, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                   const void *arguments) {
  std::shared_ptr<const void> owned(arguments, k->destroy);
  if (!is_possible(grid, block))
    fail("%s: a grid of %u,%u,%u blocks of %u,%u,%u threads is not possible", k->name, grid.x, grid.y, grid.z, block.x,
         block.y, block.z);
  if (shared_bytes > MOST_SHARED_BYTES)
    fail("%s: %zu bytes of dynamic shared memory; more than %zu must be asked for", k->name, shared_bytes,
         (size_t)MOST_SHARED_BYTES);
  if (k->parameter_bytes > MOST_PARAMETER_BYTES)
    fail("%s: %zu bytes of parameters; there are %zu", k->name, k->parameter_bytes, (size_t)MOST_PARAMETER_BYTES);
  k->pointers(arguments, check_pointer, (void *)k);
  check_stream(stream, k->name);
  if (device_of(stream) != current_device())
    return result(cudaErrorInvalidResourceHandle);
  if (setting.refused_launch && --setting.refused_launch == 0) {
    std::swap(setting.refused_launch, setting.refused_next);
    refuse_captured(stream);
    return result(cudaErrorMemoryAllocation);
  }
  /* The stream alone owns the arguments from here on: it frees them when it has run. */
  return enqueue(stream, k->name, [=, owned = std::move(owned)] {
    if (setting.bad && !strncmp(k->name, setting.bad, strlen(setting.bad)))
      late_error = cudaErrorIllegalAddress;
    if (late_error == cudaSuccess)
      run_grid({k, owned.get(), grid, block, shared_bytes});
  });
}

/* ---- copies ---- */

static void expect(bool condition, const char *call, const char *what) {
  if (!condition)
    fail("%s: %s", call, what);
}

static bool overlap(const void *a, const void *b, size_t bytes) {
  return (const char *)a < (const char *)b + bytes && (const char *)b < (const char *)a + bytes;
}

} // namespace sim

using namespace sim;

extern "C" {

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const char *call = "cudaMemcpyAsync";
  if (!bytes)
    return cudaSuccess;
  expect(kind <= cudaMemcpyDeviceToDevice && kind != cudaMemcpyHostToHost, call, "the direction must be said");
  expect(kind == cudaMemcpyDeviceToHost ? is_pinned(to, bytes) : is_device(to, bytes), call,
         "the destination is not in the memory that the direction says; host memory must be pinned");
  expect(kind == cudaMemcpyHostToDevice ? is_pinned(from, bytes) : is_device(from, bytes), call,
         "the source is not in the memory that the direction says; host memory must be pinned");
  expect(!overlap(to, from, bytes), call, "source and destination overlap");
  return enqueue(stream, call, [=] {
    const void *host = kind == cudaMemcpyDeviceToHost ? to : from;
    expect(kind == cudaMemcpyDeviceToDevice || is_pinned(host, bytes), call, "the pinned memory was freed meanwhile");
    opened target(to), source(from);
    memcpy(to, from, bytes);
  });
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
  if (!bytes)
    return cudaSuccess;
  expect(is_device(to, bytes), "cudaMemsetAsync", "the destination is not in device memory");
  return enqueue(stream, "cudaMemsetAsync", [=] {
    opened target(to);
    memset(to, value, bytes);
  });
}

} // extern "C"
