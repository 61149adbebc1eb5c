/* memory.c - see memory.h. */
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static char *reserve(size_t bytes, int access) {
  void *range = mmap(NULL, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return range == MAP_FAILED ? NULL : range;
}

bool far_memory_open(far_memory *memory, size_t bytes) {
  *memory = (far_memory){.bytes = bytes};
  memory->shown = reserve(bytes, PROT_NONE);
  memory->real = reserve(bytes, PROT_READ | PROT_WRITE);
  return memory->shown && memory->real;
}

void far_memory_close(far_memory *memory) {
  if (memory->shown)
    munmap(memory->shown, memory->bytes);
  if (memory->real)
    munmap(memory->real, memory->bytes);
  free(memory->block);
}

void *far_memory_real(const far_memory *memory, const void *address) {
  return address ? memory->real + ((uintptr_t)address - (uintptr_t)memory->shown) : NULL;
}

/* The first gap of `size` bytes; *at: the block that will follow. */
static bool find_gap(const far_memory *memory, size_t size, size_t *offset, int *at) {
  size_t end = 0;
  for (*at = 0; *at < memory->blocks && memory->block[*at].offset - end < size; ++*at)
    end = memory->block[*at].offset + memory->block[*at].bytes;
  *offset = end;
  return *at < memory->blocks || memory->bytes - end >= size;
}

void *far_memory_take(far_memory *memory, size_t bytes) {
  enum { ALIGNMENT = 256 };
  size_t size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, offset;
  int at;
  if (memory->blocks == memory->capacity) {
    int capacity = memory->capacity ? 2 * memory->capacity : 64;
    far_block *grown = realloc(memory->block, (size_t)capacity * sizeof *grown);
    if (!grown)
      return NULL;
    memory->block = grown;
    memory->capacity = capacity;
  }
  if (!find_gap(memory, size, &offset, &at))
    return NULL;
  memmove(memory->block + at + 1, memory->block + at, (size_t)(memory->blocks - at) * sizeof *memory->block);
  memory->block[at] = (far_block){offset, size};
  memory->blocks++;
  memory->used += size;
  memset(memory->real + offset, 0xff, size);
  return memory->shown + offset;
}

void far_memory_give(far_memory *memory, const void *address) {
  size_t offset = (size_t)((uintptr_t)address - (uintptr_t)memory->shown);
  int at = 0;
  while (at < memory->blocks && memory->block[at].offset != offset)
    at++;
  if (at == memory->blocks)
    abort(); /* it was never handed out, or was given back before */
  memory->used -= memory->block[at].bytes;
  memory->blocks--;
  memmove(memory->block + at, memory->block + at + 1, (size_t)(memory->blocks - at) * sizeof *memory->block);
}
