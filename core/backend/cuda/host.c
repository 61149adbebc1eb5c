/* host.c - see host.h. */
#include "backend/cuda/host.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/threads.h"
#include "group/group.h"

static const icl__host *host;

/* Every search for the device opens the plug-in again, while threads of it may run. */
void icl__cuda_set_host(const icl__host *given) {
  if (host != given)
    host = given;
}

/* ---- base/status.h ---- */

enum { MESSAGE = 1024 };

const char *icl_message(void) { return host->message(); }

icl_status icl__fail(icl_status status, const char *format, ...) {
  char text[MESSAGE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return host->fail(status, "%s", text);
}

icl_status icl__wrap(icl_status status, const char *format, ...) {
  char text[MESSAGE], rest[MESSAGE];
  snprintf(rest, sizeof rest, "%s", host->message());
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return host->fail(status, "%s: %s", text, rest);
}

/* ---- base/memory.h; the rest of it is made of these ---- */

void *icl__alloc(size_t count, size_t bytes) { return host->allocate(count, bytes); }
void icl__free(void *memory) { host->release(memory); }

/* ---- base/threads.h ---- */

int icl__thread_start(pthread_t *thread, void *(*body)(void *), void *argument) {
  return host->thread_start(thread, body, argument);
}

/* ---- group/group.h, and what icl.h has of groups ---- */

int icl_group_rank(const icl_group *group) { return host->rank(group); }
int icl_group_size(const icl_group *group) { return host->size(group); }
const char *icl_group_host(const icl_group *group, int rank) { return host->host_of(group, rank); }
bool icl__group_fast_reduce(const icl_group *group) { return host->fast_reduce(group); }
icl_status icl_group_broadcast(icl_group *group, int root, void *data, size_t bytes) {
  return host->broadcast(group, root, data, bytes);
}
icl_status icl_group_gather(icl_group *group, const void *mine, size_t bytes, void *all) {
  return host->gather(group, mine, bytes, all);
}
icl_status icl__group_check(icl_group *group) { return host->check(group); }
void icl_group_abort(icl_group *group, const char *why) { host->abort(group, why); }
