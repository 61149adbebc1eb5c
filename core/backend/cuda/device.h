/* device.h - an NVIDIA GPU: its stream, its libraries, memory in the order of the stream, and a ring of pinned memory
 * on the way to it and back. */
#ifndef ICL_BACKEND_CUDA_DEVICE_H
#define ICL_BACKEND_CUDA_DEVICE_H

#include <cublas_v2.h>
#include <cudnn.h>

#include "backend/cuda/kernels/kernels.h"
#include "backend/cuda/libraries.h"
#include "plan/device.h"

/* Segments are filled one after another; one is filled again when the copies from and to it are done. */
enum { ICL__CUDA_SEGMENTS = 4, ICL__CUDA_SEGMENT_BYTES = 4 << 20 };
typedef struct {
  char *memory;
  int current;
  size_t used; /* of the current segment */
  cudaEvent_t done[ICL__CUDA_SEGMENTS];
  bool busy[ICL__CUDA_SEGMENTS]; /* its event was recorded */
} icl__cuda_staging;

typedef struct {
  int ordinal;
  cudaStream_t stream, beside;   /* for what overlap.c takes out of the order */
  struct icl__cuda_group *group; /* group.c; NULL: there is none */
  cudaStream_t talk;             /* for what is sent to its ranks */
  cudaMemPool_t pool;
  const icl__cuda_libraries *libraries;
  cudnnHandle_t cudnn; /* both on the stream */
  cublasHandle_t cublas;
  void *cublas_workspace;
  icl__cuda_scratch scratch;
  icl__cuda_staging staging;
  struct icl__cuda_conv *convs; /* conv.c */
  bool tf32, precise, deterministic, check_nan, profile;
  bool blocking; /* CUDA_LAUNCH_BLOCKING, as NVIDIA calls it: each op is waited for, so that an error names its own */
  char name[256];
  int capability; /* 90 of 9.0 */
} icl__cuda_device;

/* ICL_OK, or the sentence of the runtime after "cuda: <what>: ". */
icl_status icl__cuda_check(cudaError_t error, const char *what);

/* Are ops launched one after another, never as a graph or on two streams? */
static inline bool icl__cuda_in_order(const icl__cuda_device *d) { return d->check_nan || d->profile || d->blocking; }

icl_status icl__cuda_open(const icl__device_options *options, void **device);
void icl__cuda_close(void *device);
void icl__cuda_describe(void *device, char *text, size_t size);
int icl__cuda_count(void);

/* Makes the device that of the calling thread. */
icl_status icl__cuda_enter(const icl__cuda_device *device);

/* Convolutions go to this stream from now on. */
icl_status icl__cuda_use_stream(icl__cuda_device *device, cudaStream_t stream);

/* ---- memory.c: those of device.h of the plan ---- */

icl_status icl__cuda_allocate(void *device, size_t bytes, void **memory);
void icl__cuda_release(void *device, void *memory);
size_t icl__cuda_available(void *device);
icl_status icl__cuda_upload(void *device, void *memory, const void *host, size_t bytes);
icl_status icl__cuda_download(void *device, void *host, const void *memory, size_t bytes);
icl_status icl__cuda_copy(void *device, void *to, const void *from, size_t bytes);
icl_status icl__cuda_wait(void *device);

icl_status icl__cuda_staging_open(icl__cuda_staging *staging);
void icl__cuda_staging_close(icl__cuda_staging *staging);

#endif
