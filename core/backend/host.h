/* host.h - a backend in a shared object of its own, a plug-in: libicl_NAME.so, opened when device NAME is asked for.
 *
 * It is built from the headers of the library that opens it, whose structures it reads and writes, and exports one
 * function, ICL__PLUGIN_OPEN. The symbols of the library are hidden from it: what has to be the library's own, such as
 * the message of an error, comes in the table of the host. */
#ifndef ICL_BACKEND_HOST_H
#define ICL_BACKEND_HOST_H

#include <pthread.h>

#include "plan/plan.h"

/* Changes with the version of the interface and with the sizes of what both sides look into. */
#define ICL__BACKEND_ABI ((uint64_t)8 << 48 | (uint64_t)sizeof(icl__plan) << 24 | (uint64_t)sizeof(icl__pnode))

typedef struct {
  uint64_t abi; /* the first field in every version */
  icl_status (*fail)(icl_status status, const char *format, ...) ICL__PRINTF(2, 3);
  const char *(*message)(void);
  void *(*allocate)(size_t count, size_t bytes); /* what one side allocates the other may free: nodes of a plan */
  void (*release)(void *memory);
  const icl__backend *(*built_in)(const char *name); /* "cpu", "ref", to build upon; NULL for another name */

  /* base/threads.h */
  int (*thread_start)(pthread_t *thread, void *(*body)(void *), void *argument);

  /* of groups: icl.h, group/group.h */
  int (*rank)(const icl_group *group);
  int (*size)(const icl_group *group);
  const char *(*host_of)(const icl_group *group, int rank);
  bool (*fast_reduce)(const icl_group *group);
  icl_status (*broadcast)(icl_group *group, int root, void *data, size_t bytes);
  icl_status (*gather)(icl_group *group, const void *mine, size_t bytes, void *all);
  icl_status (*check)(icl_group *group);
  void (*abort)(icl_group *group, const char *why);
} icl__host;

/* The backend, which stays as long as the process; NULL, with a message, if it cannot work on this machine. It must
 * compare host->abi with its own ICL__BACKEND_ABI before it uses anything else. */
typedef const icl__backend *icl__plugin_open_fn(const icl__host *host);
#define ICL__PLUGIN_OPEN "icl_backend_open"

#endif
