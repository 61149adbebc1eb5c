/* memory.c - memory of the device in the order of its stream, and copies by way of pinned memory. */
#include "backend/cuda/device.h"

#include <string.h>

/* ---- the ring of pinned memory ---- */

icl_status icl__cuda_staging_open(icl__cuda_staging *s) {
  void *memory;
  ICL__TRY(icl__cuda_check(cudaMallocHost(&memory, (size_t)ICL__CUDA_SEGMENTS * ICL__CUDA_SEGMENT_BYTES),
                           "pinned memory for copies"));
  s->memory = memory;
  for (int i = 0; i < ICL__CUDA_SEGMENTS; i++)
    ICL__TRY(icl__cuda_check(cudaEventCreateWithFlags(&s->done[i], cudaEventDisableTiming), "an event"));
  return ICL_OK;
}

void icl__cuda_staging_close(icl__cuda_staging *s) {
  for (int i = 0; i < ICL__CUDA_SEGMENTS; i++)
    if (s->done[i])
      cudaEventDestroy(s->done[i]);
  if (s->memory)
    cudaFreeHost(s->memory);
}

/* Pinned memory that is the caller's until the next take(); `bytes` is at most that of a segment. */
static icl_status take(icl__cuda_device *device, size_t bytes, void **memory) {
  enum { LINE = 64 };
  icl__cuda_staging *s = &device->staging;
  if (s->used + bytes > ICL__CUDA_SEGMENT_BYTES) {
    ICL__TRY(icl__cuda_check(cudaEventRecord(s->done[s->current], device->stream), "a mark in the stream"));
    s->busy[s->current] = true;
    s->current = (s->current + 1) % ICL__CUDA_SEGMENTS;
    s->used = 0;
    if (s->busy[s->current])
      ICL__TRY(icl__cuda_check(cudaEventSynchronize(s->done[s->current]), "copies from the host"));
    s->busy[s->current] = false;
  }
  *memory = s->memory + (size_t)s->current * ICL__CUDA_SEGMENT_BYTES + s->used;
  s->used += (bytes + LINE - 1) / LINE * LINE;
  return ICL_OK;
}

/* ---- copies ---- */

static size_t piece_of(size_t bytes) { return bytes < ICL__CUDA_SEGMENT_BYTES ? bytes : ICL__CUDA_SEGMENT_BYTES; }

icl_status icl__cuda_upload(void *context, void *memory, const void *host, size_t bytes) {
  icl__cuda_device *device = context;
  ICL__TRY(icl__cuda_enter(device));
  for (size_t at = 0; at < bytes;) {
    size_t piece = piece_of(bytes - at);
    void *pinned;
    ICL__TRY(take(device, piece, &pinned));
    memcpy(pinned, (const char *)host + at, piece);
    ICL__TRY(icl__cuda_check(
        cudaMemcpyAsync((char *)memory + at, pinned, piece, cudaMemcpyHostToDevice, device->stream), "upload"));
    at += piece;
  }
  return ICL_OK;
}

icl_status icl__cuda_download(void *context, void *host, const void *memory, size_t bytes) {
  icl__cuda_device *device = context;
  if (!bytes)
    return icl__cuda_wait(device);
  ICL__TRY(icl__cuda_enter(device));
  for (size_t at = 0; at < bytes;) {
    size_t piece = piece_of(bytes - at);
    void *pinned;
    ICL__TRY(take(device, piece, &pinned));
    ICL__TRY(icl__cuda_check(
        cudaMemcpyAsync(pinned, (const char *)memory + at, piece, cudaMemcpyDeviceToHost, device->stream), "download"));
    ICL__TRY(icl__cuda_wait(device));
    memcpy((char *)host + at, pinned, piece);
    at += piece;
  }
  return ICL_OK;
}

icl_status icl__cuda_copy(void *context, void *to, const void *from, size_t bytes) {
  icl__cuda_device *device = context;
  if (!bytes)
    return ICL_OK;
  ICL__TRY(icl__cuda_enter(device));
  return icl__cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, device->stream), "copy");
}

icl_status icl__cuda_wait(void *context) {
  icl__cuda_device *device = context;
  ICL__TRY(icl__cuda_enter(device));
  return icl__cuda_check(cudaStreamSynchronize(device->stream), "in what was begun since the last wait");
}

/* ---- memory ---- */

icl_status icl__cuda_allocate(void *context, size_t bytes, void **memory) {
  icl__cuda_device *device = context;
  ICL__TRY(icl__cuda_enter(device));
  cudaError_t error = cudaMallocAsync(memory, bytes, device->stream);
  if (error == cudaErrorMemoryAllocation) {
    size_t left = 0, all = 0;
    cudaGetLastError(); /* it is told here, and must not meet the next launch */
    cudaMemGetInfo(&left, &all);
    return icl__fail(ICL_ENOMEM,
                     "cuda: no memory for %.1f MB: %.1f of %.1f MB are free on GPU %d; a smaller batch or model, or "
                     "bf16, needs less",
                     (double)bytes / 1e6, (double)left / 1e6, (double)all / 1e6, device->ordinal);
  }
  return icl__cuda_check(error, "memory");
}

/* What fails here has failed before, and the next wait tells of it. */
void icl__cuda_release(void *context, void *memory) {
  icl__cuda_device *device = context;
  if (icl__cuda_enter(device) == ICL_OK)
    cudaFreeAsync(memory, device->stream);
}

/* Free memory of the GPU, and what the pool holds for later. */
size_t icl__cuda_available(void *context) {
  icl__cuda_device *device = context;
  size_t left = 0, all = 0;
  uint64_t reserved = 0, used = 0;
  if (icl__cuda_enter(device) != ICL_OK || cudaMemGetInfo(&left, &all) != cudaSuccess)
    return 0;
  cudaMemPoolGetAttribute(device->pool, cudaMemPoolAttrReservedMemCurrent, &reserved);
  cudaMemPoolGetAttribute(device->pool, cudaMemPoolAttrUsedMemCurrent, &used);
  return left + (size_t)(reserved - used);
}
