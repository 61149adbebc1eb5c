/* blocks.c - what of memory.h is made of icl__alloc() and icl__free(), wherever these come from: a plug-in has them of
 * the library that opened it. */
#include "base/memory.h"

#include <malloc.h>
#include <string.h>

void *icl__calloc(size_t count, size_t bytes) {
  void *memory = icl__alloc(count, bytes);
  if (memory)
    memset(memory, 0, count * bytes);
  return memory;
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
  if (copy)
    memcpy(copy, text, bytes);
  return copy;
}

void *icl__grow(void *array, size_t *capacity, size_t needed, size_t bytes) {
  if (array && needed <= *capacity)
    return array;
  size_t doubled = *capacity <= SIZE_MAX / 2 ? 2 * *capacity : SIZE_MAX, wanted = doubled > needed ? doubled : needed;
  if (wanted < 8)
    wanted = 8;
  void *grown = icl__realloc(array, wanted, bytes);
  if (grown)
    *capacity = wanted;
  return grown;
}
