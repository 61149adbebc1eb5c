/* registry.h - the devices that are built in, by name. */
#ifndef ICL_BACKEND_REGISTRY_H
#define ICL_BACKEND_REGISTRY_H

#include "plan/device.h"

/* EINVAL with the list of names for one that is not there. */
icl_status icl__backend_find(const char *name, const icl__backend **result);

#endif
