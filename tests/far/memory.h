/* memory.h - the memory of the far device: addresses that the host must not use.
 *
 * An address lies in a range that nobody may read or write; its bytes lie as far into another range. Blocks are filled
 * with bytes that are NaN in every float when they are handed out. */
#ifndef ICL_TESTS_FAR_MEMORY_H
#define ICL_TESTS_FAR_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  size_t offset, bytes;
} far_block;

typedef struct {
  char *shown, *real;
  size_t bytes, used;
  int blocks, capacity;
  far_block *block; /* in the order of their places */
} far_memory;

bool far_memory_open(far_memory *memory, size_t bytes);
void far_memory_close(far_memory *memory);
void *far_memory_take(far_memory *memory, size_t bytes); /* an address; NULL: there is no room */
void far_memory_give(far_memory *memory, const void *address);
void *far_memory_real(const far_memory *memory, const void *address); /* where its bytes are; NULL for NULL */

#endif
