/* device.h - the reference as a device: evaluates recorded nodes one by one in f64. */
#ifndef ICL_BACKEND_REF_DEVICE_H
#define ICL_BACKEND_REF_DEVICE_H

#include "plan/device.h"

extern const icl__backend icl__ref_backend;

#endif
