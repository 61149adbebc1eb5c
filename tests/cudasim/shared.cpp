/* shared.cpp - shared memory: new addresses for each block, so that nothing is left of the block before it, full of
 * poison, with a zone behind each array that the address sanitizer watches. */
#include "shared.h"

#include "simulator.h"

#include <sys/mman.h>
#include <vector>
#if defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace sim {

enum : size_t { REGION = 64 << 20, BLOCK_MOST = 512 << 10, STATIC_MOST = 48 << 10, ZONE = 16, MOST_ARRAYS = 64 };

struct array {
  const void *site;
  char *memory;
};

static char *region;
static size_t used, static_bytes;
static std::vector<array> &arrays = *new std::vector<array>;
static void *dynamic;

void *new_shared(size_t bytes) {
  char *memory = region + used;
  used += (bytes + 2 * ZONE - 1) / ZONE * ZONE;
#if defined __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(memory, bytes);
  __asan_poison_memory_region(memory + bytes, (size_t)(region + used - memory) - bytes);
#endif
  poison(memory, bytes);
  return memory;
}

void begin_shared(size_t dynamic_bytes) {
  if (region && used + BLOCK_MOST > REGION) {
    munmap(region, REGION);
    region = nullptr;
  }
  if (!region) {
    region = (char *)mmap(nullptr, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
      fail("no memory for shared memory");
    used = 0;
  }
  arrays.clear();
  arrays.reserve(MOST_ARRAYS); /* so that a simulated thread allocates nothing */
  static_bytes = 0;
  dynamic = dynamic_bytes ? new_shared(dynamic_bytes) : nullptr;
}

void *shared(const void *site, size_t bytes) {
  for (const array &a : arrays)
    if (a.site == site)
      return a.memory;
  static_bytes += bytes;
  if (static_bytes > STATIC_MOST)
    fail("a kernel has %zu bytes of static shared memory; there are %zu", static_bytes, (size_t)STATIC_MOST);
  char *memory = (char *)new_shared(bytes);
  arrays.push_back({site, memory});
  return memory;
}

void *dynamic_shared() {
  if (!dynamic)
    fail("a kernel uses dynamic shared memory that its launch does not give it");
  return dynamic;
}

} // namespace sim
