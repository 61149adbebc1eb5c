/* gather_grad.cuh - what was taken from an index is added there, in an order that is always the same. VALUES is what it
 * is computed in, NAME what the functions are called.
 *
 * Of a few terms each element of the result looks for its own. Of more a block sorts so many at a time as its shared
 * memory holds by where they belong, so that those of one element lie side by side, and adds them up. Sums that are not
 * of the result's dtype are kept in the scratch memory; where that is too small the terms are gone through once for
 * each part of the result that fits. */
#include "network.cuh"
#include "pointers.cuh"
#include "values.cuh"

enum { THREADS = 256, FEW = 64, TERMS = 2048, LANES = 32 };

/* g (outer, length, inner) is added to y (outer, size, inner) at index, which is of g's shape, or (length) if `lanes`
 * series beside each other share it. */
typedef struct {
  icl__cuda_series y;
  int64_t length;
  int lanes;
  bool shared;
} icl__cuda_terms;

#if !defined __CUDACC__
template <class Visitor> void each_pointer(const icl__cuda_terms &, Visitor) {}
#endif

template <class Values>
__global__ void THREADS_A_BLOCK(THREADS)
    find_terms(icl__cuda_in g, const int64_t *__restrict__ index, icl__cuda_terms t, int64_t count, icl__cuda_out y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i >= count)
    return;
  int64_t inner = t.y.inner, position = i / inner % t.y.size, at = i / inner / t.y.size * t.length * inner + i % inner;
  typename Values::real sum = 0;
  for (int64_t k = 0; k < t.length; k++, at += inner)
    if (kept_within(index[t.shared ? k : at], t.y.size - 1) == position)
      sum += Values::read(g.data, g.dtype, at);
  Values::write(y.data, y.dtype, i, sum);
}

/* A term is its position in y times TERMS, and its number among those that are sorted: no two are equal. */
DEVICE uint64_t position_of(uint64_t term) { return term / TERMS; }
DEVICE int64_t number_of(uint64_t term) { return (int64_t)(term % TERMS); }

/* A block has `lanes` series, and of each the positions from `first` up to `count`. `kept`: memory for sums, or NULL if
 * y is. */
template <class Values>
__global__ void THREADS_A_BLOCK(THREADS)
    sort_terms(icl__cuda_in g, const int64_t *__restrict__ index, icl__cuda_terms t, int64_t first_group, int64_t first,
               int64_t count, icl__cuda_out y, typename Values::real *kept) {
  typedef typename Values::real real;
  ICL_SHARED(uint64_t, terms, TERMS);
  int lane = (int)threadIdx.x % t.lanes, row = (int)threadIdx.x / t.lanes, rows = THREADS / t.lanes;
  int64_t inner = t.y.inner, groups = (inner + t.lanes - 1) / t.lanes, group = first_group + blockIdx.x;
  int64_t column = group % groups * t.lanes + lane, outer = group / groups;
  int64_t from = outer * t.length * inner + column, to = (outer * t.y.size + first) * inner + column;
  int64_t mine = column < inner ? count : 0, step = kept ? t.lanes : inner;
  real *sums = kept ? kept + blockIdx.x * count * t.lanes + lane : (real *)y.data + to;
  for (int64_t p = row; p < mine; p += rows)
    sums[p * step] = 0;
  for (int64_t begin = 0; begin < t.length; begin += TERMS) {
    int64_t left = t.length - begin;
    int some = left < TERMS ? (int)left : TERMS, sorted = 1;
    while (sorted < some)
      sorted *= 2;
    for (int i = threadIdx.x; i < sorted; i += THREADS) {
      int64_t k = begin + i;
      uint64_t position =
          i < some ? (uint64_t)(kept_within(index[t.shared ? k : from + k * inner], t.y.size - 1) - first) : count;
      terms[i] = position < (uint64_t)count ? position * TERMS + i : UINT64_MAX;
    }
    sort_entries(terms, sorted);
    for (int i = row; i < some && position_of(terms[i]) < (uint64_t)mine; i += rows) {
      uint64_t position = position_of(terms[i]);
      if (i > 0 && position_of(terms[i - 1]) == position)
        continue;
      real sum = 0;
      for (int j = i; j < some && position_of(terms[j]) == position; j++)
        sum += Values::read(g.data, g.dtype, from + (begin + number_of(terms[j])) * inner);
      sums[position * step] += sum;
    }
    __syncthreads();
  }
  for (int64_t p = row; kept && p < mine; p += rows)
    Values::write(y.data, y.dtype, to + p * inner, sums[p * step]);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

template <class Values>
static cudaError_t launch_sort(icl__cuda_in g, const int64_t *index, icl__cuda_terms t, icl__cuda_out y,
                               icl__cuda_scratch scratch, cudaStream_t stream) {
  typedef typename Values::real real;
  int64_t groups = t.y.outer * ((t.y.inner + t.lanes - 1) / t.lanes), count = t.y.size, blocks = groups;
  real *kept = NULL;
  if (y.dtype != (sizeof(real) == sizeof(double) ? ICL_F64 : ICL_F32)) {
    int64_t room = ICL__CUDA_PARTIAL_FLOATS * sizeof(float) / sizeof(real) / t.lanes;
    kept = (real *)scratch.partial;
    count = least(count, room);
    blocks = least(blocks, room / count);
  }
  cudaError_t error = cudaSuccess;
  for (int64_t first = 0; first < t.y.size; first += count)
    for (int64_t group = 0; group < groups && error == cudaSuccess; group += blocks)
      error = ICL_LAUNCH(sort_terms<Values>, dim3((unsigned)least(blocks, groups - group)), dim3(THREADS), 0, stream, g,
                         index, t, group, first, least(count, t.y.size - first), y, kept);
  return error;
}

template <class Values>
static cudaError_t launch(icl__cuda_in g, const int64_t *index, icl__cuda_terms t, icl__cuda_out y,
                          icl__cuda_scratch scratch, cudaStream_t stream) {
  int64_t count = t.y.outer * t.y.size * t.y.inner;
  if (t.length > FEW)
    return launch_sort<Values>(g, index, t, y, scratch, stream);
  return ICL_LAUNCH(find_terms<Values>, dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, g, index, t, count,
                    y);
}

cudaError_t NAME(gather_grad)(icl__cuda_in g, const int64_t *index, int64_t rows, int64_t size, int64_t columns,
                              icl__cuda_out y, icl__cuda_scratch scratch, cudaStream_t stream) {
  icl__cuda_terms t = {{1, size, columns}, rows, 1, true};
  while (t.lanes < columns && t.lanes < LANES)
    t.lanes *= 2;
  return launch<VALUES>(g, index, t, y, scratch, stream);
}

cudaError_t NAME(gather_along_grad)(icl__cuda_in g, const int64_t *index, const icl__cuda_series *s, int64_t length,
                                    icl__cuda_out y, icl__cuda_scratch scratch, cudaStream_t stream) {
  icl__cuda_terms t = {*s, length, 1, false};
  return launch<VALUES>(g, index, t, y, scratch, stream);
}
