/* communicator.h - what the processes of a communicator share: a piece of memory with a channel from each rank to each
 * other one. */
#ifndef ICL_TESTS_CUDASIM_NCCL_COMMUNICATOR_H
#define ICL_TESTS_CUDASIM_NCCL_COMMUNICATOR_H

#include <nccl.h> /* before language.h, which takes words that it has for names */

#include "../library.h"

#include <atomic>
#include <memory>

namespace nccl {

enum kind { SEND, ALL_GATHER, ALL_REDUCE };

/* What a rank does. Both ends of a transfer must do the same. */
struct call {
  nccl::kind kind;
  int type;
  size_t count;
  unsigned capture; /* the number of the capture that it is of, of those that the communicator is in; 0: of none */
};

/* Data on its way from one rank to another, a piece at a time. */
struct channel {
  enum { ROOM = 64 << 10 };
  std::atomic<unsigned> full;
  nccl::call what;
  size_t bytes;
  char data[ROOM];
};

enum { MOST_RANKS = 64 };
struct shared {
  std::atomic<int> ranks, came;
  std::atomic<int> device[MOST_RANKS];
  struct channel channel[]; /* from rank * ranks + to */
};

size_t bytes_of(int type); /* 0: not simulated */

/* One end of a transfer. */
struct transfer {
  bool sends;
  int peer;
  char *memory;
  size_t left;
  nccl::call what;
  bool begun, done;
};

} // namespace nccl

struct ncclComm {
  int rank, size, device;
  nccl::shared *memory;
  std::atomic<bool> aborted;
  std::shared_ptr<char> use; /* held by every call that a stream or a graph has */
  unsigned captures, last_capture;
};

namespace nccl {

/* Moves all of them, in any order; false: the communicator was aborted. */
bool move(ncclComm_t comm, std::vector<transfer> transfers);

ncclResult_t open(ncclComm_t *comm, int size, const char *name, int rank);
void close(ncclComm_t comm);
/* Fails if it is none, or was destroyed. */
void check(ncclComm_t comm, const char *call);

} // namespace nccl

#endif
