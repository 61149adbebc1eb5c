/* test_nccl.cpp - the double of NCCL: what two ranks do, and what it notices. */
#include "cudasim.h"
#include "noticed.h"

#include <nccl.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

/* A rank, in a process of its own. */
struct rank {
  int number;
  ncclComm_t comm;
  cudaStream_t stream;
  float *data; /* of the device: ROOM values */
};
enum { ROOM = 64 << 10, PAIR = 2 };

void fill(const rank &r, size_t count, float first) {
  void *pinned;
  cudaMallocHost(&pinned, count * sizeof(float));
  for (size_t i = 0; i < count; i++)
    ((float *)pinned)[i] = first + (float)i;
  cudaMemcpyAsync(r.data, pinned, count * sizeof(float), cudaMemcpyHostToDevice, r.stream);
  cudaStreamSynchronize(r.stream);
  cudaFreeHost(pinned);
}

float value(const rank &r, size_t index) {
  void *pinned;
  cudaMallocHost(&pinned, sizeof(float));
  cudaMemcpyAsync(pinned, r.data + index, sizeof(float), cudaMemcpyDeviceToHost, r.stream);
  cudaStreamSynchronize(r.stream);
  float result = *(float *)pinned;
  cudaFreeHost(pinned);
  return result;
}

void say(bool condition, const char *what) {
  if (!condition)
    fprintf(stderr, "wrong: %s\n", what);
}

/* Runs the body as rank 1 of two, and as rank 0 here, each with a device of its own. */
void run_two(const std::function<void(const rank &)> &body) {
  ncclUniqueId id;
  ncclGetUniqueId(&id);
  pid_t child = fork();
  rank r = {child == 0, nullptr, nullptr, nullptr};
  void *memory;
  cudaSetDevice(r.number);
  cudaStreamCreateWithFlags(&r.stream, cudaStreamNonBlocking);
  cudaMalloc(&memory, ROOM * sizeof(float));
  r.data = (float *)memory;
  if (ncclCommInitRank(&r.comm, PAIR, id, r.number) != ncclSuccess)
    fprintf(stderr, "wrong: ncclCommInitRank\n");
  else
    body(r);
  if (child == 0)
    _exit(0);
  waitpid(child, nullptr, 0);
}

void all_reduce(const rank &r, size_t count) {
  ncclAllReduce(r.data, r.data, count, ncclFloat32, ncclSum, r.comm, r.stream);
}

void compute(const rank &r) {
  enum { COUNT = 20000 }; /* more than a channel holds at once */
  fill(r, COUNT, (float)r.number);
  all_reduce(r, COUNT);
  say(value(r, 0) == 1 && value(r, COUNT - 1) == 2 * COUNT - 1, "sums");
  fill(r, 8, (float)(10 * r.number));
  ncclGroupStart();
  ncclSend(r.data, 4, ncclFloat32, !r.number, r.comm, r.stream);
  ncclRecv(r.data + 4, 4, ncclFloat32, !r.number, r.comm, r.stream);
  ncclGroupEnd();
  say(value(r, 4) == (r.number ? 0 : 10), "what was sent");
  ncclAllGather(r.data + r.number, r.data, 1, ncclFloat32, r.comm, r.stream);
  say(value(r, 1) == 11 && value(r, 2) == (float)(10 * r.number + 2), "what was gathered");
  say(ncclCommDestroy(r.comm) == ncclSuccess, "the end");
}

/* The graph of a step, and who launches it. */
void replay(const rank &r, bool captured) {
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  fill(r, 8, 1);
  if (captured) {
    cudaStreamBeginCapture(r.stream, cudaStreamCaptureModeThreadLocal);
    all_reduce(r, 8);
    cudaStreamEndCapture(r.stream, &graph);
    cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    for (int i = 0; i < 2; i++)
      cudaGraphLaunch(executable, r.stream);
    say(value(r, 0) == 4, "a graph that is launched twice");
    cudaGraphExecDestroy(executable);
  } else {
    all_reduce(r, 8);
    cudaStreamSynchronize(r.stream);
  }
}

} // namespace

void test_nccl() {
  cudasim_devices(PAIR);
  auto fails = [](const char *what, const char *words, const std::function<void(const rank &)> &body) {
    expect_noticed(what, words, [&] { run_two(body); });
  };
  fails("calls that follow the rules", "nothing was noticed", compute);
  expect(output_of([] { run_two(compute); }).find("wrong") == std::string::npos, "what ranks compute together");
  fails("graphs of all ranks", "nothing was noticed", [](const rank &r) { replay(r, true); });
  fails("a graph of one rank alone", "it must be one for all", [](const rank &r) { replay(r, r.number == 1); });
  fails("counts that differ", "sums 7", [](const rank &r) {
    all_reduce(r, 7 + (size_t)r.number);
    cudaStreamSynchronize(r.stream);
  });
  fails("calls in another order", "gathers", [](const rank &r) {
    if (r.number)
      ncclAllGather(r.data + 8, r.data, 4, ncclFloat32, r.comm, r.stream);
    all_reduce(r, 4);
    cudaStreamSynchronize(r.stream);
  });
  fails("a host pointer", "not in device memory", [](const rank &r) {
    float host = 0;
    ncclAllReduce(&host, r.data, 1, ncclFloat32, ncclSum, r.comm, r.stream);
  });
  fails("memory that is too small", "not in device memory",
        [](const rank &r) { ncclAllGather(r.data, r.data + 1, ROOM, ncclFloat32, r.comm, r.stream); });
  fails("a result over what is given", "overlaps",
        [](const rank &r) { ncclAllReduce(r.data, r.data + 1, 4, ncclFloat32, ncclSum, r.comm, r.stream); });
  fails("two calls of a group on one place", "overlaps", [](const rank &r) {
    ncclGroupStart();
    ncclSend(r.data, 4, ncclFloat32, !r.number, r.comm, r.stream);
    ncclRecv(r.data + 3, 4, ncclFloat32, !r.number, r.comm, r.stream);
    ncclGroupEnd();
  });
  fails("a communicator that was destroyed", "was destroyed", [](const rank &r) {
    ncclCommDestroy(r.comm);
    all_reduce(r, 1);
  });
  fails("a communicator that a graph still has", "still have calls", [](const rank &r) {
    cudaGraph_t graph;
    cudaStreamBeginCapture(r.stream, cudaStreamCaptureModeThreadLocal);
    all_reduce(r, 1);
    cudaStreamEndCapture(r.stream, &graph);
    ncclCommDestroy(r.comm);
  });
  expect(ncclGroupEnd() == ncclInvalidUsage, "the end of no group");
}
