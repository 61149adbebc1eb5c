/* device.c - opening and closing a GPU. */
#include "backend/cuda/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static bool is_asked_to_block(void) {
  const char *variable = getenv("CUDA_LAUNCH_BLOCKING");
  return variable && *variable && strcmp(variable, "0") != 0;
}

/* Kernels fail while the host is elsewhere, and every call behind that gets their error. */
static bool is_late(cudaError_t error) {
  return error == cudaErrorIllegalAddress || error == cudaErrorMisalignedAddress || error == cudaErrorLaunchFailure ||
         error == cudaErrorLaunchTimeout || error == cudaErrorIllegalInstruction ||
         error == cudaErrorHardwareStackError || error == cudaErrorInvalidPc || error == cudaErrorECCUncorrectable;
}

icl_status icl__cuda_check(cudaError_t error, const char *what) {
  if (error == cudaSuccess)
    return ICL_OK;
  cudaGetLastError(); /* errors that do not stick are told once */
  bool hint = is_late(error) && !is_asked_to_block();
  return icl__fail(error == cudaErrorMemoryAllocation ? ICL_ENOMEM : ICL_EBACKEND, "cuda: %s: %s%s", what,
                   cudaGetErrorString(error),
                   hint ? "; an op that was launched before may have failed: CUDA_LAUNCH_BLOCKING=1 names it" : "");
}

icl_status icl__cuda_enter(const icl__cuda_device *device) {
  return icl__cuda_check(cudaSetDevice(device->ordinal), "choosing the GPU");
}

/* ---- what there is ---- */

int icl__cuda_count(void) {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess)
    return count;
  cudaGetLastError();
  return 0;
}

static icl_status find_gpu(int ordinal) {
  int count = 0, driver = 0, runtime = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (error == cudaErrorInsufficientDriver && driver == 0)
    return icl__fail(ICL_ENOENT, "cuda: there is no driver; install NVIDIA's, for CUDA %d.%d or newer", runtime / 1000,
                     runtime % 1000 / 10);
  if (error == cudaErrorInsufficientDriver)
    return icl__fail(ICL_ENOTSUP, "cuda: the driver is for CUDA %d.%d; install one for CUDA %d.%d or newer",
                     driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
  if (error == cudaErrorNoDevice || (error == cudaSuccess && !count))
    return icl__fail(ICL_ENOENT, "cuda: the driver sees no GPU; CUDA_VISIBLE_DEVICES may hide it");
  ICL__TRY(icl__cuda_check(error, "looking for GPUs"));
  if (ordinal >= count)
    return icl__fail(ICL_ENOENT, "cuda: there %s cuda:0%s, not cuda:%d", count == 1 ? "is" : "are",
                     count == 1 ? "" : " and others", ordinal);
  return ICL_OK;
}

static icl_status look_at_gpu(icl__cuda_device *device) {
  enum { OLDEST = 75 };
  struct cudaDeviceProp properties;
  ICL__TRY(icl__cuda_check(cudaGetDeviceProperties(&properties, device->ordinal), "asking for the GPU's properties"));
  device->capability = properties.major * 10 + properties.minor;
  snprintf(device->name, sizeof device->name, "%s", properties.name);
  if (device->capability < OLDEST)
    return icl__fail(ICL_ENOTSUP, "cuda: %s has compute capability %d.%d; at least 7.5 is needed", properties.name,
                     properties.major, properties.minor);
  return ICL_OK;
}

/* ---- libraries ---- */

enum { CUBLAS_WORKSPACE = 32 << 20 };

static icl_status open_cublas(icl__cuda_device *device) {
  const icl__cuda_libraries *l = device->libraries;
  cublasStatus_t status = l->cublas.cublasCreate_v2(&device->cublas);
  if (status == CUBLAS_STATUS_SUCCESS)
    status = l->cublas.cublasSetStream_v2(device->cublas, device->stream);
  if (status != CUBLAS_STATUS_SUCCESS)
    return icl__fail(ICL_EBACKEND, "cuda: cuBLAS cannot start: %s", l->cublas.cublasGetStatusString(status));
  ICL__TRY(icl__cuda_check(cudaMalloc(&device->cublas_workspace, CUBLAS_WORKSPACE), "workspace of cuBLAS"));
  status = l->cublas.cublasSetWorkspace_v2(device->cublas, device->cublas_workspace, CUBLAS_WORKSPACE);
  return status == CUBLAS_STATUS_SUCCESS
             ? ICL_OK
             : icl__fail(ICL_EBACKEND, "cuda: workspace of cuBLAS: %s", l->cublas.cublasGetStatusString(status));
}

static icl_status open_cudnn(icl__cuda_device *device) {
  const icl__cuda_libraries *l = device->libraries;
  cudnnStatus_t status = l->cudnn.cudnnCreate(&device->cudnn);
  if (status != CUDNN_STATUS_SUCCESS)
    return icl__fail(ICL_EBACKEND, "cuda: cuDNN cannot start: %s", l->cudnn.cudnnGetErrorString(status));
  return icl__cuda_use_stream(device, device->stream);
}

icl_status icl__cuda_use_stream(icl__cuda_device *device, cudaStream_t stream) {
  const icl__cuda_libraries *l = device->libraries;
  cudnnStatus_t status = l->cudnn.cudnnSetStream(device->cudnn, stream);
  return status == CUDNN_STATUS_SUCCESS
             ? ICL_OK
             : icl__fail(ICL_EBACKEND, "cuda: cuDNN takes no stream: %s", l->cudnn.cudnnGetErrorString(status));
}

/* ---- the device ---- */

/* Memory that is freed stays with the pool, so that the next step finds it. */
static icl_status open_stream(icl__cuda_device *device) {
  uint64_t keep = UINT64_MAX;
  void *partial, *tickets;
  size_t ticket_bytes = ICL__CUDA_TICKETS * sizeof(unsigned);
  ICL__TRY(icl__cuda_check(cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking), "a stream"));
  ICL__TRY(icl__cuda_check(cudaStreamCreateWithFlags(&device->beside, cudaStreamNonBlocking), "a stream"));
  ICL__TRY(icl__cuda_check(cudaDeviceGetDefaultMemPool(&device->pool, device->ordinal), "the memory pool"));
  ICL__TRY(icl__cuda_check(cudaMemPoolSetAttribute(device->pool, cudaMemPoolAttrReleaseThreshold, &keep),
                           "the memory pool"));
  ICL__TRY(icl__cuda_check(cudaMalloc(&partial, ICL__CUDA_PARTIAL_FLOATS * sizeof(float)), "memory of kernels"));
  device->scratch.partial = partial;
  ICL__TRY(icl__cuda_check(cudaMalloc(&tickets, ticket_bytes), "memory of kernels"));
  device->scratch.tickets = tickets;
  ICL__TRY(icl__cuda_check(cudaMemsetAsync(tickets, 0, ticket_bytes, device->stream), "memory of kernels"));
  return icl__cuda_staging_open(&device->staging);
}

static icl_status open_all(icl__cuda_device *device) {
  ICL__TRY(find_gpu(device->ordinal));
  ICL__TRY(look_at_gpu(device));
  ICL__TRY(icl__cuda_open_libraries(&device->libraries));
  ICL__TRY(icl__cuda_enter(device));
  ICL__TRY(open_stream(device));
  ICL__TRY(open_cublas(device));
  return open_cudnn(device);
}

icl_status icl__cuda_open(const icl__device_options *options, void **result) {
  icl__cuda_device *device = icl__calloc(1, sizeof *device);
  if (!device)
    return ICL_ENOMEM;
  device->ordinal = options->ordinal;
  device->tf32 = !strcmp(options->precision, "tf32");
  device->precise = options->precise;
  device->deterministic = options->deterministic;
  device->check_nan = options->check_nan;
  device->profile = options->profile;
  device->blocking = is_asked_to_block();
  icl_status status = open_all(device);
  if (status != ICL_OK) {
    icl__cuda_close(device);
    return status;
  }
  *result = device;
  return ICL_OK;
}

void icl__cuda_close(void *context) {
  icl__cuda_device *device = context;
  if (device->stream) {
    icl__cuda_enter(device);
    cudaStreamSynchronize(device->stream);
  }
  if (device->cudnn)
    device->libraries->cudnn.cudnnDestroy(device->cudnn);
  if (device->cublas)
    device->libraries->cublas.cublasDestroy_v2(device->cublas);
  icl__cuda_staging_close(&device->staging);
  cudaFree(device->cublas_workspace);
  cudaFree(device->scratch.partial);
  cudaFree(device->scratch.tickets);
  if (device->pool)
    cudaMemPoolTrimTo(device->pool, 0);
  if (device->beside)
    cudaStreamDestroy(device->beside);
  if (device->stream)
    cudaStreamDestroy(device->stream);
  icl__free(device);
}

void icl__cuda_describe(void *context, char *text, size_t size) {
  const icl__cuda_device *device = context;
  size_t left = 0, all = 0, cudnn = device->libraries->cudnn.cudnnGetVersion();
  int runtime = 0, cublas = 0;
  cudaRuntimeGetVersion(&runtime);
  device->libraries->cublas.cublasGetVersion_v2(device->cublas, &cublas);
  if (icl__cuda_enter(device) == ICL_OK)
    cudaMemGetInfo(&left, &all);
  snprintf(text, size, "cuda:%d: %s, compute capability %d.%d, %.0f MB; CUDA %d.%d, cuDNN %zu.%zu.%zu, cuBLAS %d.%d.%d",
           device->ordinal, device->name, device->capability / 10, device->capability % 10, (double)all / 1e6,
           runtime / 1000, runtime % 1000 / 10, cudnn / 10000, cudnn / 100 % 100, cudnn % 100, cublas / 10000,
           cublas / 100 % 100, cublas % 100);
}
