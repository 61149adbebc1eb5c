/* nvcc.cpp - what host code that nvcc made calls of the runtime: it registers each kernel by the name that it has on
 * the device, and launches it by its function. Machine code of a GPU cannot run here. In its place runs the kernel of
 * that name as g++ compiled it, where that is part of the same library as the simulator. */
#include "simulator.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <map>
#include <stdlib.h>
#include <vector>

namespace sim {

known_kernel *known_kernel::first;

static std::map<const void *, kernel> &registered = *new std::map<const void *, kernel>; /* by function of nvcc's */

struct configuration {
  dim3 grid, block;
  size_t shared_bytes;
  cudaStream_t stream;
};
static std::vector<configuration> &configurations = *new std::vector<configuration>;

/* The function of that name in the library that this is part of. */
static const void *function_of(const char *name) {
  Dl_info here;
  dladdr((const void *)function_of, &here);
  void *library = dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD), *function = dlsym(library, name);
  dlclose(library);
  return function;
}

static const kernel *kernel_of(const void *function) {
  for (known_kernel *k = known_kernel::first; function && k; k = k->next)
    if (k->function == function)
      return &k->k;
  return nullptr;
}

} // namespace sim

using namespace sim;

extern "C" {

void **__cudaRegisterFatBinary(void *) {
  static void *handle;
  return &handle;
}
void __cudaRegisterFatBinaryEnd(void **) {}
void __cudaUnregisterFatBinary(void **) {}

void __cudaRegisterFunction(void **, const char *function, char *, const char *name, int, uint3 *, uint3 *, dim3 *,
                            dim3 *, int *) {
  const kernel *k = kernel_of(function_of(name));
  if (!k)
    fail("no kernel %s is known to the simulator", name);
  registered[function] = *k;
  registered[function].name = abi::__cxa_demangle(name, nullptr, nullptr, nullptr);
}

cudaError_t __cudaGetKernel(cudaKernel_t *handle, const void *function) {
  auto found = registered.find(function);
  if (found == registered.end())
    fail("a kernel is launched that was never registered");
  *handle = (cudaKernel_t)&found->second;
  return cudaSuccess;
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared_bytes, CUstream_st *stream) {
  configurations.push_back({grid, block, shared_bytes, stream});
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes, void *stream) {
  configuration c = configurations.back();
  configurations.pop_back();
  *grid = c.grid;
  *block = c.block;
  *shared_bytes = c.shared_bytes;
  *(cudaStream_t *)stream = c.stream;
  return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t handle, dim3 grid, dim3 block, void **parameters, size_t shared_bytes,
                               cudaStream_t stream) {
  const kernel *k = (const kernel *)handle;
  return launch(k, grid, block, shared_bytes, stream, k->copy(parameters));
}

} // extern "C"
