/* libcuda.c - a double of the driver's library, libcuda.so.1, of a machine without a GPU: modules load, nothing runs.
 *
 * cuDNN compiles some of its engines when a plan is made and loads the result at once; without a driver it leaves these
 * engines out. cuInit() fails, so that everything else sees that there is no device. */
#include <cuda.h>

static char object; /* stands for every module and function */

/* What succeeds, by its parameters and what it sets. */
#define LOADS(name, parameters, ...)                                                                                   \
  CUresult CUDAAPI name parameters {                                                                                   \
    __VA_ARGS__;                                                                                                       \
    return CUDA_SUCCESS;                                                                                               \
  }

LOADS(cuDriverGetVersion, (int *version), *version = CUDA_VERSION)
LOADS(cuLibraryLoadData,
      (CUlibrary * library, const void *code, CUjit_option *a, void **b, unsigned c, CUlibraryOption *d, void **e,
       unsigned f),
      (void)code, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, *library = (CUlibrary)&object)
LOADS(cuLibraryGetKernel, (CUkernel * kernel, CUlibrary library, const char *name), (void)library, (void)name,
      *kernel = (CUkernel)&object)
LOADS(cuLibraryGetGlobal, (CUdeviceptr * address, size_t *bytes, CUlibrary library, const char *name), (void)library,
      (void)name, *address = 4096, *bytes = 4096)
LOADS(cuLibraryUnload, (CUlibrary library), (void)library)
LOADS(cuKernelSetAttribute, (CUfunction_attribute attribute, int value, CUkernel kernel, CUdevice device),
      (void)attribute, (void)value, (void)kernel, (void)device)
LOADS(cuKernelGetAttribute, (int *value, CUfunction_attribute attribute, CUkernel kernel, CUdevice device),
      (void)attribute, (void)kernel, (void)device, *value = 0)
LOADS(cuKernelGetFunction, (CUfunction * function, CUkernel kernel), *function = (CUfunction)kernel)
LOADS(cuModuleLoadData, (CUmodule * module, const void *image), (void)image, *module = (CUmodule)&object)
LOADS(cuModuleLoadDataEx, (CUmodule * module, const void *image, unsigned count, CUjit_option *options, void **values),
      (void)image, (void)count, (void)options, (void)values, *module = (CUmodule)&object)
LOADS(cuModuleGetFunction, (CUfunction * function, CUmodule module, const char *name), (void)module, (void)name,
      *function = (CUfunction)&object)
LOADS(cuModuleUnload, (CUmodule module), (void)module)
LOADS(cuFuncSetAttribute, (CUfunction function, CUfunction_attribute attribute, int value), (void)function,
      (void)attribute, (void)value)
LOADS(cuFuncGetAttribute, (int *value, CUfunction_attribute attribute, CUfunction function), (void)attribute,
      (void)function, *value = 0)
LOADS(cuGetErrorString, (CUresult error, const char **text), (void)error, *text = "there is no device")
LOADS(cuGetErrorName, (CUresult error, const char **text), (void)error, *text = "CUDA_ERROR_NO_DEVICE")

CUresult CUDAAPI cuInit(unsigned flags) {
  (void)flags;
  return CUDA_ERROR_NO_DEVICE;
}

/* What is looked up and fails, whatever it is given. */
#define FAILS(name)                                                                                                    \
  CUresult fails_##name(void) __asm__(#name);                                                                          \
  CUresult fails_##name(void) { return CUDA_ERROR_NO_DEVICE; }

FAILS(cuCtxGetCurrent)
FAILS(cuCtxGetDevice)
FAILS(cuCtxGetLimit)
FAILS(cuCtxPopCurrent)
FAILS(cuCtxPushCurrent)
FAILS(cuDeviceGet)
FAILS(cuDeviceGetAttribute)
FAILS(cuDeviceGetCount)
FAILS(cuDevicePrimaryCtxRelease)
FAILS(cuDevicePrimaryCtxReset)
FAILS(cuDevicePrimaryCtxRetain)
FAILS(cuLaunchCooperativeKernel)
FAILS(cuLaunchKernel)
FAILS(cuLaunchKernelEx)
FAILS(cuLibraryLoadFromFile)
FAILS(cuLinkAddData)
FAILS(cuLinkAddData_v2)
FAILS(cuLinkAddFile_v2)
FAILS(cuLinkComplete)
FAILS(cuLinkCreate)
FAILS(cuLinkCreate_v2)
FAILS(cuLinkDestroy)
FAILS(cuMemcpyDtoH_v2)
FAILS(cuOccupancyMaxActiveBlocksPerMultiprocessor)
FAILS(cuOccupancyMaxPotentialClusterSize)
FAILS(cuStreamGetCtx)
FAILS(cuStreamSynchronize)
FAILS(cuTensorMapEncodeIm2col)
FAILS(cuTensorMapEncodeTiled)
