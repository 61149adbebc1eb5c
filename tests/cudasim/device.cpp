/* device.cpp - the simulated device, which looks like an H100, and errors. */
#include "simulator.h"

#include <stdio.h>

namespace sim {

static thread_local cudaError_t last;
static thread_local int chosen; /* as in every thread that has chosen none, the first */
cudaError_t late_error;

int current_device() { return chosen; }

cudaError_t result(cudaError_t error) {
  if (error != cudaSuccess)
    last = error;
  return error;
}

static const struct {
  cudaError_t error;
  const char *name, *text;
} errors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "stream capture was not initiated in this stream"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined", "capturing stream has unjoined work"},
};

static const struct {
  cudaDeviceAttr attribute;
  int value;
} attributes[] = {
    {cudaDevAttrComputeCapabilityMajor, 9},
    {cudaDevAttrComputeCapabilityMinor, 0},
    {cudaDevAttrMultiProcessorCount, 132},
    {cudaDevAttrWarpSize, 32},
    {cudaDevAttrMaxThreadsPerBlock, 1024},
    {cudaDevAttrMaxThreadsPerMultiProcessor, 2048},
    {cudaDevAttrMaxSharedMemoryPerBlock, 48 << 10},
    {cudaDevAttrMaxSharedMemoryPerBlockOptin, 227 << 10},
    {cudaDevAttrL2CacheSize, 50 << 20},
    {cudaDevAttrClockRate, 1980000},
    {cudaDevAttrMemoryClockRate, 2619000},
    {cudaDevAttrGlobalMemoryBusWidth, 5120},
    {cudaDevAttrMemoryPoolsSupported, 1},
};

static int value_of(cudaDeviceAttr attribute) {
  for (const auto &a : attributes)
    if (a.attribute == attribute)
      return a.value;
  fail("cudaDeviceGetAttribute: attribute %d is not simulated", (int)attribute);
}

} // namespace sim

using namespace sim;

extern "C" {

cudaError_t cudaGetDeviceCount(int *count) {
  *count = setting.devices;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= setting.devices)
    return result(cudaErrorInvalidDevice);
  chosen = device;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device) {
  *device = chosen;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device) {
  *value = value_of(attribute);
  return device >= 0 && device < setting.devices ? cudaSuccess : result(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device) {
  if (device < 0 || device >= setting.devices)
    return result(cudaErrorInvalidDevice);
  *properties = {};
  strcpy(properties->name, "Simulated H100");
  snprintf(properties->uuid.bytes, sizeof properties->uuid.bytes, "cuda:%d", device);
  properties->totalGlobalMem = setting.memory;
  properties->major = value_of(cudaDevAttrComputeCapabilityMajor);
  properties->minor = value_of(cudaDevAttrComputeCapabilityMinor);
  properties->multiProcessorCount = value_of(cudaDevAttrMultiProcessorCount);
  properties->warpSize = value_of(cudaDevAttrWarpSize);
  properties->maxThreadsPerBlock = value_of(cudaDevAttrMaxThreadsPerBlock);
  properties->maxThreadsPerMultiProcessor = value_of(cudaDevAttrMaxThreadsPerMultiProcessor);
  properties->sharedMemPerBlock = (size_t)value_of(cudaDevAttrMaxSharedMemoryPerBlock);
  properties->sharedMemPerBlockOptin = (size_t)value_of(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  properties->l2CacheSize = value_of(cudaDevAttrL2CacheSize);
  properties->memoryBusWidth = value_of(cudaDevAttrGlobalMemoryBusWidth);
  properties->memoryPoolsSupported = value_of(cudaDevAttrMemoryPoolsSupported);
  properties->unifiedAddressing = 1;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
  cudaError_t error = last;
  last = cudaSuccess;
  return error;
}

cudaError_t cudaPeekAtLastError(void) { return last; }

const char *cudaGetErrorString(cudaError_t error) {
  for (const auto &e : errors)
    if (e.error == error)
      return e.text;
  return "unrecognized error code";
}

const char *cudaGetErrorName(cudaError_t error) {
  for (const auto &e : errors)
    if (e.error == error)
      return e.name;
  return "unrecognized error code";
}

} // extern "C"
