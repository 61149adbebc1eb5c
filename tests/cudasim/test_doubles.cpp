/* test_doubles.cpp - the doubles of cuDNN and cuBLAS: every rule is broken once and must be noticed, those of NCCL in
 * test_nccl.cpp. That what they compute is right, tests/cuda/test_conv.c and tests/ops find out. */
#include "cudasim.h"
#include "noticed.h"

#include <cublas_v2.h>
#include <cudnn_graph.h>

#include <string.h>
#include <unistd.h>
#include <vector>

#if defined __SANITIZE_THREAD__
enum { TSAN = 1 };
#else
enum { TSAN = 0 };
#endif

void test_nccl(); /* test_nccl.cpp */

static cudaStream_t stream;

static float *device(size_t bytes) {
  void *memory = nullptr;
  cudaMalloc(&memory, bytes);
  return (float *)memory;
}

/* ---- convolutions: x (1, 4, 6, 6), 3x3 weights (2, 4, 3, 3), y (1, 2, 6, 6) ---- */

typedef cudnnBackendDescriptor_t descriptor;
static cudnnHandle_t cudnn;
static cudnnStatus_t status; /* of the call that failed first */
static std::vector<descriptor> made;

static void note(cudnnStatus_t s) { status = status == CUDNN_STATUS_SUCCESS ? s : status; }

static descriptor make(cudnnBackendDescriptorType_t type) {
  descriptor d;
  note(cudnnBackendCreateDescriptor(type, &d));
  made.push_back(d);
  return d;
}

static void free_all() {
  for (descriptor d : made)
    cudnnBackendDestroyDescriptor(d);
  made.clear();
}

template <class T>
static void set(descriptor d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                const std::vector<T> &values) {
  note(cudnnBackendSetAttribute(d, name, type, (int64_t)values.size(), values.data()));
}

static void set_part(descriptor d, cudnnBackendAttributeName_t name, descriptor part) {
  set(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::vector<descriptor>{part});
}

struct changes {
  int64_t x_stride = 1, y_rows = 6, y_id = 3, alignment = 16, padding_behind = 1;
  cudnnDataType_t y_type = CUDNN_DATA_FLOAT;
};

static descriptor tensor(int64_t id, cudnnDataType_t type, const std::vector<int64_t> &size, int64_t channel_stride,
                         int64_t alignment) {
  descriptor d = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  set(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, std::vector<cudnnDataType_t>{type});
  set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, size);
  set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64,
      std::vector<int64_t>{size[1] * size[2] * size[3], channel_stride, size[1] * size[3], size[1]});
  set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, std::vector<int64_t>{id});
  set(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, std::vector<int64_t>{alignment});
  note(cudnnBackendFinalize(d));
  return d;
}

static descriptor graph(const changes &c) {
  std::vector<int64_t> ones = {1, 1}, behind = {c.padding_behind, c.padding_behind};
  descriptor window = make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  set(window, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, std::vector<cudnnDataType_t>{CUDNN_DATA_FLOAT});
  set(window, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
      std::vector<cudnnConvolutionMode_t>{CUDNN_CROSS_CORRELATION});
  set(window, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, std::vector<int64_t>{2});
  set(window, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, ones);
  set(window, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, behind);
  set(window, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, ones);
  set(window, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, ones);
  note(cudnnBackendFinalize(window));
  descriptor d = make(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  set_part(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, window);
  set_part(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
           tensor(1, CUDNN_DATA_FLOAT, {1, 4, 6, 6}, c.x_stride, c.alignment));
  set_part(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, tensor(2, CUDNN_DATA_FLOAT, {2, 4, 3, 3}, 1, 16));
  set_part(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, tensor(c.y_id, c.y_type, {1, 2, c.y_rows, 6}, 1, 16));
  set(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, std::vector<float>{1});
  set(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, std::vector<float>{0});
  note(cudnnBackendFinalize(d));
  descriptor g = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set_part(g, CUDNN_ATTR_OPERATIONGRAPH_OPS, d);
  set(g, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, std::vector<cudnnHandle_t>{cudnn});
  note(cudnnBackendFinalize(g));
  return g;
}

static void expect_refused(const char *what, cudnnStatus_t expected, const changes &c) {
  status = CUDNN_STATUS_SUCCESS;
  graph(c);
  expect(CUDNN_STATUS_CATEGORY(status) == expected, what);
  free_all();
}

static void test_descriptors() {
  status = CUDNN_STATUS_SUCCESS;
  graph({});
  expect(status == CUDNN_STATUS_SUCCESS, "a convolution that follows the rules");
  free_all();
  expect_refused("a tensor that is not packed", CUDNN_STATUS_NOT_SUPPORTED, {.x_stride = 36});
  expect_refused("an output that is too small", CUDNN_STATUS_BAD_PARAM, {.y_rows = 5});
  expect_refused("one unique id twice", CUDNN_STATUS_BAD_PARAM, {.y_id = 2});
  expect_refused("an alignment that is no power of two", CUDNN_STATUS_BAD_PARAM, {.alignment = 12});
  expect_refused("padding that is not the same behind", CUDNN_STATUS_NOT_SUPPORTED, {.padding_behind = 2});
  expect_refused("types that are mixed", CUDNN_STATUS_NOT_SUPPORTED, {.y_type = CUDNN_DATA_HALF});
  descriptor d = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR), unfinished = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  descriptor heuristics = make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  int64_t one = 1;
  expect(cudnnBackendSetAttribute(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT32, 1, &one) ==
             CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE,
         "an attribute of another type");
  expect(cudnnBackendFinalize(d) == CUDNN_STATUS_BAD_PARAM, "a descriptor that lacks an attribute");
  expect(cudnnBackendSetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                                  &unfinished) == CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
         "a part that is not finalized");
  free_all();
  expect_noticed("a descriptor that is gone", "no descriptor", [=] { cudnnBackendFinalize(d); });
}

/* A plan of an engine by number. */
static descriptor plan_of(int64_t number) {
  descriptor engine = make(CUDNN_BACKEND_ENGINE_DESCRIPTOR), config = make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  set_part(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph({}));
  set(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, std::vector<int64_t>{number});
  note(cudnnBackendFinalize(engine));
  set_part(config, CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  note(cudnnBackendFinalize(config));
  descriptor plan = make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  set_part(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, std::vector<cudnnHandle_t>{cudnn});
  note(cudnnBackendFinalize(plan));
  return plan;
}

static cudnnStatus_t execute(descriptor plan, const std::vector<void *> &tensors, void *workspace) {
  descriptor pack = make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, std::vector<int64_t>{1, 2, 3});
  set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, tensors);
  set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, std::vector<void *>{workspace});
  note(cudnnBackendFinalize(pack));
  return cudnnBackendExecute(cudnn, plan, pack);
}

static void test_plans() {
  enum { PLAIN = 1, CHANGING = 5 };
  float *x = device(1 << 12), *w = device(1 << 12), *y = device(1 << 12), *workspace = device(1 << 12);
  float host = 0;
  status = CUDNN_STATUS_SUCCESS;
  descriptor plan = plan_of(PLAIN), changing = plan_of(CHANGING);
  int64_t count = 0, size = 0;
  cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count, &size);
  expect(status == CUDNN_STATUS_SUCCESS && size > 0 && size < 1 << 12, "a plan with a workspace");
  expect_noticed("a host pointer", "not in device memory", [&] { execute(plan, {&host, w, y}, workspace); });
  expect_noticed("no workspace", "workspace", [=] { execute(plan, {x, w, y}, nullptr); });
  expect_noticed("an address that is not aligned", "not aligned", [=] { execute(plan, {x + 1, w, y}, workspace); });
  expect_noticed("a result over an operand", "overlap", [=] { execute(plan, {x, w, x}, workspace); });
  expect_noticed("a workspace over a tensor", "overlap", [=] { execute(plan, {x, w, y}, w); });
  expect_noticed("an engine that is not deterministic", "other results", [=] {
    execute(changing, {x, w, y}, workspace);
  });
  expect_noticed("a plan that is gone", "plan was destroyed", [=] {
    execute(plan, {x, w, y}, workspace);
    cudnnBackendDestroyDescriptor(plan);
    cudaStreamSynchronize(stream);
  });
  execute(plan, {x, w, y}, workspace);
  cudaStreamSynchronize(stream);
  free_all();
  for (float *memory : {x, w, y, workspace})
    cudaFree(memory);
}

/* ---- products of (4, 3) and (3, 2), column by column ---- */

static cublasStatus_t multiply(cublasHandle_t handle, const void *a, int a_lead, const void *b, void *c,
                               cudaDataType type) {
  float one = 1, zero = 0;
  return cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 2, 3, &one, a, type, a_lead, b, CUDA_R_32F, 3, &zero, c,
                      CUDA_R_32F, 4, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}

static void test_products() {
  cublasHandle_t handle;
  float *a = device(48), *b = device(24), *c = device(32), *workspace = device(1 << 12), host = 0;
  cublasCreate(&handle);
  cublasSetStream(handle, stream);
  auto captured = [=](bool given) {
    if (given)
      cublasSetWorkspace(handle, workspace, 1 << 12);
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    multiply(handle, a, 4, b, c, CUDA_R_32F);
  };
  expect(multiply(handle, a, 4, b, c, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS, "a product that follows the rules");
  expect(multiply(handle, a, 3, b, c, CUDA_R_32F) == CUBLAS_STATUS_INVALID_VALUE, "columns that overlap");
  expect(multiply(handle, a, 4, b, c, CUDA_R_16F) == CUBLAS_STATUS_NOT_SUPPORTED, "types that are mixed");
  expect_noticed("a host pointer", "not in device memory", [&] { multiply(handle, &host, 4, b, c, CUDA_R_32F); });
  expect_noticed("a matrix that is too small", "not in device memory",
                 [=] { multiply(handle, a, 5, b, c, CUDA_R_32F); });
  expect_noticed("a result over an operand", "overlap", [=] { multiply(handle, a, 4, b, a, CUDA_R_32F); });
  expect_noticed("no workspace in a capture", "cublasSetWorkspace", [=] { captured(false); });
  expect_noticed("a workspace in a capture", "nothing was noticed", [=] { captured(true); });
  expect_noticed("a workspace that a new stream took back", "cublasSetWorkspace", [=] {
    cublasSetWorkspace(handle, workspace, 1 << 12);
    cublasSetStream(handle, stream);
    captured(false);
  });
  cudaStreamSynchronize(stream);
  cublasDestroy(handle);
  for (float *memory : {a, b, c, workspace})
    cudaFree(memory);
}

/* A product, and on another stream something that its result needs, or nothing. */
static void race(bool races) {
  cublasHandle_t handle;
  cudaStream_t other;
  float *a = device(48), *b = device(24), *c = device(32);
  cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
  cublasCreate(&handle);
  cublasSetStream(handle, stream);
  multiply(handle, a, 4, b, c, CUDA_R_32F);
  cudaMemsetAsync(races ? b : device(24), 0, 24, other);
  cudaDeviceSynchronize();
}

/* The sanitizer looks away in a process that was forked, so each is a program of its own. */
static void test_races() {
  for (const char *way : {"apart", "races"}) {
    std::string text = output_of([=] { execl("/proc/self/exe", "race", way, nullptr); });
    expect((text.find("data race") != std::string::npos) == !strcmp(way, "races"), way);
  }
}

int main(int argc, char **argv) {
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (argc > 1) {
    race(!strcmp(argv[1], "races"));
    return 0;
  }
  cudnnCreate(&cudnn);
  cudnnSetStream(cudnn, stream);
  test_descriptors();
  test_plans();
  test_products();
  test_nccl();
  if (TSAN)
    test_races();
  cudnnDestroy(cudnn);
  cudaStreamDestroy(stream);
  expect(cudasim_live() == 0, "all was given back");
  return close_tests();
}
