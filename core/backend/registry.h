/* registry.h - devices by name: those that are built in, and those of plug-ins. */
#ifndef ICL_BACKEND_REGISTRY_H
#define ICL_BACKEND_REGISTRY_H

#include "base/text.h"
#include "plan/device.h"

/* "cpu", or "cuda:1": the backend, and in *ordinal the number behind the colon, 0 where there is none. The message of
 * an error says which devices are built in and why this one cannot be used: EINVAL, it is no name of a device; ENOENT,
 * ENOTSUP as icl__plugin_open(). */
icl_status icl__backend_find(const char *device, const icl__backend **result, int *ordinal);

/* Adds the names of those that are built in, of plug-ins, and cuda in any case, as lines. */
void icl__backend_names(icl__text *names);

#endif
