/* host.c - see host.h. */
#include "backend/cuda/host.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* ---- base/memory.h ---- */

void *icl__alloc(size_t count, size_t bytes) { return host->allocate(count, bytes); }
void icl__free(void *memory) { host->release(memory); }

void *icl__calloc(size_t count, size_t bytes) {
  void *memory = icl__alloc(count, bytes);
  return memory ? memset(memory, 0, count * bytes) : NULL;
}

void *icl__realloc(void *memory, size_t count, size_t bytes) {
  void *result = icl__alloc(count, bytes);
  if (result && memory) {
    size_t old = malloc_usable_size(memory), total = count * bytes;
    memcpy(result, memory, old < total ? old : total);
    icl__free(memory);
  }
  return result;
}

char *icl__strdup(const char *text) {
  size_t bytes = strlen(text) + 1;
  char *copy = icl__alloc(bytes, 1);
  return copy ? memcpy(copy, text, bytes) : NULL;
}

void *icl__grow(void *array, size_t *capacity, size_t needed, size_t bytes) {
  if (array && needed <= *capacity)
    return array;
  size_t wanted = 2 * *capacity > needed ? 2 * *capacity : needed;
  wanted = wanted < 8 ? 8 : wanted;
  void *grown = icl__realloc(array, wanted, bytes);
  if (grown)
    *capacity = wanted;
  return grown;
}
