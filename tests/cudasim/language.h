/* language.h - what a kernel finds of the CUDA language where g++ compiles it for the simulator.
 *
 * nvcc never sees this file: core/backend/cuda/kernels/cuda.h includes it in the place of cuda_runtime.h. Types and the
 * arithmetic of half and bfloat16 are NVIDIA's own, from the headers of the toolkit. Only what kernels of this project
 * use is here; anything else does not compile, which keeps the subset honest. */
#ifndef ICL_TESTS_CUDASIM_LANGUAGE_H
#define ICL_TESTS_CUDASIM_LANGUAGE_H

#include <cuda_runtime_api.h>
#include <vector_functions.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <tuple>
#include <type_traits>
#include <utility>

#undef __global__
#undef __device__
#undef __host__
#undef __forceinline__
#undef __launch_bounds__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__

namespace sim {

/* ---- a thread of a running kernel (block.cpp) ---- */

struct place {
  dim3 thread, block, block_size, grid_size;
  unsigned lane, warp;
};
extern place *self;

enum collective { SHUFFLE, BALLOT, ANY, ALL, SYNC };

/* A site is the address of a static of the call: two calls in the source never share one. */
void barrier(const void *site);
uint64_t collect(collective what, unsigned mask, uint64_t value, int source, const void *site);
void *shared(const void *site, size_t bytes);
void *dynamic_shared();
void fence();
void before_atomic(const void *address);

/* ---- launches (launch.cpp) ---- */

struct kernel {
  const char *name;
  size_t parameter_bytes;
  void (*run)(const void *arguments);
  void (*destroy)(const void *arguments);
  void (*pointers)(const void *arguments, void (*visit)(const void *pointer, void *context), void *context);
  const void *(*copy)(void *const *parameters); /* makes arguments */
};

/* Every kernel of the program, by its function: code that nvcc made launches kernels so (nvcc.cpp). */
struct known_kernel {
  const void *function;
  kernel k;
  known_kernel *next;
  known_kernel(const void *f, const kernel &of) : function(f), k(of), next(first) { first = this; }
  static known_kernel *first;
};

/* Takes the arguments. */
cudaError_t launch(const kernel *k, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                   const void *arguments);

/* A parameter that is a struct declares its pointers by a function each_pointer(const S &, visitor), found by its type,
 * so that no host pointer hides in one. */
template <class Visitor> void each_pointer(const uint4 &, Visitor) {}

template <class T, class Visitor> void visit_parameter(const T &parameter, Visitor visit) {
  if constexpr (std::is_pointer_v<T>)
    visit((const void *)parameter);
  else if constexpr (std::is_class_v<T>)
    each_pointer(parameter, visit);
}

template <auto function, class... Parameters> struct glue {
  typedef std::tuple<std::remove_cv_t<Parameters>...> arguments;

  static void run(const void *a) { std::apply(function, *(arguments *)a); }
  static void destroy(const void *a) { delete (const arguments *)a; }
  static void pointers(const void *a, void (*visit)(const void *, void *), void *context) {
    auto one = [=](const void *pointer) { visit(pointer, context); };
    std::apply([&](const auto &...parameter) { (visit_parameter(parameter, one), ...); }, *(const arguments *)a);
  }
  template <size_t... i> static const void *copy_each(void *const *from, std::index_sequence<i...>) {
    return new arguments(*(const std::tuple_element_t<i, arguments> *)from[i]...);
  }
  static const void *copy(void *const *from) { return copy_each(from, std::index_sequence_for<Parameters...>()); }

  static inline known_kernel known = {(const void *)function,
                                      {nullptr, (0 + ... + sizeof(Parameters)), run, destroy, pointers, copy}};
};

template <auto function, class... Parameters, class... Values>
cudaError_t call(const char *name, void (*)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                 cudaStream_t stream, Values &&...value) {
  typedef glue<function, Parameters...> g;
  typedef typename g::arguments arguments;
  g::known.k.name = name;
  return launch(&g::known.k, grid, block, shared_bytes, stream, new arguments(std::forward<Values>(value)...));
}

} // namespace sim

/* Like nvcc's it tells of an error that nobody has taken since it was made. */
#define ICL_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                     \
  ((void)sim::call<kernel>(#kernel, kernel, grid, block, shared_bytes, stream, __VA_ARGS__), cudaGetLastError())

#define SIM_SITE()                                                                                                     \
  __extension__({                                                                                                      \
    static const char site_ = 0;                                                                                       \
    (const void *)&site_;                                                                                              \
  })

#define ICL_SHARED(type, name, count)  type(&name)[count] = *(type(*)[count])sim::shared(SIM_SITE(), sizeof(type[count]))
#define ICL_DYNAMIC_SHARED(type, name) type *name = (type *)sim::dynamic_shared()

#define threadIdx (sim::self->thread)
#define blockIdx  (sim::self->block)
#define blockDim  (sim::self->block_size)
#define gridDim   (sim::self->grid_size)

static inline long long __double_as_longlong(double x) {
  long long bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* ---- barriers, fences, warps ---- */

#define __syncthreads()           sim::barrier(SIM_SITE())
#define __syncwarp()              ((void)sim::collect(sim::SYNC, ~0u, 0, 0, SIM_SITE()))
#define __threadfence()           sim::fence()
#define __ballot_sync(m, p)       ((unsigned)sim::collect(sim::BALLOT, m, !!(p), 0, SIM_SITE()))
#define __any_sync(m, p)          ((int)sim::collect(sim::ANY, m, !!(p), 0, SIM_SITE()))
#define __all_sync(m, p)          ((int)sim::collect(sim::ALL, m, !!(p), 0, SIM_SITE()))
#define __shfl_sync(m, v, s)      sim::shuffle(m, v, (int)(s)&31, SIM_SITE())
#define __shfl_xor_sync(m, v, o)  sim::shuffle(m, v, (int)sim::self->lane ^ (int)(o), SIM_SITE())
#define __shfl_down_sync(m, v, o) sim::shuffle(m, v, sim::lane_below((int)(o)), SIM_SITE())

namespace sim {

/* A lane whose source would be past the warp gets its own value back. */
static inline int lane_below(int offset) {
  int lane = (int)self->lane;
  return lane + offset < 32 ? lane + offset : lane;
}

template <class T> T shuffle(unsigned mask, T value, int source, const void *site) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof value);
  bits = collect(SHUFFLE, mask, bits, source, site);
  memcpy(&value, &bits, sizeof value);
  return value;
}

} // namespace sim

/* ---- atomics: of integers alone, since sums of floats would depend on the order ---- */

template <class T> T atomicAdd(T *address, T value) {
  static_assert(std::is_integral_v<T>);
  sim::before_atomic(address);
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}

template <class T> T atomicExch(T *address, T value) {
  static_assert(std::is_integral_v<T>);
  sim::before_atomic(address);
  return __atomic_exchange_n(address, value, __ATOMIC_RELAXED);
}

static inline unsigned atomicInc(unsigned *address, unsigned limit) {
  sim::before_atomic(address);
  unsigned old, next;
  __atomic_load(address, &old, __ATOMIC_RELAXED);
  do
    next = old >= limit ? 0 : old + 1;
  while (!__atomic_compare_exchange(address, &old, &next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}

/* ---- arithmetic ---- */

static inline float __fdividef(float a, float b) { return a / b; }
static inline float __uint_as_float(unsigned bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
static inline unsigned __float_as_uint(float value) {
  unsigned bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }

/* Multiples of 2 are exact, so this is the sine and cosine of the product. */
static inline void sincospi(double x, double *sine, double *cosine) { sincos(M_PI * x, sine, cosine); }

#endif
