/* counted.cpp - see counted.h.
 *
 * The kernels of this program are compiled as for the thread sanitizer, but linked with this file in the place of its
 * library: what the compiler has called before each access comes here. The cache is as large as the smallest that a GPU
 * of the plug-in has (T4), and forgets what was used longest ago. A sector that is written is not read before. */
#include "counted.h"
#include "simulator.h"

namespace sim {

enum { SECTOR = 32, WAYS = 16, SET_BITS = 13 }; /* 4 MB */

struct line {
  uintptr_t sector; /* 0: empty */
  uint64_t used;
  bool is_dirty;
};
static line cache[1 << SET_BITS][WAYS];
static uint64_t now;
static counted_bytes moved;
static bool is_counting;

static void write_back(const line &l) { moved.written += l.is_dirty ? SECTOR : 0; }

static void touch_sector(uintptr_t sector, bool writes) {
  line *set = cache[sector * 0x9e3779b97f4a7c15u >> (64 - SET_BITS)], *oldest = set;
  now++;
  for (line *l = set; l < set + WAYS; l++) {
    if (l->sector == sector) {
      l->used = now;
      l->is_dirty |= writes;
      return;
    }
    oldest = l->used < oldest->used ? l : oldest;
  }
  write_back(*oldest);
  moved.read += writes ? 0 : SECTOR;
  *oldest = {sector, now, writes};
}

static void touch(const void *address, size_t bytes, bool writes) {
  if (!is_counting || !is_device(address, bytes))
    return;
  for (uintptr_t s = (uintptr_t)address / SECTOR; s <= ((uintptr_t)address + bytes - 1) / SECTOR; s++)
    touch_sector(s, writes);
}

} // namespace sim

using namespace sim;

extern "C" {

void counted_begin(void) {
  memset(cache, 0, sizeof cache);
  moved = {0, 0};
  is_counting = true;
}

counted_bytes counted_end(void) {
  is_counting = false;
  for (const auto &set : cache)
    for (const line &l : set)
      write_back(l);
  return moved;
}

#define ACCESS(bytes)                                                                                                  \
  void __tsan_read##bytes(void *address) { touch(address, bytes, false); }                                             \
  void __tsan_write##bytes(void *address) { touch(address, bytes, true); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
void __tsan_read_range(void *address, unsigned long bytes) { touch(address, bytes, false); }
void __tsan_write_range(void *address, unsigned long bytes) { touch(address, bytes, true); }

/* Tickets and counts. */
unsigned __tsan_atomic32_load(const unsigned *address, int) { return *address; }
unsigned __tsan_atomic32_exchange(unsigned *address, unsigned value, int) { return std::exchange(*address, value); }
unsigned __tsan_atomic32_fetch_add(unsigned *address, unsigned value, int) {
  return std::exchange(*address, *address + value);
}
uint64_t __tsan_atomic64_fetch_add(uint64_t *address, uint64_t value, int) {
  return std::exchange(*address, *address + value);
}
int __tsan_atomic32_compare_exchange_weak(unsigned *address, unsigned *expected, unsigned value, int, int) {
  bool equal = *address == *expected;
  (equal ? *address : *expected) = equal ? value : *address;
  return equal;
}

void __tsan_init(void) {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit(void) {}

} // extern "C"
