/* device_memory.h - the memory of a device, which is that of the host where the device has none of its own. */
#ifndef ICL_PLAN_DEVICE_MEMORY_H
#define ICL_PLAN_DEVICE_MEMORY_H

#include "plan/device.h"

/* May the host read and write the device's memory? */
static inline bool icl__device_shares_memory(const icl__backend *backend) { return !backend->allocate; }

/* ENOMEM with the size in its message. */
icl_status icl__device_allocate(const icl__backend *backend, void *device, size_t bytes, void **memory);
void icl__device_release(const icl__backend *backend, void *device, void *memory); /* NULL is allowed */
size_t icl__device_available(const icl__backend *backend, void *device);           /* bytes */

icl_status icl__device_upload(const icl__backend *backend, void *device, void *to, const void *host, size_t bytes);
icl_status icl__device_download(const icl__backend *backend, void *device, void *host, const void *from, size_t bytes);
/* From one place of the device to another; they do not overlap. */
icl_status icl__device_copy(const icl__backend *backend, void *device, void *to, const void *from, size_t bytes);

#endif
