/* simulator.h - the parts of the simulator among themselves. Kernels see language.h, host code NVIDIA's headers. */
#ifndef ICL_TESTS_CUDASIM_SIMULATOR_H
#define ICL_TESTS_CUDASIM_SIMULATOR_H

#include "language.h"

#include <atomic>
#include <functional>

namespace sim {

/* ---- settings.cpp: read from the environment when the program starts ---- */

enum order { FORWARD, REVERSE, RANDOM };
enum schedule { LAZY, EAGER, RANDOM_STREAMS };
struct settings {
  order threads;       /* CUDASIM_ORDER: of threads in a block and of blocks in a grid */
  schedule streams;    /* CUDASIM_STREAMS: lazy runs when the host waits, eager at once, random in between */
  unsigned seed;       /* CUDASIM_SEED */
  long refused;        /* CUDASIM_REFUSE: so many allocations from now on, one fails; 0: none does */
  long refused_launch; /* CUDASIM_REFUSE_LAUNCH: the same of kernels that are put on a stream, */
  long refused_next;   /* and the same behind that one */
  int devices;         /* CUDASIM_DEVICES: how many there seem to be; a process uses one of them */
  size_t memory;       /* CUDASIM_MEMORY: bytes of a device, given in MiB */
  bool coarse;         /* CUDASIM_COARSE: for the thread sanitizer all threads of a launch are one */
  const char *bad;     /* CUDASIM_BAD: kernels whose name begins so fail when they run; NULL: none does */
};
extern settings setting;

/* A number below `limit`, from the seed. */
size_t draw(size_t limit);

/* Host or device code broke a rule: prints "cudasim: ..." and aborts. */
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a call returns; an error stays for cudaGetLastError(). */
cudaError_t result(cudaError_t error);

/* Of a kernel that has failed: no other runs from then on, and calls that put something on a stream or wait for one
 * return it. */
extern cudaError_t late_error;

/* That of the calling thread. Devices share their memory here; streams, events and handles belong to one. */
int current_device();

/* Things that the program has to give back. */
extern std::atomic<int> live_things;

/* ---- memory.cpp ---- */

enum : size_t { ALIGNMENT = 256 };

/* While one of these lives, what is on streams runs, and whoever touches device memory opens it first. */
class device_turn {
public:
  device_turn();
  ~device_turn();
};

/* All of it, to the end of the turn. */
void open_memory();

/* The allocation that holds an address, for as long as this lives; nothing if it is in none. */
class opened {
public:
  explicit opened(const void *address);
  ~opened();

private:
  void *pages;
  size_t bytes;
};

bool is_device(const void *address, size_t bytes); /* wholly inside one live allocation that no call has freed yet */
bool is_pinned(const void *address, size_t bytes);

/* An allocation of the pool, or NULL if it is refused. */
void *take_pooled(size_t bytes);
/* From this call on nothing may name it; the stream still may use it. */
void forget_pooled(void *memory);
/* Now nothing may. Returns its size. */
size_t release_pooled(void *memory);
size_t available();

/* Bytes 0xff: NaN in every float type. Not memset(), which sanitizers book as an access of the running thread. */
void poison(void *memory, size_t bytes);
void clear(void *memory, size_t bytes);

/* ---- pool.cpp ---- */

/* Bytes that the pool holds, used or not. */
size_t pool_bytes();
/* The host has waited: the pool keeps no more than it was told to. */
void trim_pool();

/* ---- block.cpp: all threads of one block, from the first to the last ---- */

struct work {
  const kernel *k;
  const void *arguments;
  dim3 grid, block;
  size_t shared_bytes;
};
void run_block(const work &w, dim3 block);
void begin_grid();
void end_grid();

/* ---- stream.cpp ---- */

/* Puts work on a stream, or into the graph that it is captured into. */
cudaError_t enqueue(cudaStream_t stream, const char *name, std::function<void()> run);
/* Fails if it is no stream. */
void check_stream(cudaStream_t stream, const char *call);
bool is_captured(cudaStream_t stream);
int device_of(cudaStream_t stream);
/* The number of the capture that a stream is in, of all that were begun; 0: it is in none. */
unsigned capture_of(cudaStream_t stream);
/* Notes that a launch was refused, in the graph that the stream is captured into. */
void refuse_captured(cudaStream_t stream);
/* Fails if a stream is being captured. */
void refuse_in_capture(const char *call);
/* Runs all that is on the streams, or on one of them. */
void finish_streams();
void finish_stream(cudaStream_t stream);

} // namespace sim

#endif
