/* stream.h - streams, events and graphs as the simulator holds them. */
#ifndef ICL_TESTS_CUDASIM_STREAM_H
#define ICL_TESTS_CUDASIM_STREAM_H

#include "simulator.h"

#include <chrono>
#include <deque>
#include <memory>
#include <set>
#include <vector>

namespace sim {

/* One thing on a stream. An event counts its records; a wait is for the record that was the last when it was put on. */
struct operation {
  enum { RUN, RECORD, WAIT } kind;
  std::function<void()> run;
  cudaEvent_t event;
  uint64_t record;
  std::shared_ptr<char> began; /* the thread sanitizer's: the host put it on the stream before it runs */
};

struct node {
  std::function<void()> run;
  std::set<size_t> after; /* nodes before it */
  char end;               /* the thread sanitizer's */
};

} // namespace sim

/* NVIDIA's headers give these their names. */

struct CUgraph_st {
  std::deque<sim::node> nodes;
  unsigned number;                /* of the capture that makes it, of all that were begun */
  cudaStream_t origin;            /* of the capture that makes it */
  std::set<cudaStream_t> streams; /* that it was forked to */
  bool refused;                   /* a launch into it */
};

struct CUgraphExec_st {
  std::deque<sim::node> nodes;
};

struct CUevent_st {
  int device;
  uint64_t recorded, done;
  bool is_timed;
  std::chrono::steady_clock::time_point time; /* when it was reached last */
  cudaStream_t last;                          /* where it was recorded last */
  cudaGraph_t graph;                          /* or what graph it is part of, */
  std::set<size_t> after;                     /* behind these nodes */
  char end;
};

struct CUstream_st {
  int device;
  std::deque<sim::operation> operations;
  cudaGraph_t graph;      /* it is captured into, */
  std::set<size_t> after; /* behind these nodes */
  void *fiber;
  char end;
};

namespace sim {

void begin_capture(cudaStream_t stream, cudaGraph_t graph);
bool is_capturing(); /* any stream */

} // namespace sim

#endif
