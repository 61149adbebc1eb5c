/* cgroup.h - limits that a container or a batch system sets on this process (Linux control groups, versions 1 and 2).
 */
#ifndef ICL_BASE_CGROUP_H
#define ICL_BASE_CGROUP_H

#include "base/status.h"

/* Bytes this process may still use before the limit of its groups; SIZE_MAX without a limit. */
size_t icl__cgroup_memory_left(void);

/* Cores worth of processor time it may use, rounded up; INT_MAX without a limit. */
int icl__cgroup_cores(void);

#endif
