/* host.c - see host.h. */
#include "group/mpi/host.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

static const icl__communicator_host *host;

void icl__mpi_set_host(const icl__communicator_host *given) { host = given; }

icl_status icl__fail(icl_status status, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return host->fail(status, "%s", text);
}

/* The rest of base/memory.h is made of these. */
void *icl__alloc(size_t count, size_t bytes) { return host->allocate(count, bytes); }
void icl__free(void *memory) { host->release(memory); }
