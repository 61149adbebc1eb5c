/* device_memory.c - see device_memory.h. */
#include "plan/device_memory.h"

#include <string.h>

#include "base/memory.h"

icl_status icl__device_allocate(const icl__backend *backend, void *device, size_t bytes, void **memory) {
  size_t size = bytes ? bytes : 1;
  if (backend->allocate)
    return backend->allocate(device, size, memory);
  *memory = icl__alloc(size, 1);
  return *memory ? ICL_OK : icl__fail(ICL_ENOMEM, "no memory for a value of %zu bytes", bytes);
}

void icl__device_release(const icl__backend *backend, void *device, void *memory) {
  if (!memory)
    return;
  if (backend->release)
    backend->release(device, memory);
  else
    icl__free(memory);
}

size_t icl__device_available(const icl__backend *backend, void *device) {
  return backend->available ? backend->available(device) : icl__memory_available();
}

static icl_status copy_on_host(void *to, const void *from, size_t bytes) {
  if (bytes)
    memcpy(to, from, bytes);
  return ICL_OK;
}

icl_status icl__device_upload(const icl__backend *backend, void *device, void *to, const void *host, size_t bytes) {
  return backend->upload ? backend->upload(device, to, host, bytes) : copy_on_host(to, host, bytes);
}

icl_status icl__device_download(const icl__backend *backend, void *device, void *host, const void *from, size_t bytes) {
  return backend->download ? backend->download(device, host, from, bytes) : copy_on_host(host, from, bytes);
}

icl_status icl__device_copy(const icl__backend *backend, void *device, void *to, const void *from, size_t bytes) {
  return backend->copy ? backend->copy(device, to, from, bytes) : copy_on_host(to, from, bytes);
}
