/* graph.cpp - capture of streams into graphs, and their launch: nodes run in an order that their edges allow, the first
 * possible or, with random streams, any. */
#include "stream.h"
#include "tsan.h"

namespace sim {

static int captures;   /* that go on */
static unsigned begun; /* so far */

bool is_capturing() { return captures > 0; }

void begin_capture(cudaStream_t stream, cudaGraph_t graph) {
  stream->graph = graph;
  stream->after.clear();
  graph->streams.insert(stream);
}

/* Marks a node and all before it. */
static void mark(const CUgraph_st *graph, size_t i, std::vector<bool> &marked) {
  if (marked[i])
    return;
  marked[i] = true;
  for (size_t before : graph->nodes[i].after)
    mark(graph, before, marked);
}

/* Everything on a forked stream must come before the end of the one that the capture began on. False: it does not, in a
 * capture that was broken off because a launch was refused. */
static bool is_joined(const CUgraph_st *graph) {
  std::vector<bool> joined(graph->nodes.size());
  for (size_t i : graph->origin->after)
    mark(graph, i, joined);
  for (cudaStream_t stream : graph->streams)
    for (size_t i : stream->after) {
      if (!joined[i] && !graph->refused)
        fail("cudaStreamEndCapture: work on a forked stream was never joined");
      if (!joined[i])
        return false;
    }
  return true;
}

static bool is_ready(const node &n, const std::vector<bool> &done) {
  for (size_t before : n.after)
    if (!done[before])
      return false;
  return true;
}

static size_t choose(const std::deque<node> &nodes, const std::vector<bool> &done) {
  std::vector<size_t> ready;
  for (size_t i = 0; i < nodes.size(); i++)
    if (!done[i] && is_ready(nodes[i], done)) {
      ready.push_back(i);
      if (setting.streams != RANDOM_STREAMS)
        break;
    }
  return ready[draw(ready.size())];
}

/* Each node is a fiber of the thread sanitizer, ordered by its edges alone. */
static void run_graph(std::deque<node> &nodes) {
  std::vector<bool> done(nodes.size());
  std::vector<void *> fibers;
  void *stream = tsan_current();
  char begin;
  release(&begin);
  for (size_t i = 0; i < nodes.size(); i++) {
    size_t next = choose(nodes, done);
    node &n = nodes[next];
    fibers.push_back(tsan_new());
    tsan_switch(fibers.back());
    acquire(&begin);
    for (size_t before : n.after)
      acquire(&nodes[before].end);
    n.run();
    release(&n.end);
    tsan_switch(stream);
    done[next] = true;
  }
  for (node &n : nodes)
    acquire(&n.end);
  for (void *fiber : fibers)
    tsan_free(fiber);
}

} // namespace sim

using namespace sim;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!stream || stream->graph)
    return result(cudaErrorStreamCaptureUnsupported);
  cudaGraph_t graph = new CUgraph_st{};
  graph->number = ++begun;
  graph->origin = stream;
  begin_capture(stream, graph);
  captures++;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  *graph = nullptr;
  if (!stream || !stream->graph || stream->graph->origin != stream)
    return result(cudaErrorStreamCaptureUnmatched);
  *graph = stream->graph;
  bool joined = is_joined(*graph);
  for (cudaStream_t forked : (*graph)->streams) {
    forked->graph = nullptr;
    forked->after.clear();
  }
  captures--;
  if (!joined) {
    delete *graph;
    *graph = nullptr;
    return result(cudaErrorStreamCaptureUnjoined);
  }
  live_things++;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long flags) {
  if (flags)
    fail("cudaGraphInstantiate: flags %llu are not simulated", flags);
  *executable = new CUgraphExec_st{graph->nodes};
  live_things++;
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
  if (nodes)
    fail("cudaGraphGetNodes: the nodes themselves are not simulated");
  *count = graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return enqueue(stream, "cudaGraphLaunch", [executable] { run_graph(executable->nodes); });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  live_things--;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  finish_streams();
  delete executable;
  live_things--;
  return cudaSuccess;
}

} // extern "C"
