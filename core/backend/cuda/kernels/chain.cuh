/* chain.cuh - the interpreter of chains: `Real` is float or double.
 *
 * A slot is 32 bytes a thread in shared memory, 16 at a time, so that neighbouring threads meet no bank conflict. A
 * thread reads only what it wrote, so there are no barriers. The step is the same for all threads, so branches do not
 * diverge. */
#ifndef ICL_BACKEND_CUDA_KERNELS_CHAIN_CUH
#define ICL_BACKEND_CUDA_KERNELS_CHAIN_CUH

#include "cuda.h"
#include "kernels.h"

#if !defined __CUDACC__
/* For the simulator's check of arguments. */
template <class Visitor> void each_pointer(const icl__chain &c, Visitor visit) {
  for (const icl__chain_input &in : c.in)
    visit(in.data);
  for (const icl__chain_output &out : c.out)
    visit(out.data);
}
#endif

/* Blocks that fit a multiprocessor at once, so that registers stay below 64. */
enum { CHAIN_THREADS = 128, CHAIN_BLOCKS = 8, PARTS = 2 };

template <class Real> struct __align__(16) part {
  enum { VALUES = 16 / sizeof(Real) };
  Real v[VALUES];
};

/* The slots of one thread. */
template <class Real> struct slots {
  part<Real> *all;
  DEVICE_MEMBER part<Real> &at(int slot, int p) const { return all[(slot * PARTS + p) * CHAIN_THREADS + threadIdx.x]; }
};

#define ABS(x)    fabs(x)
#define ERF(x)    erf(x)
#define EXP(x)    exp(x)
#define FLOOR(x)  floor(x)
#define LOG(x)    log(x)
#define POW(x, y) pow(x, y)
#define REAL(c)   (Real)(c)
#define SQRT(x)   sqrt(x)
#define TANH(x)   tanh(x)

/* One formula on half a slot. */
#define x0 x[0].v[j]
#define x1 x[1].v[j]
#define x2 x[2].v[j]
#define x3 x[3].v[j]
#define x4 x[4].v[j]
#define x5 x[5].v[j]
#define PW(name, inputs, kind, grad, formula, doc)                                                                     \
  template <class Real> DEVICE void compute_##name(const slots<Real> &s, const icl__chain_step &step, int p) {         \
    part<Real> x[inputs], y;                                                                                           \
    UNROLL                                                                                                             \
    for (int k = 0; k < inputs; k++)                                                                                   \
      x[k] = s.at(step.in[k], p);                                                                                      \
    UNROLL                                                                                                             \
    for (int j = 0; j < part<Real>::VALUES; j++)                                                                       \
      y.v[j] = (Real)(formula);                                                                                        \
    s.at(step.out, p) = y;                                                                                             \
  }
#include "ops/pointwise.def"
#undef PW
#undef x0
#undef x1
#undef x2
#undef x3
#undef x4
#undef x5
#undef ABS
#undef ERF
#undef EXP
#undef FLOOR
#undef LOG
#undef POW
#undef REAL
#undef SQRT
#undef TANH

template <class Real> DEVICE void compute(const slots<Real> &s, const icl__chain_step &step, int p) {
  switch (step.code) {
#define PW(name, inputs, kind, grad, formula, doc)                                                                     \
  case ICL__CHAIN_##name:                                                                                              \
    compute_##name(s, step, p);                                                                                        \
    break;
#include "ops/pointwise.def"
#undef PW
  }
}

/* Where element i of the chain lies in an input. */
DEVICE int64_t place_in(const icl__chain &c, const icl__chain_input &in, int64_t i) {
  if (in.mode == ICL__CHAIN_SINGLE)
    return 0;
  if (in.mode == ICL__CHAIN_DENSE)
    return i;
  unsigned rest = (unsigned)i;
  int64_t place = 0;
  for (int d = c.rank - 1; d >= 0; d--) {
    unsigned outer = rest / (unsigned)c.size[d];
    place += (int64_t)(rest - outer * (unsigned)c.size[d]) * in.stride[d];
    rest = outer;
  }
  return place;
}

/* ---- steps; Access reads and writes elements, one or all of a thread's at once ---- */

/* The elements of one thread: from `first` on, of which `left` are there. */
template <class Access> struct stretch {
  typedef typename Access::real real;
  enum { HALF = part<real>::VALUES, VALUES = PARTS * HALF };
  slots<real> s;
  int64_t first, left;

  DEVICE_MEMBER void get(int slot, real (&x)[VALUES]) const {
    UNROLL
    for (int j = 0; j < VALUES; j++)
      x[j] = s.at(slot, j / HALF).v[j % HALF];
  }
  DEVICE_MEMBER void put(int slot, const real (&x)[VALUES]) const {
    UNROLL
    for (int j = 0; j < VALUES; j++)
      s.at(slot, j / HALF).v[j % HALF] = x[j];
  }

  /* Do all elements of the thread read the same one? A single number, or one for each row. */
  DEVICE_MEMBER bool is_one_value(const icl__chain &c, const icl__chain_input &in) const {
    return in.mode == ICL__CHAIN_SINGLE || (in.mode == ICL__CHAIN_STRIDED && left >= VALUES &&
                                            in.stride[c.rank - 1] == 0 && c.size[c.rank - 1] % VALUES == 0);
  }

  DEVICE_MEMBER void fill(real value, real (&x)[VALUES]) const {
    UNROLL
    for (int j = 0; j < VALUES; j++)
      x[j] = value;
  }

  DEVICE_MEMBER void load(const icl__chain &c, const icl__chain_input &in, int slot) const {
    real x[VALUES];
    if (in.mode == ICL__CHAIN_DENSE && left >= VALUES) {
      Access::read_all(in.data, in.dtype, first, x);
    } else if (is_one_value(c, in)) {
      fill(Access::read(in.data, in.dtype, place_in(c, in, first)), x);
    } else {
      UNROLL
      for (int j = 0; j < VALUES; j++)
        x[j] = j < left ? Access::read(in.data, in.dtype, place_in(c, in, first + j)) : 0;
    }
    put(slot, x);
  }

  /* Whole and as it lies in memory? */
  DEVICE_MEMBER bool is_plain(const icl__chain_input &in) const {
    return in.mode == ICL__CHAIN_DENSE && left >= VALUES && Access::has_words(in.dtype);
  }

  /* Two plain inputs, which are under way together. */
  DEVICE_MEMBER void load_two(const icl__chain_input &a, int slot_a, const icl__chain_input &b, int slot_b) const {
    typename Access::words words_a, words_b;
    real x[VALUES];
    words_a.read(a.data, a.dtype, first);
    words_b.read(b.data, b.dtype, first);
    words_a.unpack(a.dtype, x);
    put(slot_a, x);
    words_b.unpack(b.dtype, x);
    put(slot_b, x);
  }

  DEVICE_MEMBER void store(const icl__chain_output &out, int slot) const {
    real x[VALUES];
    get(slot, x);
    if (left >= VALUES) {
      Access::write_all(out.data, out.dtype, first, x);
      return;
    }
    UNROLL
    for (int j = 0; j < VALUES; j++)
      if (j < left)
        Access::write(out.data, out.dtype, first + j, x[j]);
  }

  DEVICE_MEMBER void round(int from, int dtype, int to) const {
    real x[VALUES];
    get(from, x);
    UNROLL
    for (int j = 0; j < VALUES; j++)
      x[j] = Access::round(x[j], dtype);
    put(to, x);
  }
};

/* Loads what step `i` names, and with it what the next step does if that is a load as well. The steps that were done.
 * There is a next step, since a chain ends with a STORE. */
template <class Access> DEVICE int load_some(const stretch<Access> &e, const icl__chain &c, int i) {
  const icl__chain_step &step = c.step[i], &next = c.step[i + 1];
  const icl__chain_input &a = c.in[step.in[0]], &b = c.in[next.in[0]];
  if constexpr (Access::LOADS_TWO) {
    if (next.code == ICL__CHAIN_LOAD && e.is_plain(a) && e.is_plain(b)) {
      e.load_two(a, step.out, b, next.out);
      return 2;
    }
  }
  e.load(c, a, step.out);
  return 1;
}

template <class Access> DEVICE void run_chain(const icl__chain &c, int64_t block, void *shared) {
  typedef stretch<Access> elements;
  int64_t first = (block * CHAIN_THREADS + threadIdx.x) * elements::VALUES;
  elements e = {{(part<typename Access::real> *)shared}, first, c.count - first};
  for (int i = 0, done = 1; i < c.steps && e.left > 0; i += done) {
    const icl__chain_step &step = c.step[i];
    done = 1;
    if (step.code == ICL__CHAIN_LOAD) {
      done = load_some(e, c, i);
    } else if (step.code == ICL__CHAIN_STORE) {
      e.store(c.out[step.out], step.in[0]);
    } else if (step.code == ICL__CHAIN_ROUND) {
      e.round(step.in[0], step.in[1], step.out);
    } else {
      UNROLL
      for (int p = 0; p < PARTS; p++)
        compute(e.s, step, p);
    }
  }
}

#endif
