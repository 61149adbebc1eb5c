/* descriptor.h - the descriptors of cuDNN's graph API as this double of the library holds them.
 *
 * A descriptor is a set of attributes. Those that are given by the caller and those that the library answers lie in the
 * same place; what may be given, what must be, and what is an answer stands in a table (attributes.cpp). */
#ifndef ICL_TESTS_CUDASIM_CUDNN_DESCRIPTOR_H
#define ICL_TESTS_CUDASIM_CUDNN_DESCRIPTOR_H

#include "../library.h"

#include <cudnn_graph.h>

#include <map>
#include <memory>
#include <string>

namespace dnn {

struct descriptor;
typedef std::shared_ptr<descriptor> reference;

struct attribute {
  cudnnBackendAttributeType_t type;
  int64_t count;
  std::vector<char> bytes;
  std::vector<reference> parts; /* where values are descriptors; the bytes then are the handles that were given */
};

struct descriptor {
  cudnnBackendDescriptorType_t type;
  bool finalized;
  std::map<int, attribute> attributes;

  bool has(int name) const { return attributes.count(name) > 0; }
  const std::vector<reference> &parts(int name) const { return attributes.at(name).parts; }
  const descriptor &part(int name) const { return *parts(name)[0]; }
  template <class T> T get(int name) const {
    T value;
    memcpy(&value, attributes.at(name).bytes.data(), sizeof value);
    return value;
  }
  template <class T> T get(int name, T otherwise) const { return has(name) ? get<T>(name) : otherwise; }
  template <class T> std::vector<T> list(int name) const {
    const attribute &a = attributes.at(name);
    const T *first = (const T *)a.bytes.data();
    return std::vector<T>(first, first + a.count);
  }
  template <class T> void set(int name, cudnnBackendAttributeType_t value_type, const std::vector<T> &values) {
    const char *first = (const char *)values.data();
    attributes[name] = {
        value_type, (int64_t)values.size(), std::vector<char>(first, first + values.size() * sizeof(T)), {}};
  }
  void set_parts(int name, std::vector<reference> values) {
    int64_t count = (int64_t)values.size();
    attributes[name] = {CUDNN_TYPE_BACKEND_DESCRIPTOR, count, {}, std::move(values)};
  }
};

/* Notes why for cudnnGetLastErrorString() and returns the status. */
cudnnStatus_t refuse(cudnnStatus_t status, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define DNN_TRY(call)                                                                                                  \
  do {                                                                                                                 \
    cudnnStatus_t status_ = (call);                                                                                    \
    if (status_ != CUDNN_STATUS_SUCCESS)                                                                               \
      return status_;                                                                                                  \
  } while (0)

/* The descriptor of a handle; NULL if it was destroyed or never was one. */
reference find(cudnnBackendDescriptor_t handle);

/* ---- attributes.cpp ---- */

enum access { MUST_BE_SET, CAN_BE_SET, ANSWER };
struct rule {
  cudnnBackendDescriptorType_t of;
  int name; /* attributes that may have either of two types have two rules */
  access how;
  cudnnBackendAttributeType_t type;
  int64_t most;                      /* values */
  cudnnBackendDescriptorType_t part; /* where values are descriptors */
};
size_t size_of(cudnnBackendAttributeType_t type);
cudnnStatus_t check_type(cudnnBackendDescriptorType_t type);
/* The rule for an attribute, or why there is none. */
cudnnStatus_t find_rule(const descriptor &d, int name, cudnnBackendAttributeType_t type, const rule **result);
cudnnStatus_t check_complete(const descriptor &d);

/* ---- what is computed when a descriptor is finalized ---- */

cudnnStatus_t finish_tensor(const descriptor &d); /* convolution.cpp, this and the next three */
cudnnStatus_t finish_convolution(const descriptor &d);
cudnnStatus_t finish_operation(const descriptor &d);
cudnnStatus_t finish_graph(const descriptor &d);
cudnnStatus_t finish_heuristics(descriptor &d); /* engines.cpp, the rest */
cudnnStatus_t finish_engine(descriptor &d);
cudnnStatus_t finish_plan(descriptor &d);

} // namespace dnn

struct cudnnContext {
  cudaStream_t stream;
};

#endif
