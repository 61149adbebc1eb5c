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

enum : size_t { PAGE = 4096, RANGE = (size_t)1 << 36, CAPACITY = (size_t)8 << 30 };

struct allocation {
  size_t bytes, mapped; /* asked for; pages that it takes, from ALIGNMENT bytes before it on */
  bool live;
  long number;
};
typedef std::map<char *, allocation> allocations; /* by address */

/* Never destroyed: the handler of a crash at exit reads them. */
static allocations &device = *new allocations, &pinned = *new allocations;
static char *range, *unused;
static size_t in_use;
static long allocated;
static int open_count;
static struct sigaction previous;

void poison(void *memory, size_t bytes) {
  asm volatile("rep stosb" : "+D"(memory), "+c"(bytes) : "a"(0xff) : "memory");
}
void clear(void *memory, size_t bytes) { asm volatile("rep stosb" : "+D"(memory), "+c"(bytes) : "a"(0) : "memory"); }

static void protect(int access) {
  for (const auto &a : device)
    if (a.second.live)
      mprotect(a.first - ALIGNMENT, a.second.mapped, access);
}

opened::opened() {
  if (open_count++ == 0)
    protect(PROT_READ | PROT_WRITE);
}

opened::~opened() {
  if (--open_count == 0)
    protect(PROT_NONE);
}

/* ---- what an address is ---- */

/* The allocation that begins at or before `address`, or end(). */
static allocations::iterator before(allocations &all, const void *address) {
  auto next = all.upper_bound((char *)address);
  return next == all.begin() ? all.end() : --next;
}

static bool holds(allocations &all, const void *address, size_t bytes) {
  auto a = before(all, address);
  return a != all.end() && a->second.live && (char *)address + bytes <= a->first + a->second.bytes;
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
  auto a = before(device, address);
  const char *who = open_count ? "device code" : "host code";
  if (a == device.end())
    fprintf(stderr, "cudasim: %s touches device address %p, which is in no allocation\n", who, (void *)address);
  else
    fprintf(stderr, "cudasim: %s touches byte %ld of %s device allocation %ld of %zu bytes\n", who,
            (long)(address - a->first), a->second.live ? "the" : "the freed", a->second.number, a->second.bytes);
  _exit(77);
}

static void reserve_range() {
  range = (char *)mmap(nullptr, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED)
    fail("no address range for device memory");
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

static void *allocate(size_t bytes) {
  if (!range)
    reserve_range();
  size_t mapped = (ALIGNMENT + bytes + PAGE - 1) / PAGE * PAGE;
  char *memory = unused + ALIGNMENT;
  mprotect(unused, mapped, PROT_READ | PROT_WRITE);
  poison(unused, mapped);
#if defined __SANITIZE_ADDRESS__
  __asan_poison_memory_region(unused, ALIGNMENT);
  __asan_poison_memory_region(memory + bytes, mapped - ALIGNMENT - bytes);
#endif
  if (!open_count)
    mprotect(unused, mapped, PROT_NONE);
  unused += mapped + PAGE;
  device[memory] = {bytes, mapped, true, allocated};
  in_use += bytes;
  return memory;
}

} // namespace sim

using namespace sim;

/* ---- the runtime's functions ---- */

extern "C" {

cudaError_t cudaMalloc(void **memory, size_t bytes) {
  refuse_in_capture("cudaMalloc");
  *memory = nullptr;
  if (!bytes)
    return cudaSuccess;
  if (is_refused() || in_use + bytes > CAPACITY)
    return result(cudaErrorMemoryAllocation);
  *memory = allocate(bytes);
  live_things++;
  return cudaSuccess;
}

cudaError_t cudaFree(void *memory) {
  refuse_in_capture("cudaFree");
  if (!memory)
    return cudaSuccess;
  finish_streams();
  auto a = device.find((char *)memory);
  if (a == device.end() || !a->second.live)
    fail("cudaFree(%p): no live device allocation begins there", memory);
  char *pages = a->first - ALIGNMENT;
  mprotect(pages, a->second.mapped, PROT_NONE);
  madvise(pages, a->second.mapped, MADV_DONTNEED);
  a->second.live = false;
  live_things--;
  in_use -= a->second.bytes;
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void **memory, size_t bytes) {
  refuse_in_capture("cudaMallocHost");
  *memory = is_refused() ? nullptr : aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
  if (!*memory)
    return result(cudaErrorMemoryAllocation);
  poison(*memory, bytes);
  live_things++;
  pinned[(char *)*memory] = {bytes, 0, true, allocated};
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
  *total = CAPACITY;
  *available = CAPACITY - in_use;
  return cudaSuccess;
}

} // extern "C"
