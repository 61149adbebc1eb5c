/* memory.h - all memory of the library.
 *
 * Blocks are aligned to a cache line, counted, and tested for overflow of count * bytes. NULL means that memory is out;
 * the message is then left, so that callers write: if (!p) return ICL_ENOMEM. */
#ifndef ICL_BASE_MEMORY_H
#define ICL_BASE_MEMORY_H

#include "base/status.h"

enum { ICL__ALIGNMENT = 64 };

/* `count` elements of `bytes` bytes each, contents undefined; for none of them still a pointer that can be freed. */
void *icl__alloc(size_t count, size_t bytes) __attribute__((malloc));
void *icl__calloc(size_t count, size_t bytes) __attribute__((malloc)); /* zeros */
/* Keeps the contents up to the smaller size. On failure the old block stays as it is. */
void *icl__realloc(void *memory, size_t count, size_t bytes);
char *icl__strdup(const char *text);
void icl__free(void *memory); /* NULL is allowed */

/* The array, moved if it must be, with room for `needed` elements of `bytes` bytes; it grows by doubling. NULL on
 * failure: the old array stays as it is. */
void *icl__grow(void *array, size_t *capacity, size_t needed, size_t bytes);

/* Bytes in use by the blocks above. */
size_t icl__memory_in_use(void);
/* Bytes that this process can still use: the least of what the machine has and its control groups allow. */
size_t icl__memory_available(void);

/* For tests: `count` more allocations succeed, all later ones fail. A negative count ends that. */
void icl__alloc_fail_after(int64_t count);

#endif
