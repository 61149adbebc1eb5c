/* cuda.h - the language that kernels are written in: the part of CUDA that nvcc and the simulator of tests/cudasim both
 * have.
 *
 * No inline assembly, no cooperative groups, no waiting of one block for another. Warps talk by the functions that end
 * in _sync. Sums are f32 and in an order that no schedule changes, so there are no atomics on floats. Where the last
 * block reads what others wrote, both sides have a fence (tile.cuh). Kernels are launched by ICL_LAUNCH alone. */
#ifndef ICL_BACKEND_CUDA_KERNELS_CUDA_H
#define ICL_BACKEND_CUDA_KERNELS_CUDA_H

#if defined __CUDACC__
#include <cuda_runtime.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#define ICL_SHARED(type, name, count) __shared__ type name[count]
#define ICL_DYNAMIC_SHARED(type, name)                                                                                 \
  extern __shared__ __align__(16) unsigned char icl_dynamic_shared[];                                                  \
  type *name = (type *)icl_dynamic_shared
/* A kernel that is a template with several arguments stands in parentheses. */
#define ICL_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                     \
  (kernel<<<grid, block, shared_bytes, stream>>>(__VA_ARGS__), cudaGetLastError())
#else
#include <language.h> /* of tests/cudasim */
#endif

#include "icl.h"

#define DEVICE        static __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__

/* Before a kernel's name. Without the 1, the fewest blocks that a multiprocessor must hold, the assembler for sm_100
 * and sm_120 spills registers to hold more. */
#define THREADS_A_BLOCK(threads) __launch_bounds__(threads, 1)

/* Every loop over the values of a thread is unrolled: they live in registers. NO_UNROLL where the compiler by itself
 * would keep more of them at once than registers are worth. */
#if defined __CUDACC__
#define UNROLL    _Pragma("unroll")
#define NO_UNROLL _Pragma("unroll 1")
#else
#define UNROLL
#define NO_UNROLL
#endif

enum { WARP = 32 };
#define ALL_LANES 0xffffffffu

DEVICE int64_t kept_within(int64_t x, int64_t most) { return x < 0 ? 0 : x < most ? x : most; }

/* Blocks of `size` that hold `count`. */
static inline unsigned icl__blocks(int64_t count, int64_t size) { return (unsigned)((count + size - 1) / size); }

#endif
