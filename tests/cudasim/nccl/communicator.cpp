/* communicator.cpp - see communicator.h. */
#include "communicator.h"

#include <algorithm>
#include <errno.h>
#include <fcntl.h>
#include <mutex>
#include <set>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nccl {

enum { PATIENCE = 120 }; /* seconds until those that do not come are a fault of the test */

static std::mutex &lock = *new std::mutex; /* threads of the program open and abort */
static std::set<ncclComm_t> &live = *new std::set<ncclComm_t>;

void check(ncclComm_t comm, const char *call) {
  std::lock_guard<std::mutex> guard(lock);
  if (!live.count(comm))
    sim::fail("%s: %p is no communicator, or it was destroyed", call, (void *)comm);
}

size_t bytes_of(int type) { return type == ncclFloat32 ? 4 : type == ncclFloat64 || type == ncclInt64 ? 8 : 0; }

/* ---- transfers ---- */

static void check_same(ncclComm_t comm, const transfer &t, const call &theirs) {
  static const char *const kinds[] = {"sends or receives", "gathers", "sums"};
  if (theirs.kind != t.what.kind || theirs.type != t.what.type || theirs.count != t.what.count)
    sim::fail("nccl: rank %d %s %zu of type %d, rank %d %s %zu of type %d", comm->rank, kinds[t.what.kind],
              t.what.count, t.what.type, t.peer, kinds[theirs.kind], theirs.count, theirs.type);
  if (theirs.capture != t.what.capture)
    sim::fail("nccl: a call is part of capture %u of rank %d, and of capture %u of rank %d; it must be one for all",
              t.what.capture, comm->rank, theirs.capture, t.peer);
}

/* Returns whether something was done. What was sent is done when it was taken. */
static bool advance(ncclComm_t comm, transfer &t) {
  int from = t.sends ? comm->rank : t.peer, to = t.sends ? t.peer : comm->rank;
  channel &c = comm->memory->channel[from * comm->size + to];
  if (t.done || c.full.load(std::memory_order_acquire) != !t.sends)
    return false;
  t.done = t.sends && t.begun && !t.left;
  if (t.done)
    return true;
  if (!t.sends)
    check_same(comm, t, c.what);
  size_t bytes = t.sends ? std::min<size_t>(t.left, channel::ROOM) : c.bytes;
  if (t.sends) {
    c.what = t.what;
    c.bytes = bytes;
    memcpy(c.data, t.memory, bytes);
  } else {
    memcpy(t.memory, c.data, bytes);
  }
  t.memory += bytes;
  t.left -= bytes;
  t.begun = true;
  t.done = !t.sends && !t.left;
  c.full.store(t.sends, std::memory_order_release);
  return true;
}

bool move(ncclComm_t comm, std::vector<transfer> transfers) {
  for (bool moves = true, left = true; left;) {
    if (comm->aborted)
      return false;
    if (!moves)
      usleep(20);
    moves = left = false;
    for (transfer &t : transfers) {
      moves = advance(comm, t) || moves;
      left = left || !t.done;
    }
  }
  return true;
}

/* ---- meeting ---- */

static void wait_for(const char *what, const std::function<bool()> &condition) {
  for (long tries = 0; !condition(); tries++) {
    if (tries > PATIENCE * 10000l)
      sim::fail("nccl: %s did not happen in %d s", what, PATIENCE);
    usleep(100);
  }
}

static size_t memory_bytes(int size) { return sizeof(shared) + (size_t)size * (size_t)size * sizeof(channel); }

static shared *map(const char *name, int size, bool first) {
  int file = -1;
  struct stat status;
  size_t bytes = memory_bytes(size);
  wait_for("the beginning of a communicator", [&] {
    file = shm_open(name, O_RDWR | (first ? O_CREAT | O_EXCL : 0), 0600);
    return file >= 0 || errno != ENOENT;
  });
  if (file < 0 || (first && ftruncate(file, (off_t)bytes)))
    sim::fail("nccl: no shared memory");
  wait_for("the beginning of a communicator", [&] { return fstat(file, &status) == 0 && status.st_size > 0; });
  if ((size_t)status.st_size != bytes)
    sim::fail("ncclCommInitRank: ranks disagree about how many they are");
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (memory == MAP_FAILED)
    sim::fail("nccl: no shared memory");
  return (shared *)memory;
}

ncclResult_t open(ncclComm_t *result, int size, const char *name, int rank) {
  if (size < 1 || size > MOST_RANKS || rank < 0 || rank >= size)
    return ncclInvalidArgument;
  ncclComm_t comm = new ncclComm{};
  comm->rank = rank;
  comm->size = size;
  comm->use = std::make_shared<char>();
  cudaGetDevice(&comm->device);
  comm->memory = map(name, size, rank == 0);
  shared *m = comm->memory;
  m->device[rank] = comm->device;
  m->came++;
  wait_for("that all ranks call ncclCommInitRank", [&] { return m->came >= size; });
  if (rank == 0)
    shm_unlink(name);
  bool alone = true;
  for (int r = 0; r < size; r++)
    alone = alone && (r == rank || m->device[r] != comm->device);
  std::lock_guard<std::mutex> guard(lock);
  live.insert(comm);
  sim::live_things++;
  *result = comm;
  return alone ? ncclSuccess : ncclInvalidUsage; /* it says: duplicate GPU detected */
}

void close(ncclComm_t comm) {
  {
    std::lock_guard<std::mutex> guard(lock);
    live.erase(comm);
  }
  munmap(comm->memory, memory_bytes(comm->size));
  sim::live_things--;
  delete comm;
}

} // namespace nccl

using namespace nccl;

extern "C" {

ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
  static std::atomic<int> made;
  *id = {};
  snprintf(id->internal, sizeof id->internal, "/icl-nccl-%d-%d", (int)getpid(), ++made);
  return ncclSuccess;
}

/* Waits for all ranks. */
ncclResult_t ncclCommInitRank(ncclComm_t *comm, int size, ncclUniqueId id, int rank) {
  sim::refuse_in_capture("ncclCommInitRank");
  ncclResult_t result = open(comm, size, id.internal, rank);
  if (result == ncclInvalidUsage)
    close(*comm);
  return result;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  check(comm, "ncclCommDestroy");
  if (comm->use.use_count() > 1)
    sim::fail("ncclCommDestroy: streams or graphs still have calls of the communicator");
  close(comm);
  return ncclSuccess;
}

/* What waits for others ends. Like NVIDIA's it returns when no graph has calls of the communicator. */
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  check(comm, "ncclCommAbort");
  comm->aborted = true;
  wait_for("the end of the graphs of an aborted communicator", [&] { return comm->use.use_count() == 1; });
  close(comm);
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *error) {
  check(comm, "ncclCommGetAsyncError");
  *error = ncclSuccess;
  return ncclSuccess;
}

} // extern "C"
