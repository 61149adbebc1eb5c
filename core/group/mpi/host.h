/* host.h - functions of base that the plug-in uses, made of the library's own. */
#ifndef ICL_GROUP_MPI_HOST_H
#define ICL_GROUP_MPI_HOST_H

#include "group/communicator.h"

void icl__mpi_set_host(const icl__communicator_host *host);

#endif
