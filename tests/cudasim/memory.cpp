/* memory.cpp - device and pinned memory.
 *
 * Device memory lies in an address range of its own that cannot be touched while host code runs. An allocation is
 * aligned to 256 bytes and not to more, is full of poison, and its addresses are never used again. */
#include "simulator.h"

#include <algorithm>
#include <map>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace sim {

/* Behind each of the first GUARDED live allocations lies a page that is in none. The system lets a process have few
 * mappings (vm.max_map_count), so later ones lie side by side and share theirs. */
enum : size_t { PAGE = 4096, LARGE_PAGE = (size_t)2 << 20, RANGE = (size_t)1 << 38, GUARDED = 16384 };

struct allocation {
  size_t bytes, mapped; /* asked for; pages that it takes, from ALIGNMENT bytes before it on */
  long number;
  bool pooled, forgotten; /* the second: freed by a call that its stream has not come to yet */
};
typedef std::map<char *, allocation> allocations; /* by address */

/* Never destroyed: the handler of a crash at exit reads them. */
static allocations &device = *new allocations, &freed = *new allocations, &pinned = *new allocations;
static char *range, *unused;
static size_t in_use;
static long allocated;
static int turns;
static bool is_open;
static struct sigaction previous;

void poison(void *memory, size_t bytes) {
  asm volatile("rep stosb" : "+D"(memory), "+c"(bytes) : "a"(0xff) : "memory");
}
void clear(void *memory, size_t bytes) { asm volatile("rep stosb" : "+D"(memory), "+c"(bytes) : "a"(0) : "memory"); }

static void set_access(char *pages, size_t bytes, bool open) {
  if (mprotect(pages, bytes, open ? PROT_READ | PROT_WRITE : PROT_NONE))
    fail("%zu live allocations are more mappings than the system lets a process have; vm.max_map_count says how many",
         device.size());
}

static void protect(bool open) {
  for (auto a = device.begin(); a != device.end();) {
    char *pages = a->first - ALIGNMENT, *end = pages;
    for (; a != device.end() && a->first - ALIGNMENT == end; ++a)
      end += a->second.mapped;
    set_access(pages, (size_t)(end - pages), open);
  }
  is_open = open;
}

device_turn::device_turn() { turns++; }

device_turn::~device_turn() {
  if (--turns == 0 && is_open)
    protect(false);
}

void open_memory() {
  if (!is_open)
    protect(true);
}

/* ---- what an address is ---- */

/* The allocation that begins at or before `address`, or end(). */
static allocations::iterator before(allocations &all, const void *address) {
  auto next = all.upper_bound((char *)address);
  return next == all.begin() ? all.end() : --next;
}

opened::opened(const void *address) : pages(nullptr), bytes(0) {
  auto a = before(device, address);
  if (is_open || a == device.end() || (char *)address >= a->first + a->second.bytes)
    return;
  pages = a->first - ALIGNMENT;
  bytes = a->second.mapped;
  set_access((char *)pages, bytes, true);
}

opened::~opened() {
  if (pages)
    set_access((char *)pages, bytes, false);
}

static bool holds(allocations &all, const void *address, size_t bytes) {
  auto a = before(all, address);
  return a != all.end() && !a->second.forgotten && (char *)address + bytes <= a->first + a->second.bytes;
}

bool is_device(const void *address, size_t bytes) { return holds(device, address, bytes); }
bool is_pinned(const void *address, size_t bytes) { return holds(pinned, address, bytes); }

/* Says what device address was touched; other faults go to whoever handled them before. */
static void on_fault(int signal_number, siginfo_t *info, void *context) {
  char *address = (char *)info->si_addr;
  if (!range || address < range || address >= range + RANGE) {
    if (previous.sa_flags & SA_SIGINFO && previous.sa_sigaction)
      previous.sa_sigaction(signal_number, info, context);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    return;
  }
  auto a = before(device, address), gone = before(freed, address);
  bool is_gone = gone != freed.end() && (a == device.end() || gone->first > a->first);
  if (is_gone)
    a = gone;
  const char *who = turns ? "device code" : "host code";
  if (a == device.end())
    fprintf(stderr, "cudasim: %s touches device address %p, which is in no allocation\n", who, (void *)address);
  else
    fprintf(stderr, "cudasim: %s touches byte %ld of %s device allocation %ld of %zu bytes\n", who,
            (long)(address - a->first), is_gone ? "the freed" : "the", a->second.number, a->second.bytes);
  _exit(77);
}

/* Addresses with nothing behind them. Those around them that have nothing either become one mapping with them. */
static char *reserve(char *at, size_t bytes) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0);
  void *pages = mmap(at, bytes, PROT_NONE, flags, -1, 0);
  if (pages == MAP_FAILED)
    fail("no address range for device memory");
  madvise(pages, bytes, MADV_HUGEPAGE); /* fewer pages to open and close */
  return (char *)pages;
}

static void reserve_range() {
  range = reserve(nullptr, RANGE);
  unused = range + PAGE;
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, &previous);
}

static bool is_refused() {
  allocated++;
  return setting.refused && --setting.refused == 0;
}

static void *allocate(size_t bytes, bool pooled) {
  if (!range)
    reserve_range();
  size_t mapped = (ALIGNMENT + bytes + PAGE - 1) / PAGE * PAGE;
  if (mapped >= LARGE_PAGE)
    unused = (char *)(((uintptr_t)unused + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE);
  if (unused + mapped > range + RANGE)
    fail("the address range of device memory is used up; addresses are never used again");
  char *memory = unused + ALIGNMENT;
  set_access(unused, mapped, true);
  madvise(unused, mapped, MADV_DONTDUMP); /* unlike the pages around it, a mapping of its own that stays one */
  poison(unused, mapped);
#if defined __SANITIZE_ADDRESS__
  __asan_poison_memory_region(unused, ALIGNMENT);
  __asan_poison_memory_region(memory + bytes, mapped - ALIGNMENT - bytes);
#endif
  if (!is_open)
    set_access(unused, mapped, false);
  unused += mapped + (device.size() < GUARDED ? (size_t)PAGE : 0);
  device[memory] = {bytes, mapped, allocated, pooled, false};
  live_things++;
  return memory;
}

static size_t release(allocations::iterator a) {
  char *pages = a->first - ALIGNMENT;
  size_t bytes = a->second.bytes;
  reserve(pages, a->second.mapped);
  freed[a->first] = a->second;
  device.erase(a);
  return bytes;
}

static allocations::iterator find(const char *call, void *memory) {
  auto a = device.find((char *)memory);
  if (a == device.end() || a->second.forgotten)
    fail("%s(%p): no live device allocation begins there", call, memory);
  return a;
}

void *take_pooled(size_t bytes) { return is_refused() ? nullptr : allocate(bytes, true); }

void forget_pooled(void *memory) {
  auto a = find("cudaFreeAsync", memory);
  if (!a->second.pooled)
    fail("cudaFreeAsync(%p): the memory is cudaMalloc()'s", memory);
  a->second.forgotten = true;
  live_things--;
}

size_t release_pooled(void *memory) { return release(device.find((char *)memory)); }

size_t available() { return setting.memory - in_use - pool_bytes(); }

} // namespace sim

using namespace sim;

/* ---- the runtime's functions ---- */

extern "C" {

cudaError_t cudaMalloc(void **memory, size_t bytes) {
  refuse_in_capture("cudaMalloc");
  *memory = nullptr;
  if (!bytes)
    return cudaSuccess;
  if (is_refused() || bytes > available())
    return result(cudaErrorMemoryAllocation);
  *memory = allocate(bytes, false);
  in_use += bytes;
  return cudaSuccess;
}

cudaError_t cudaFree(void *memory) {
  refuse_in_capture("cudaFree");
  if (!memory)
    return cudaSuccess;
  finish_streams();
  auto a = find("cudaFree", memory);
  if (a->second.pooled)
    fail("cudaFree(%p): the memory is cudaMallocAsync()'s; what frees that is cudaFreeAsync()", memory);
  in_use -= release(a);
  live_things--;
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void **memory, size_t bytes) {
  refuse_in_capture("cudaMallocHost");
  *memory = is_refused() ? nullptr : aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
  if (!*memory)
    return result(cudaErrorMemoryAllocation);
  poison(*memory, bytes);
  live_things++;
  pinned[(char *)*memory] = {bytes, 0, allocated, false, false};
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory) {
  refuse_in_capture("cudaFreeHost");
  if (!memory)
    return cudaSuccess;
  finish_streams();
  if (!pinned.erase((char *)memory))
    fail("cudaFreeHost(%p): no pinned allocation begins there", memory);
  live_things--;
  free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
  *total = setting.memory;
  *available = sim::available();
  return cudaSuccess;
}

} // extern "C"
