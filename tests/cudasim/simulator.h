/* simulator.h - the parts of the simulator among themselves. Kernels see language.h, host code NVIDIA's headers. */
#ifndef ICL_TESTS_CUDASIM_SIMULATOR_H
#define ICL_TESTS_CUDASIM_SIMULATOR_H

#include "language.h"

#include <functional>

namespace sim {

/* ---- settings.cpp: read from the environment when the program starts ---- */

enum order { FORWARD, REVERSE, RANDOM };
enum schedule { LAZY, EAGER, RANDOM_STREAMS };
struct settings {
  order threads;    /* CUDASIM_ORDER: of threads in a block and of blocks in a grid */
  schedule streams; /* CUDASIM_STREAMS: lazy runs when the host waits, eager at once, random in between */
  unsigned seed;    /* CUDASIM_SEED */
  long refused;     /* so many allocations from now on, one fails; 0: none does */
};
extern settings setting;

/* A number below `limit`, from the seed. */
size_t draw(size_t limit);

/* Host or device code broke a rule: prints "cudasim: ..." and aborts. */
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a call returns; an error stays for cudaGetLastError(). */
cudaError_t result(cudaError_t error);

/* Things that the program has to give back. */
extern int live_things;

/* ---- memory.cpp ---- */

enum { ALIGNMENT = 256 };

/* Device memory can be touched while one of these lives. */
class opened {
public:
  opened();
  ~opened();
};

bool is_device(const void *address, size_t bytes); /* wholly inside one live allocation */
bool is_pinned(const void *address, size_t bytes);

/* Bytes 0xff: NaN in every float type. Not memset(), which sanitizers book as an access of the running thread. */
void poison(void *memory, size_t bytes);
void clear(void *memory, size_t bytes);

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
/* Fails if a stream is being captured. */
void refuse_in_capture(const char *call);
/* Runs all that is on the streams. */
void finish_streams();

} // namespace sim

#endif
