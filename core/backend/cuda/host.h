/* host.h - what the plug-in takes from the library that opens it: the message of an error and memory, which are one for
 * both, threads, and groups of processes. host.c defines their functions by the table of backend/host.h. */
#ifndef ICL_BACKEND_CUDA_HOST_H
#define ICL_BACKEND_CUDA_HOST_H

#include "backend/host.h"

void icl__cuda_set_host(const icl__host *host);

#endif
