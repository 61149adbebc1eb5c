/* pool.cpp - stream-ordered allocation from the device's default pool.
 *
 * Memory is there from the call on that asks for it, and is gone when the stream comes to the call that frees it: what
 * the stream does with it later is a fault. The pool keeps what is freed until the host waits, and then as much as its
 * threshold says. */
#include "simulator.h"

#include <algorithm>

namespace sim {

static size_t used, used_high, reserved, reserved_high, threshold;

size_t pool_bytes() { return reserved; }

static void shrink(size_t bytes) { reserved = std::max(used, std::min(reserved, bytes)); }

void trim_pool() { shrink(threshold); }

/* The device has room for so many bytes more in the pool. */
static bool has_room(size_t bytes) {
  size_t kept = reserved - used;
  return bytes <= kept || bytes - kept <= available();
}

static cudaMemPool_t pool() {
  static char place;
  return (cudaMemPool_t)&place;
}

static void check(cudaMemPool_t given, const char *call) {
  if (given != pool())
    fail("%s: %p is no pool; there is the default pool of the device", call, (void *)given);
}

} // namespace sim

using namespace sim;

extern "C" {

cudaError_t cudaMallocAsync(void **memory, size_t bytes, cudaStream_t stream) {
  refuse_in_capture("cudaMallocAsync");
  *memory = nullptr;
  if (!bytes)
    fail("cudaMallocAsync: 0 bytes");
  check_stream(stream, "cudaMallocAsync");
  if (!has_room(bytes))
    finish_stream(stream); /* which may give some back */
  if (!has_room(bytes) || !(*memory = take_pooled(bytes)))
    return result(cudaErrorMemoryAllocation);
  used += bytes;
  used_high = std::max(used_high, used);
  reserved = std::max(reserved, used);
  reserved_high = std::max(reserved_high, reserved);
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream) {
  refuse_in_capture("cudaFreeAsync");
  if (!memory)
    return cudaSuccess;
  forget_pooled(memory);
  return enqueue(stream, "cudaFreeAsync", [=] { used -= release_pooled(memory); });
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *result_pool, int device) {
  *result_pool = pool();
  return device >= 0 && device < setting.devices ? cudaSuccess : result(cudaErrorInvalidDevice);
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t given, cudaMemPoolAttr attribute, void *value) {
  check(given, "cudaMemPoolSetAttribute");
  switch (attribute) {
  case cudaMemPoolAttrReleaseThreshold:
    threshold = *(const uint64_t *)value;
    return cudaSuccess;
  case cudaMemPoolAttrUsedMemHigh:
    used_high = used;
    return *(const uint64_t *)value == 0 ? cudaSuccess : result(cudaErrorInvalidValue);
  case cudaMemPoolAttrReservedMemHigh:
    reserved_high = reserved;
    return *(const uint64_t *)value == 0 ? cudaSuccess : result(cudaErrorInvalidValue);
  default:
    fail("cudaMemPoolSetAttribute: attribute %d is not simulated", (int)attribute);
  }
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t given, cudaMemPoolAttr attribute, void *value) {
  check(given, "cudaMemPoolGetAttribute");
  switch (attribute) {
  case cudaMemPoolAttrReleaseThreshold:
    *(uint64_t *)value = threshold;
    return cudaSuccess;
  case cudaMemPoolAttrReservedMemCurrent:
    *(uint64_t *)value = reserved;
    return cudaSuccess;
  case cudaMemPoolAttrReservedMemHigh:
    *(uint64_t *)value = reserved_high;
    return cudaSuccess;
  case cudaMemPoolAttrUsedMemCurrent:
    *(uint64_t *)value = used;
    return cudaSuccess;
  case cudaMemPoolAttrUsedMemHigh:
    *(uint64_t *)value = used_high;
    return cudaSuccess;
  default:
    fail("cudaMemPoolGetAttribute: attribute %d is not simulated", (int)attribute);
  }
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t given, size_t least) {
  check(given, "cudaMemPoolTrimTo");
  shrink(least);
  return cudaSuccess;
}

} // extern "C"
