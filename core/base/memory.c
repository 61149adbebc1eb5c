/* memory.c - counted, aligned memory. The size of a block is asked of the C library, so blocks carry no header. */
#include "base/memory.h"

#include "base/cgroup.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* From this size on a block starts on a huge page, and the kernel is asked to use such pages. */
enum { HUGE_BLOCK = 4 << 20, HUGE_PAGE = 2 << 20 };

static atomic_size_t in_use;
static atomic_int_fast64_t allowance = -1; /* allocations that still succeed; negative: all */

static bool is_refused(void) {
  int_fast64_t left = atomic_load_explicit(&allowance, memory_order_relaxed);
  while (left > 0)
    if (atomic_compare_exchange_weak(&allowance, &left, left - 1))
      return false;
  return left == 0;
}

void icl__alloc_fail_after(int64_t count) { atomic_store(&allowance, count < 0 ? -1 : count); }

void *icl__alloc(size_t count, size_t bytes) {
  size_t total;
  void *memory = NULL;
  if (__builtin_mul_overflow(count, bytes, &total) || total > PTRDIFF_MAX) {
    icl__fail(ICL_ENOMEM, "out of memory: %zu elements of %zu bytes are more than an address can reach", count, bytes);
    return NULL;
  }
  size_t alignment = total >= HUGE_BLOCK ? HUGE_PAGE : ICL__ALIGNMENT;
  if (is_refused() || posix_memalign(&memory, alignment, total ? total : 1) != 0) {
    icl__fail(ICL_ENOMEM, "out of memory: no room for a block of %zu bytes; a smaller batch or model needs less",
              total);
    return NULL;
  }
  if (total >= HUGE_BLOCK)
    madvise(memory, total, MADV_HUGEPAGE); /* advice only: a kernel without huge pages may say no */
  atomic_fetch_add_explicit(&in_use, malloc_usable_size(memory), memory_order_relaxed);
  return memory;
}

void icl__free(void *memory) {
  if (memory)
    atomic_fetch_sub_explicit(&in_use, malloc_usable_size(memory), memory_order_relaxed);
  free(memory);
}

size_t icl__memory_in_use(void) { return atomic_load(&in_use); }

/* What the kernel thinks can be had without swapping. */
static size_t machine_available(void) {
  unsigned long long kib = 0;
  char line[256];
  bool found = false;
  FILE *file = fopen("/proc/meminfo", "re");
  while (file && !found && fgets(line, sizeof line, file))
    found = sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
  if (file)
    fclose(file);
  return found ? (size_t)kib * 1024 : SIZE_MAX;
}

size_t icl__memory_available(void) {
  size_t machine = machine_available(), group = icl__cgroup_memory_left();
  return machine < group ? machine : group;
}
