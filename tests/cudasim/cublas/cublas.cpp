/* cublas.cpp - a double of cuBLAS: matrix products, by plain loops with sums in f32, of f64 in f64. Matrices are
 * column-major. */
#include "../library.h"
#include "../tsan.h"

#include <cublas_v2.h>

#include <algorithm>
#include <set>

struct cublasContext {
  cudaStream_t stream;
  void *workspace; /* the caller's; NULL: its own, which a captured graph would share with other products */
  size_t workspace_bytes;
  unsigned math;
};

namespace blas {

/* It may be large, and nobody may take its beginning for anything. */
enum { WORKSPACE_POISON = 64 << 10 };

static std::set<cublasHandle_t> &handles = *new std::set<cublasHandle_t>;

static void check_handle(cublasHandle_t handle, const char *call) {
  if (!handles.count(handle))
    sim::fail("%s: %p is no handle, or it was destroyed", call, (void *)handle);
}

/* One of the three matrices, `batch` of them `step` values apart. */
struct matrix {
  const char *name;
  const void *data;
  cudaDataType given;
  bool is_transposed;
  size_t rows, columns, lead; /* as it lies */
  long long step;
  sim::value_type type;

  size_t count(size_t batch) const {
    return rows && columns && batch ? (batch - 1) * (size_t)step + (columns - 1) * lead + rows : 0;
  }
  size_t bytes(size_t batch) const { return count(batch) * sim::bytes_of(type); }
};

static bool find_type(matrix *m) {
  m->type = m->given == CUDA_R_16F    ? sim::HALF
            : m->given == CUDA_R_16BF ? sim::BFLOAT
            : m->given == CUDA_R_64F  ? sim::DOUBLE
                                      : sim::FLOAT;
  return m->given == CUDA_R_32F || m->given == CUDA_R_16F || m->given == CUDA_R_16BF || m->given == CUDA_R_64F;
}

static void check_matrix(const matrix &m, size_t batch) {
  if (m.count(batch) && !sim::is_device(m.data, m.bytes(batch)))
    sim::fail("cublasGemm: matrix %s, %p of %zu bytes, is not in device memory", m.name, m.data, m.bytes(batch));
  if ((uintptr_t)m.data % sim::bytes_of(m.type))
    sim::fail("cublasGemm: matrix %s at %p is not aligned to its values", m.name, m.data);
}

static void check_workspace(cublasHandle_t handle) {
  if (!handle->workspace && sim::is_captured(handle->stream))
    sim::fail("cublasGemm: captured with no workspace from cublasSetWorkspace(), or with one that cublasSetStream() "
              "has taken back");
  if (handle->workspace && !sim::is_device(handle->workspace, handle->workspace_bytes))
    sim::fail("cublasGemm: the workspace was freed");
}

struct product {
  matrix a, b, c;
  size_t inner, batch;
  double alpha, beta;
  bool tf32;
};

static std::vector<float> load(const matrix &m, const void *from, size_t count, bool tf32, float) {
  return sim::load(m.type, from, count, tf32);
}
static std::vector<double> load(const matrix &, const void *from, size_t count, bool, double) {
  return std::vector<double>((const double *)from, (const double *)from + count);
}

static void store(const matrix &m, void *to, size_t index, float value) { sim::store(m.type, to, index, value); }
static void store(const matrix &, void *to, size_t index, double value) { ((double *)to)[index] = value; }

static void add_rows(float *y, size_t length, size_t count, const float *const *row, const float *factor) {
  sim::add_rows(y, length, count, row, factor);
}
static void add_rows(double *y, size_t length, size_t count, const double *const *row, const double *factor) {
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < length; k++)
      y[k] += factor[i] * row[i][k];
}

/* The matrix as rows of values that follow one another, transposed or not. */
template <class Real> static std::vector<Real> rows_of(const matrix &m, size_t batch, bool tf32, bool by_column) {
  const char *first = (const char *)m.data + batch * (size_t)m.step * sim::bytes_of(m.type);
  std::vector<Real> all = load(m, first, m.count(1), tf32, Real());
  size_t rows = m.is_transposed ? m.columns : m.rows, columns = m.is_transposed ? m.rows : m.columns;
  std::vector<Real> result(rows * columns);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      result[by_column ? j * rows + i : i * columns + j] = all[m.is_transposed ? i * m.lead + j : j * m.lead + i];
  return result;
}

template <class Real> static void run(const product &p, size_t batch) {
  const matrix &c = p.c;
  Real alpha = (Real)p.alpha, beta = (Real)p.beta;
  std::vector<Real> a = rows_of<Real>(p.a, batch, p.tf32, true), b = rows_of<Real>(p.b, batch, p.tf32, true);
  std::vector<const Real *> columns;
  for (size_t k = 0; k < p.inner; k++)
    columns.push_back(&a[k * c.rows]);
  char *first = (char *)c.data + batch * (size_t)c.step * sim::bytes_of(c.type);
  for (size_t j = 0; j < c.columns; j++) {
    std::vector<Real> sum(c.rows);
    add_rows(sum.data(), c.rows, p.inner, columns.data(), &b[j * p.inner]);
    void *column = first + j * c.lead * sim::bytes_of(c.type);
    std::vector<Real> old = beta != 0 ? load(c, column, c.rows, false, Real()) : std::vector<Real>(c.rows);
    for (size_t i = 0; i < c.rows; i++)
      store(c, column, i, alpha * sum[i] + (beta != 0 ? beta * old[i] : 0));
  }
}

/* With beta 0 the result is written alone; what lies between its columns stays. */
static void poison_result(const matrix &c, size_t batches) {
  size_t size = sim::bytes_of(c.type);
  for (size_t batch = 0; batch < batches; batch++)
    for (size_t j = 0; j < c.columns; j++)
      sim::poison((char *)c.data + (batch * (size_t)c.step + j * c.lead) * size, c.rows * size);
}

static cublasStatus_t put(cublasHandle_t handle, product p, cublasComputeType_t compute) {
  for (matrix *m : {&p.a, &p.b, &p.c})
    if (!find_type(m))
      return CUBLAS_STATUS_NOT_SUPPORTED;
  bool is_fast = compute == CUBLAS_COMPUTE_32F_FAST_TF32 || (handle->math & 15) == CUBLAS_TF32_TENSOR_OP_MATH;
  bool is_known = compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_PEDANTIC ||
                  compute == CUBLAS_COMPUTE_32F_FAST_TF32 || compute == CUBLAS_COMPUTE_64F;
  if (!is_known || p.a.given != p.b.given || (p.c.given != p.a.given && p.c.given != CUDA_R_32F))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  for (const matrix *m : {&p.a, &p.b, &p.c})
    if ((m->type == sim::DOUBLE) != (compute == CUBLAS_COMPUTE_64F))
      return CUBLAS_STATUS_NOT_SUPPORTED;
  for (const matrix *m : {&p.a, &p.b, &p.c})
    if (m->lead < m->rows || m->lead < 1)
      return CUBLAS_STATUS_INVALID_VALUE;
  if (!p.c.rows || !p.c.columns || !p.batch)
    return CUBLAS_STATUS_SUCCESS;
  for (const matrix *m : {&p.a, &p.b, &p.c}) {
    check_matrix(*m, p.batch);
    if (m != &p.c && sim::overlap(m->data, m->bytes(p.batch), p.c.data, p.c.bytes(p.batch)))
      sim::fail("cublasGemm: matrices %s and C overlap", m->name);
  }
  if (p.batch > 1 && (size_t)p.c.step < (p.c.columns - 1) * p.c.lead + p.c.rows)
    sim::fail("cublasGemmStridedBatchedEx: the results overlap");
  check_workspace(handle);
  p.tf32 = is_fast && compute != CUBLAS_COMPUTE_32F_PEDANTIC;
  void *workspace = handle->workspace;
  size_t bytes = handle->workspace_bytes;
  sim::enqueue(handle->stream, "cublasGemm", [=] {
    sim::open_memory();
    for (const matrix *m : {&p.a, &p.b})
      sim::reads(m->data, m->bytes(p.batch));
    sim::writes((void *)p.c.data, p.c.bytes(p.batch));
    sim::writes(workspace, bytes);
    if (workspace)
      sim::poison(workspace, std::min<size_t>(bytes, WORKSPACE_POISON));
    if (p.beta == 0)
      poison_result(p.c, p.batch);
    for (size_t batch = 0; batch < p.batch; batch++)
      p.c.type == sim::DOUBLE ? run<double>(p, batch) : run<float>(p, batch);
  });
  return CUBLAS_STATUS_SUCCESS;
}

/* alpha or beta, which is of the type that is computed in */
static double factor(const void *value, cublasComputeType_t compute) {
  return compute == CUBLAS_COMPUTE_64F ? *(const double *)value : *(const float *)value;
}

static bool is_operation(cublasOperation_t operation) { return operation == CUBLAS_OP_N || operation == CUBLAS_OP_T; }

} // namespace blas

using namespace blas;

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle) {
  sim::refuse_in_capture("cublasCreate");
  *handle = new cublasContext{};
  handles.insert(*handle);
  sim::live_things++;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  check_handle(handle, "cublasDestroy");
  sim::finish_streams();
  handles.erase(handle);
  delete handle;
  sim::live_things--;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  check_handle(handle, "cublasSetStream");
  sim::check_stream(stream, "cublasSetStream");
  handle->stream = stream;
  handle->workspace = nullptr; /* as NVIDIA's does */
  handle->workspace_bytes = 0;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t bytes) {
  check_handle(handle, "cublasSetWorkspace");
  if (!sim::is_device(workspace, bytes) || (uintptr_t)workspace % sim::ALIGNMENT)
    sim::fail("cublasSetWorkspace: %p of %zu bytes is not in device memory, or not aligned to %zu bytes", workspace,
              bytes, sim::ALIGNMENT);
  handle->workspace = workspace;
  handle->workspace_bytes = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  check_handle(handle, "cublasSetMathMode");
  unsigned kind = (unsigned)mode & 15;
  if (kind != CUBLAS_DEFAULT_MATH && kind != CUBLAS_PEDANTIC_MATH && kind != CUBLAS_TF32_TENSOR_OP_MATH)
    sim::fail("cublasSetMathMode: mode %u is not simulated", (unsigned)mode);
  handle->math = (unsigned)mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int *version) {
  if (handle)
    check_handle(handle, "cublasGetVersion");
  *version = CUBLAS_VERSION;
  return CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
  case CUBLAS_STATUS_SUCCESS:
    return "success";
  case CUBLAS_STATUS_INVALID_VALUE:
    return "an unsupported value or parameter was passed to the function";
  case CUBLAS_STATUS_NOT_SUPPORTED:
    return "the functionality requested is not supported";
  default:
    return "an error of the simulator";
  }
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t a_operation,
                                          cublasOperation_t b_operation, int m, int n, int k, const void *alpha,
                                          const void *a, cudaDataType a_type, int a_lead, long long a_step,
                                          const void *b, cudaDataType b_type, int b_lead, long long b_step,
                                          const void *beta, void *c, cudaDataType c_type, int c_lead, long long c_step,
                                          int batch, cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
  check_handle(handle, "cublasGemm");
  if (m < 0 || n < 0 || k < 0 || batch < 0 || a_lead < 1 || b_lead < 1 || c_lead < 1 || a_step < 0 || b_step < 0 ||
      c_step < 0 || !alpha || !beta || !is_operation(a_operation) || !is_operation(b_operation))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (algorithm != CUBLAS_GEMM_DEFAULT && algorithm != CUBLAS_GEMM_DEFAULT_TENSOR_OP)
    sim::fail("cublasGemm: algorithm %d is not simulated", (int)algorithm);
  size_t rows = (size_t)m, columns = (size_t)n, inner = (size_t)k;
  bool at = a_operation == CUBLAS_OP_T, bt = b_operation == CUBLAS_OP_T;
  return put(handle,
             {{"A", a, a_type, at, at ? inner : rows, at ? rows : inner, (size_t)a_lead, a_step, sim::FLOAT},
              {"B", b, b_type, bt, bt ? columns : inner, bt ? inner : columns, (size_t)b_lead, b_step, sim::FLOAT},
              {"C", c, c_type, false, rows, columns, (size_t)c_lead, c_step, sim::FLOAT},
              inner,
              (size_t)batch,
              factor(alpha, compute),
              factor(beta, compute),
              false},
             compute);
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t a_operation, cublasOperation_t b_operation, int m,
                            int n, int k, const void *alpha, const void *a, cudaDataType a_type, int a_lead,
                            const void *b, cudaDataType b_type, int b_lead, const void *beta, void *c,
                            cudaDataType c_type, int c_lead, cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
  return cublasGemmStridedBatchedEx(handle, a_operation, b_operation, m, n, k, alpha, a, a_type, a_lead, 0, b, b_type,
                                    b_lead, 0, beta, c, c_type, c_lead, 0, 1, compute, algorithm);
}

} // extern "C"
