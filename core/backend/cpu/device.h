/* device.h - the CPU as a device. */
#ifndef ICL_BACKEND_CPU_DEVICE_H
#define ICL_BACKEND_CPU_DEVICE_H

#include "plan/device.h"

extern const icl__backend icl__cpu_backend;

#endif
