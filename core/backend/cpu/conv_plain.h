/* conv_plain.h - a convolution in plain loops, for any shape: what is computed by it when nothing else can. */
#ifndef ICL_BACKEND_CPU_CONV_PLAIN_H
#define ICL_BACKEND_CPU_CONV_PLAIN_H

#include "backend/cpu/kernels/conv_kernel.h"

extern const icl__conv_kernel icl__conv_plain;

#endif
