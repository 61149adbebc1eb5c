/* choice.h - the kernel for a prototype, which is an icl__call with full shapes, dtypes, pitches and attributes,
 * without data. */
#ifndef ICL_BACKEND_CPU_KERNELS_CHOICE_H
#define ICL_BACKEND_CPU_KERNELS_CHOICE_H

#include "backend/kernel.h"

typedef struct {
  icl__kernel run;
  size_t workspace; /* scratch bytes that a call of the prototype's size needs */
  bool splits;      /* computes call->part of call->parts */
} icl__choice;

#endif
