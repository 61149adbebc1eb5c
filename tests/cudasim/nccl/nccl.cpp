/* nccl.cpp - a double of NCCL: calls that are put on streams, and groups of them. */
#include "communicator.h"

#include "../tsan.h"

#include <algorithm>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

namespace nccl {

struct request {
  ncclComm_t comm;
  cudaStream_t stream;
  call what;
  const char *from; /* NULL: it receives */
  char *to;         /* NULL: it sends */
  int peer;
};

/* Calls between ncclGroupStart() and ncclGroupEnd(). */
static thread_local int depth;
static thread_local std::vector<request> pending;

static size_t bytes_of(const request &r) { return r.what.count * bytes_of(r.what.type); }
static size_t bytes_to(const request &r) {
  return bytes_of(r) * (r.what.kind == ALL_GATHER ? (size_t)r.comm->size : 1);
}

/* ---- what they do when the stream comes to them ---- */

static transfer transfer_of(const request &r, int peer, bool sends, char *memory) {
  return {sends, peer, memory, bytes_of(r), r.what, false, false};
}

static bool gather(const request &r, char *all) {
  std::vector<transfer> transfers;
  char *own = all + (size_t)r.comm->rank * bytes_of(r);
  if (own != r.from)
    memcpy(own, r.from, bytes_of(r));
  for (int peer = 0; peer < r.comm->size; peer++)
    if (peer != r.comm->rank) {
      transfers.push_back(transfer_of(r, peer, true, own));
      transfers.push_back(transfer_of(r, peer, false, all + (size_t)peer * bytes_of(r)));
    }
  return move(r.comm, transfers);
}

template <class T> static void add(char *sum, const char *more, size_t count) {
  for (size_t i = 0; i < count; i++)
    ((T *)sum)[i] += ((const T *)more)[i];
}

/* In an order that nobody may count on: the last rank first. */
static bool sum(const request &r) {
  size_t bytes = bytes_of(r);
  std::vector<char> all(bytes * (size_t)r.comm->size);
  if (!gather(r, all.data()))
    return false;
  for (int peer = r.comm->size - 2; peer >= 0; peer--) {
    char *so_far = &all[bytes * (size_t)(r.comm->size - 1)], *more = &all[bytes * (size_t)peer];
    if (r.what.type == ncclFloat32)
      add<float>(so_far, more, r.what.count);
    else if (r.what.type == ncclFloat64)
      add<double>(so_far, more, r.what.count);
    else
      add<uint64_t>(so_far, more, r.what.count);
  }
  memcpy(r.to, &all[bytes * (size_t)(r.comm->size - 1)], bytes);
  return true;
}

static bool exchange(const std::vector<request> &requests) {
  std::vector<transfer> transfers;
  for (const request &r : requests)
    transfers.push_back(transfer_of(r, r.peer, r.from, r.from ? (char *)r.from : r.to));
  return move(requests[0].comm, transfers);
}

/* CUDASIM_LOST=RANK:NUMBER: this rank dies in its call of this number. */
static void die_if_asked(int rank) {
  static int calls;
  int lost, number;
  const char *asked = getenv("CUDASIM_LOST");
  if (asked && sscanf(asked, "%d:%d", &lost, &number) == 2 && lost == rank && ++calls == number)
    raise(SIGKILL);
}

static void run(const std::vector<request> &requests) {
  die_if_asked(requests[0].comm->rank);
  sim::open_memory();
  for (const request &r : requests) {
    if (r.from)
      sim::reads(r.from, bytes_of(r));
    if (r.to)
      sim::writes(r.to, bytes_to(r));
  }
  const request &first = requests[0];
  bool done = first.what.kind == SEND         ? exchange(requests)
              : first.what.kind == ALL_GATHER ? gather(first, first.to)
                                              : sum(first);
  for (const request &r : requests)
    if (!done && r.to)
      sim::poison(r.to, bytes_to(r));
}

/* ---- putting them there ---- */

static bool overlaps(const request &a, const request &b) {
  return (a.from && sim::overlap(a.from, bytes_of(a), b.to, bytes_to(b))) ||
         (a.to && sim::overlap(a.to, bytes_to(a), b.to, bytes_to(b)));
}

static void put(std::vector<request> requests) {
  const request &first = requests[0];
  unsigned capture = sim::capture_of(first.stream);
  ncclComm_t comm = first.comm;
  if (capture && capture != comm->last_capture) {
    comm->last_capture = capture;
    comm->captures++;
  }
  for (request &r : requests) {
    r.what.capture = capture ? comm->captures : 0;
    for (const request &other : requests)
      if (&r != &other && other.to && overlaps(r, other))
        sim::fail("ncclRecv: what is received overlaps with what another call of the group has");
  }
  sim::enqueue(first.stream, "nccl", [requests, use = comm->use] { run(requests); });
}

/* Sends and receives of a stream are one thing, which needs no order; all else comes one by one. */
static void put_all() {
  while (!pending.empty()) {
    std::vector<request> together, rest;
    const request first = pending[0];
    for (const request &r : pending) {
      bool fits = r.comm == first.comm && r.stream == first.stream && r.what.kind == SEND && first.what.kind == SEND;
      (together.empty() || fits ? together : rest).push_back(r);
    }
    pending = rest;
    put(together);
  }
}

static ncclResult_t ask(const char *name, const request &r) {
  check(r.comm, name);
  sim::check_stream(r.stream, name);
  if (!bytes_of(r.what.type))
    sim::fail("%s: type %d is not simulated", name, r.what.type);
  if (r.what.kind == SEND && (r.peer < 0 || r.peer >= r.comm->size))
    return ncclInvalidArgument;
  if (r.what.kind == SEND && r.peer == r.comm->rank)
    sim::fail("%s: to itself; that is not simulated", name);
  if ((r.from && !sim::is_device(r.from, bytes_of(r))) || (r.to && !sim::is_device(r.to, bytes_to(r))))
    sim::fail("%s: %zu of type %d are not in device memory", name, r.what.count, r.what.type);
  const char *own = r.to + (r.what.kind == ALL_GATHER ? (size_t)r.comm->rank * bytes_of(r) : 0);
  if (r.what.kind != SEND && r.from != own && sim::overlap(r.from, bytes_of(r), r.to, bytes_to(r)))
    sim::fail("%s: the result overlaps with what is given, and is not in its place", name);
  if (!r.what.count)
    return ncclSuccess;
  pending.push_back(r);
  if (!depth)
    put_all();
  return ncclSuccess;
}

} // namespace nccl

using namespace nccl;

extern "C" {

ncclResult_t ncclGetVersion(int *version) {
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t result) {
  switch (result) {
  case ncclSuccess:
    return "no error";
  case ncclInvalidArgument:
    return "invalid argument";
  case ncclInvalidUsage:
    return "invalid usage";
  default:
    return "an error of the simulator";
  }
}

ncclResult_t ncclGroupStart(void) {
  depth++;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd(void) {
  if (!depth)
    return ncclInvalidUsage;
  if (--depth == 0)
    put_all();
  return ncclSuccess;
}

ncclResult_t ncclSend(const void *from, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return ask("ncclSend", {comm, stream, {SEND, type, count, 0}, (const char *)from, nullptr, peer});
}

ncclResult_t ncclRecv(void *to, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream) {
  return ask("ncclRecv", {comm, stream, {SEND, type, count, 0}, nullptr, (char *)to, peer});
}

ncclResult_t ncclAllGather(const void *from, void *to, size_t count, ncclDataType_t type, ncclComm_t comm,
                           cudaStream_t stream) {
  return ask("ncclAllGather", {comm, stream, {ALL_GATHER, type, count, 0}, (const char *)from, (char *)to, 0});
}

ncclResult_t ncclAllReduce(const void *from, void *to, size_t count, ncclDataType_t type, ncclRedOp_t operation,
                           ncclComm_t comm, cudaStream_t stream) {
  if (operation != ncclSum)
    sim::fail("ncclAllReduce: operation %d is not simulated", (int)operation);
  return ask("ncclAllReduce", {comm, stream, {ALL_REDUCE, type, count, 0}, (const char *)from, (char *)to, 0});
}

} // extern "C"
