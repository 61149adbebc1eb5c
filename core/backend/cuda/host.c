/* host.c - see host.h. */
#include "backend/cuda/host.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

static const icl__host *host;

void icl__cuda_set_host(const icl__host *given) { host = given; }

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
