/* execute.cpp - handles of the library, and plans that run: what is wrong with addresses is said when the plan is put
 * on the stream. */
#include "engines.h"

#include "../tsan.h"

#include <set>

namespace dnn {

static std::set<cudnnHandle_t> &handles = *new std::set<cudnnHandle_t>;

static void check_handle(cudnnHandle_t handle, const char *call) {
  if (!handles.count(handle))
    sim::fail("%s: %p is no handle, or it was destroyed", call, (void *)handle);
}

/* The addresses of a convolution's tensors in a variant pack. */
static cudnnStatus_t find_addresses(const convolution &c, const descriptor &pack, void *address[TENSORS]) {
  std::vector<int64_t> ids = pack.list<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  std::vector<void *> pointers = pack.list<void *>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  if (ids.size() != TENSORS)
    return refuse(CUDNN_STATUS_BAD_PARAM, "the variant pack has %zu tensors, the plan %d", ids.size(), TENSORS);
  for (int i = 0; i < TENSORS; i++) {
    address[i] = nullptr;
    for (size_t k = 0; k < ids.size(); k++)
      if (ids[k] == c.of[i].id)
        address[i] = pointers[k];
    if (!address[i])
      return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "the variant pack has no address for unique id %ld",
                    (long)c.of[i].id);
  }
  return CUDNN_STATUS_SUCCESS;
}

static void check_address(const char *what, const void *address, size_t bytes, int64_t alignment) {
  if (!sim::is_device(address, bytes))
    sim::fail("cudnnBackendExecute: %s %p of %zu bytes is not in device memory", what, address, bytes);
  if ((uintptr_t)address % (uintptr_t)alignment)
    sim::fail("cudnnBackendExecute: %s %p is not aligned to %ld bytes", what, address, (long)alignment);
}

/* Nothing that is written overlaps anything else. */
static void check_addresses(const convolution &c, void *const address[TENSORS], void *workspace, size_t bytes) {
  static const char *const names[TENSORS] = {"the image", "the weights", "the output"};
  enum { WORKSPACE_ALIGNMENT = 256 };
  if (bytes)
    check_address("the workspace", workspace, bytes, WORKSPACE_ALIGNMENT);
  for (int i = 0; i < TENSORS; i++) {
    check_address(names[i], address[i], c.of[i].bytes(), c.of[i].alignment);
    if (bytes && sim::overlap(workspace, bytes, address[i], c.of[i].bytes()))
      sim::fail("cudnnBackendExecute: the workspace and %s overlap", names[i]);
    if (i != c.result() && sim::overlap(address[i], c.of[i].bytes(), address[c.result()], c.of[c.result()].bytes()))
      sim::fail("cudnnBackendExecute: the result and %s overlap", names[i]);
  }
}

} // namespace dnn

using namespace dnn;

extern "C" {

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
  *handle = new cudnnContext{};
  handles.insert(*handle);
  sim::live_things++;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  check_handle(handle, "cudnnDestroy");
  handles.erase(handle);
  delete handle;
  sim::live_things--;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  check_handle(handle, "cudnnSetStream");
  sim::check_stream(stream, "cudnnSetStream");
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

size_t cudnnGetVersion(void) { return CUDNN_VERSION; }

const char *cudnnGetErrorString(cudnnStatus_t status) {
  switch (CUDNN_STATUS_CATEGORY(status)) {
  case 0:
    return "CUDNN_STATUS_SUCCESS";
  case CUDNN_STATUS_BAD_PARAM:
    return "CUDNN_STATUS_BAD_PARAM";
  case CUDNN_STATUS_NOT_SUPPORTED:
    return "CUDNN_STATUS_NOT_SUPPORTED";
  case CUDNN_STATUS_INTERNAL_ERROR:
    return "CUDNN_STATUS_INTERNAL_ERROR";
  default:
    return "CUDNN_STATUS_NOT_INITIALIZED";
  }
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_handle,
                                  cudnnBackendDescriptor_t pack_handle) {
  check_handle(handle, "cudnnBackendExecute");
  if (sim::device_of(handle->stream) != sim::current_device())
    return refuse(CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH, "the handle is of another device than the current one");
  reference d = find(plan_handle), pack = find(pack_handle);
  if (!d || d->type != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR || !d->finalized)
    return refuse(CUDNN_STATUS_BAD_PARAM, "the plan is no finalized plan");
  if (!pack || pack->type != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR || !pack->finalized)
    return refuse(CUDNN_STATUS_BAD_PARAM, "the variant pack is no finalized variant pack");
  plan p = plan_of(*d);
  const engine &e = *find_engine(p.engine);
  check_use(e);
  struct {
    void *of[TENSORS];
  } address;
  DNN_TRY(find_addresses(p.what, *pack, address.of));
  void *workspace = pack->get<void *>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, nullptr);
  size_t bytes = workspace_of(p);
  check_addresses(p.what, address.of, workspace, bytes);
  sim::enqueue(handle->stream, "cudnnBackendExecute", [=, &e] {
    if (!find(plan_handle))
      sim::fail("cudnnBackendExecute: the plan was destroyed before the stream came to it");
    sim::open_memory();
    const tensor &result = p.what.of[p.what.result()];
    for (int i = 0; i < TENSORS; i++)
      if (i != p.what.result())
        sim::reads(address.of[i], p.what.of[i].bytes());
    sim::writes(address.of[p.what.result()], result.bytes());
    sim::writes(workspace, bytes);
    if (bytes)
      sim::poison(workspace, bytes);
    sim::poison(address.of[p.what.result()], result.bytes());
    compute(p.what, address.of, rounds(e, p.what));
  });
  return CUDNN_STATUS_SUCCESS;
}

} // extern "C"
