/* descriptor.cpp - the functions on descriptors: create, set, finalize, get, destroy. */
#include "descriptor.h"

#include <algorithm>
#include <stdarg.h>
#include <stdio.h>

namespace dnn {

static std::map<cudnnBackendDescriptor_t, reference> &live = *new std::map<cudnnBackendDescriptor_t, reference>;
static uintptr_t next_handle; /* none is used twice */
static char message[512];

cudnnStatus_t refuse(cudnnStatus_t status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  return status;
}

reference find(cudnnBackendDescriptor_t handle) {
  auto found = live.find(handle);
  return found == live.end() ? nullptr : found->second;
}

/* A handle that no descriptor has is a fault of the caller's that the library would not survive. */
static descriptor &known(cudnnBackendDescriptor_t handle, const char *call) {
  reference d = find(handle);
  if (!d)
    sim::fail("%s: %p is no descriptor, or it was destroyed", call, handle);
  return *d;
}

static cudnnStatus_t check_parts(const rule &r, int64_t count, const cudnnBackendDescriptor_t *handles) {
  for (int64_t i = 0; i < count; i++) {
    const descriptor &part = known(handles[i], "cudnnBackendSetAttribute");
    if (!part.finalized)
      return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "attribute %d: descriptor %d is not finalized", r.name,
                    (int)i);
    if (part.type != r.part && r.name != CUDNN_ATTR_OPERATIONGRAPH_OPS)
      return refuse(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "attribute %d: descriptor %d is of type %d, not %d", r.name,
                    (int)i, (int)part.type, (int)r.part);
  }
  return CUDNN_STATUS_SUCCESS;
}

/* Descriptors that it was given must still be there. */
static void check_alive(const descriptor &d) {
  for (const auto &a : d.attributes) {
    const cudnnBackendDescriptor_t *handles = (const cudnnBackendDescriptor_t *)a.second.bytes.data();
    for (size_t i = 0; i < a.second.parts.size(); i++)
      known(handles[i], "cudnnBackendFinalize");
  }
}

static cudnnStatus_t finish_pack(const descriptor &d) {
  std::vector<int64_t> ids = d.list<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  if (ids.size() != d.list<void *>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).size())
    return refuse(CUDNN_STATUS_BAD_PARAM, "a variant pack has not as many pointers as unique ids");
  for (size_t i = 0; i < ids.size(); i++)
    for (size_t k = 0; k < i; k++)
      if (ids[i] == ids[k])
        return refuse(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, "unique id %ld is twice in a variant pack",
                      (long)ids[i]);
  return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finish(descriptor &d) {
  switch (d.type) {
  case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
    return finish_tensor(d);
  case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
    return finish_convolution(d);
  case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
  case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
  case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
    return finish_operation(d);
  case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
    return finish_graph(d);
  case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
    return finish_heuristics(d);
  case CUDNN_BACKEND_ENGINE_DESCRIPTOR:
    return finish_engine(d);
  case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
    return finish_plan(d);
  case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
    return finish_pack(d);
  default:
    return CUDNN_STATUS_SUCCESS;
  }
}

/* The caller gives descriptors of its own that the answers are copied to. */
static cudnnStatus_t give_parts(const rule &r, const attribute &a, int64_t count, const cudnnBackendDescriptor_t *to) {
  for (int64_t i = 0; i < count; i++) {
    descriptor &target = known(to[i], "cudnnBackendGetAttribute");
    if (target.type != r.part)
      return refuse(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "attribute %d: descriptor %d is of type %d, not %d", r.name,
                    (int)i, (int)target.type, (int)r.part);
    target = *a.parts[(size_t)i];
  }
  return CUDNN_STATUS_SUCCESS;
}

} // namespace dnn

using namespace dnn;

extern "C" {

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *handle) {
  *handle = nullptr;
  DNN_TRY(check_type(type));
  reference d(new descriptor{type, false, {}});
  *handle = (void *)(next_handle += 16);
  live[*handle] = d;
  sim::live_things++;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t handle) {
  if (!handle)
    return CUDNN_STATUS_SUCCESS;
  known(handle, "cudnnBackendDestroyDescriptor");
  live.erase(handle);
  sim::live_things--;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void *values) {
  descriptor &d = known(handle, "cudnnBackendSetAttribute");
  const rule *r;
  DNN_TRY(find_rule(d, name, type, &r));
  if (d.finalized)
    return refuse(CUDNN_STATUS_NOT_INITIALIZED, "attribute %d is set after its descriptor was finalized", (int)name);
  if (r->how == ANSWER)
    return refuse(CUDNN_STATUS_BAD_PARAM, "attribute %d can be read alone", (int)name);
  if (count < 1 || count > r->most || !values)
    return refuse(CUDNN_STATUS_BAD_PARAM, "attribute %d takes 1 to %ld values, not %ld", (int)name, (long)r->most,
                  (long)count);
  attribute a = {type, count, {}, {}};
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    const cudnnBackendDescriptor_t *handles = (const cudnnBackendDescriptor_t *)values;
    DNN_TRY(check_parts(*r, count, handles));
    for (int64_t i = 0; i < count; i++)
      a.parts.push_back(find(handles[i]));
  }
  a.bytes.assign((const char *)values, (const char *)values + (size_t)count * size_of(type));
  d.attributes[name] = std::move(a);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t handle) {
  descriptor &d = known(handle, "cudnnBackendFinalize");
  if (d.finalized)
    return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor of type %d is finalized twice", (int)d.type);
  check_alive(d);
  DNN_TRY(check_complete(d));
  DNN_TRY(finish(d));
  d.finalized = true;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t most, int64_t *count, void *values) {
  const descriptor &d = known(handle, "cudnnBackendGetAttribute");
  const rule *r;
  DNN_TRY(find_rule(d, name, type, &r));
  if (!d.finalized)
    return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "attribute %d of a descriptor that is not finalized",
                  (int)name);
  static const attribute none = {};
  const attribute &a = d.has(name) ? d.attributes.at(name) : none;
  int64_t taken = a.count;
  if (most > 0 && values) {
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
      taken = std::min(most, a.count);
      DNN_TRY(give_parts(*r, a, taken, (const cudnnBackendDescriptor_t *)values));
    } else {
      if (most < a.count)
        return refuse(CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT, "attribute %d has %ld values, there is place for %ld",
                      (int)name, (long)a.count, (long)most);
      std::copy(a.bytes.begin(), a.bytes.end(), (char *)values);
    }
  }
  if (count)
    *count = taken;
  return CUDNN_STATUS_SUCCESS;
}

void cudnnGetLastErrorString(char *text, size_t size) {
  snprintf(text, size, "%s", message);
  *message = 0;
}

} // extern "C"
