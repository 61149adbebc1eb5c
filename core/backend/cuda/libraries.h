/* libraries.h - NVIDIA's libraries, opened when they are needed: the plug-in links with none of them, so that it says
 * what is missing instead of not loading, and finds them where Python packages put them. */
#ifndef ICL_BACKEND_CUDA_LIBRARIES_H
#define ICL_BACKEND_CUDA_LIBRARIES_H

#include <cublas_v2.h>
#include <cudnn_graph.h>
#include <nccl.h>

#include "base/file.h"

#define ICL__CUDNN_FUNCTIONS(X)                                                                                        \
  X(cudnnGetVersion)                                                                                                   \
  X(cudnnGetErrorString)                                                                                               \
  X(cudnnGetLastErrorString)                                                                                           \
  X(cudnnCreate)                                                                                                       \
  X(cudnnDestroy)                                                                                                      \
  X(cudnnSetStream)                                                                                                    \
  X(cudnnBackendCreateDescriptor)                                                                                      \
  X(cudnnBackendDestroyDescriptor)                                                                                     \
  X(cudnnBackendFinalize)                                                                                              \
  X(cudnnBackendSetAttribute)                                                                                          \
  X(cudnnBackendGetAttribute)                                                                                          \
  X(cudnnBackendExecute)

#define ICL__CUBLAS_FUNCTIONS(X)                                                                                       \
  X(cublasCreate_v2)                                                                                                   \
  X(cublasDestroy_v2)                                                                                                  \
  X(cublasSetStream_v2)                                                                                                \
  X(cublasSetWorkspace_v2)                                                                                             \
  X(cublasSetMathMode)                                                                                                 \
  X(cublasGemmEx)                                                                                                      \
  X(cublasGemmStridedBatchedEx)                                                                                        \
  X(cublasGetStatusString)                                                                                             \
  X(cublasGetVersion_v2)

#define ICL__NCCL_FUNCTIONS(X)                                                                                         \
  X(ncclGetVersion)                                                                                                    \
  X(ncclGetErrorString)                                                                                                \
  X(ncclGetUniqueId)                                                                                                   \
  X(ncclCommInitRank)                                                                                                  \
  X(ncclCommDestroy)                                                                                                   \
  X(ncclCommAbort)                                                                                                     \
  X(ncclCommGetAsyncError)                                                                                             \
  X(ncclGroupStart)                                                                                                    \
  X(ncclGroupEnd)                                                                                                      \
  X(ncclSend)                                                                                                          \
  X(ncclRecv)                                                                                                          \
  X(ncclAllGather)                                                                                                     \
  X(ncclAllReduce)

#define X(name) __typeof__(&name) name;
typedef struct {
  struct {
    ICL__CUDNN_FUNCTIONS(X)
  } cudnn;
  struct {
    ICL__CUBLAS_FUNCTIONS(X)
  } cublas;
  char cudnn_path[ICL__PATH], cublas_path[ICL__PATH]; /* of the files that were opened */
} icl__cuda_libraries;

typedef struct {
  ICL__NCCL_FUNCTIONS(X)
  char path[ICL__PATH];
} icl__nccl;
#undef X

/* Opens cuDNN and cuBLAS once a process; they stay open. Looked through are the folders of ICL_CUDA_LIBRARIES and no
 * others if that is set; else what the loader finds by name, the folders of the CUDA toolkit, and the packages of
 * python3. The first is taken, but of cuDNN the newest where the user did not name the folders. */
icl_status icl__cuda_open_libraries(const icl__cuda_libraries **result);
/* The same for NCCL, which groups of processes need. */
icl_status icl__cuda_open_nccl(const icl__nccl **result);

#endif
