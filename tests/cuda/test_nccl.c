/* test_nccl.c - NCCL as this machine has it, on a single GPU: it opens, meets nobody, and becomes part of a graph. */
#include "unit.h"

#include "backend/cuda/libraries.h"

enum { COUNT = 4096 };

typedef struct {
  const icl__nccl *nccl;
  ncclComm_t comm;
  cudaStream_t stream;
  float *host, *from, *to;
} alone;

static alone meet_nobody(void) {
  alone a;
  ncclUniqueId id;
  CHECK_OK(icl__cuda_open_nccl(&a.nccl));
  CHECK_EQ(cudaSetDevice(0), cudaSuccess);
  CHECK_EQ(cudaStreamCreateWithFlags(&a.stream, cudaStreamNonBlocking), cudaSuccess);
  CHECK_EQ(cudaMallocHost((void **)&a.host, COUNT * sizeof *a.host), cudaSuccess);
  CHECK_EQ(cudaMalloc((void **)&a.from, COUNT * sizeof *a.from), cudaSuccess);
  CHECK_EQ(cudaMalloc((void **)&a.to, COUNT * sizeof *a.to), cudaSuccess);
  CHECK_EQ(a.nccl->ncclGetUniqueId(&id), ncclSuccess);
  CHECK_EQ(a.nccl->ncclCommInitRank(&a.comm, 1, id, 0), ncclSuccess);
  return a;
}

static void copy(const alone *a, void *to, const void *from, enum cudaMemcpyKind way) {
  CHECK_EQ(cudaMemcpyAsync(to, from, COUNT * sizeof(float), way, a->stream), cudaSuccess);
  CHECK_EQ(cudaStreamSynchronize(a->stream), cudaSuccess);
}

static void expect_values(const alone *a, float first) {
  copy(a, a->host, a->to, cudaMemcpyDeviceToHost);
  for (int i = 0; i < COUNT; i++)
    CHECK_NEAR(a->host[i], first + (float)i, 0);
}

static void put(const alone *a) {
  CHECK_EQ(a->nccl->ncclAllReduce(a->from, a->to, COUNT, ncclFloat32, ncclSum, a->comm, a->stream), ncclSuccess);
  CHECK_EQ(a->nccl->ncclAllGather(a->to, a->to, COUNT, ncclFloat32, a->comm, a->stream), ncclSuccess);
}

TEST(what_nccl_does_becomes_part_of_a_graph) {
  alone a = meet_nobody();
  cudaGraph_t graph;
  cudaGraphExec_t step;
  ncclResult_t error;
  for (int i = 0; i < COUNT; i++)
    a.host[i] = (float)i;
  copy(&a, a.from, a.host, cudaMemcpyHostToDevice);
  put(&a);
  expect_values(&a, 0);
  CHECK_EQ(cudaStreamBeginCapture(a.stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  put(&a);
  CHECK_EQ(cudaStreamEndCapture(a.stream, &graph), cudaSuccess);
  CHECK_EQ(cudaGraphInstantiate(&step, graph, 0), cudaSuccess);
  CHECK_EQ(cudaGraphDestroy(graph), cudaSuccess);
  for (int run = 1; run < 3; run++) {
    for (int i = 0; i < COUNT; i++)
      a.host[i] = (float)(run + i);
    copy(&a, a.from, a.host, cudaMemcpyHostToDevice);
    CHECK_EQ(cudaGraphLaunch(step, a.stream), cudaSuccess);
    expect_values(&a, (float)run);
  }
  CHECK_EQ(cudaGraphExecDestroy(step), cudaSuccess);
  CHECK_EQ(a.nccl->ncclCommGetAsyncError(a.comm, &error), ncclSuccess);
  CHECK_EQ(error, ncclSuccess);
  CHECK_EQ(a.nccl->ncclCommDestroy(a.comm), ncclSuccess);
}

TEST(a_communicator_can_be_aborted) {
  alone a = meet_nobody();
  CHECK_EQ(a.nccl->ncclCommAbort(a.comm), ncclSuccess);
}
