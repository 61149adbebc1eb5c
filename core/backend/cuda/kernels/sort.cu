/* sort.cu - positions along an axis in the order of their elements, equals in their own order.
 *
 * Elements of every dtype are ranked as unsigned integers. A short series is sorted by a block in shared memory, a long
 * one by a launch for each step of the same network. Where only the first few of a long series are wanted, a block
 * looks for one after another. */
#include "network.cuh"
#include "pointers.cuh"
#include "values.cuh"

enum { THREADS = 256, SHORT = 2048 };

/* No two are equal. */
struct entry {
  uint64_t rank;
  int64_t position;
};

DEVICE bool operator<(const entry &a, const entry &b) {
  return a.rank < b.rank || (a.rank == b.rank && a.position < b.position);
}

/* Behind all others. */
DEVICE entry nothing() { return {UINT64_MAX, INT64_MAX}; }

/* The bits of a float of `width` bits as an integer in its order: -0 is 0, and NaN the largest. */
DEVICE uint64_t rank_of_bits(uint64_t bits, int width, uint64_t infinity) {
  uint64_t sign = (uint64_t)1 << (width - 1), magnitude = bits & (sign - 1);
  if (magnitude > infinity)
    return UINT64_MAX;
  return bits & sign ? sign - magnitude : sign + magnitude;
}

DEVICE uint64_t rank_of(icl__cuda_in x, int64_t i) {
  if (x.dtype == ICL_F64)
    return rank_of_bits(((const uint64_t *)x.data)[i], 64, (uint64_t)F64_SPECIAL << F64_FRACTION);
  if (x.dtype < ICL_F64)
    return rank_of_bits(__float_as_uint(load_one(x.data, x.dtype, i)), 32, (uint64_t)F32_SPECIAL << F32_FRACTION);
  return (uint64_t)integer_values::read(x.data, x.dtype, i) ^ (uint64_t)1 << 63;
}

/* A series, of the `size` of an array (outer, size, inner). */
struct series {
  int64_t begin, size, step;

  DEVICE_MEMBER series(int64_t number, const icl__cuda_series &s, int64_t length)
      : begin(number / s.inner * length * s.inner + number % s.inner), size(length), step(s.inner) {}
};

DEVICE entry entry_at(icl__cuda_in x, const series &s, int64_t position, int descending) {
  uint64_t rank = rank_of(x, s.begin + position * s.step);
  return {descending ? ~rank : rank, position};
}

__global__ void THREADS_A_BLOCK(THREADS)
    sort_short(icl__cuda_in x, icl__cuda_series s, int64_t length, int descending, int64_t *__restrict__ y) {
  ICL_SHARED(entry, entries, SHORT);
  series from(blockIdx.x, s, s.size), to(blockIdx.x, s, length);
  int count = 1;
  while (count < s.size)
    count *= 2;
  for (int i = threadIdx.x; i < count; i += THREADS)
    entries[i] = i < s.size ? entry_at(x, from, i, descending) : nothing();
  sort_entries(entries, count);
  for (int i = threadIdx.x; i < length; i += THREADS)
    y[to.begin + i * to.step] = entries[i].position;
}

__global__ void THREADS_A_BLOCK(THREADS) begin_order(icl__cuda_series s, int64_t count, int64_t *__restrict__ y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i < count)
    y[i] = i / s.inner % s.size;
}

/* What lies past the end of a series would be its last entries, so it never moves. */
__global__ void THREADS_A_BLOCK(THREADS)
    sort_step(icl__cuda_in x, icl__cuda_series s, int64_t pairs, int64_t width, int64_t apart, int descending,
              int64_t count, int64_t *__restrict__ y) {
  int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i >= count)
    return;
  series of(i / pairs, s, s.size);
  compared c(i % pairs, width, apart);
  if (c.second >= of.size)
    return;
  int64_t *first = &y[of.begin + c.first * of.step], *second = &y[of.begin + c.second * of.step];
  entry a = entry_at(x, of, *first, descending), b = entry_at(x, of, *second, descending);
  if (b < a) {
    *first = b.position;
    *second = a.position;
  }
}

__global__ void THREADS_A_BLOCK(THREADS)
    find_first(icl__cuda_in x, icl__cuda_series s, int64_t length, int descending, int64_t *__restrict__ y) {
  ICL_SHARED(entry, found, THREADS);
  series from(blockIdx.x, s, s.size), to(blockIdx.x, s, length);
  entry last = {0, -1};
  for (int64_t k = 0; k < length; k++) {
    entry next = nothing();
    for (int64_t i = threadIdx.x; i < from.size; i += THREADS) {
      entry e = entry_at(x, from, i, descending);
      if (last < e && e < next)
        next = e;
    }
    found[threadIdx.x] = next;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
      if ((int)threadIdx.x < half && found[threadIdx.x + half] < found[threadIdx.x])
        found[threadIdx.x] = found[threadIdx.x + half];
      __syncthreads();
    }
    last = found[0];
    __syncthreads();
    if (threadIdx.x == 0)
      y[to.begin + k * to.step] = last.position;
  }
}

static cudaError_t sort_long(icl__cuda_in x, const icl__cuda_series *s, bool descending, int64_t *y,
                             cudaStream_t stream) {
  int64_t count = s->outer * s->size * s->inner, pairs = 1;
  while (2 * pairs < s->size)
    pairs *= 2;
  int64_t threads = s->outer * s->inner * pairs;
  cudaError_t error =
      ICL_LAUNCH(begin_order, dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, *s, count, y);
  for (int64_t width = 2; width <= 2 * pairs; width *= 2)
    for (int64_t apart = width / 2; apart > 0 && error == cudaSuccess; apart /= 2)
      error = ICL_LAUNCH(sort_step, dim3(icl__blocks(threads, THREADS)), dim3(THREADS), 0, stream, x, *s, pairs, width,
                         apart, (int)descending, threads, y);
  return error;
}

cudaError_t icl__cuda_argsort(icl__cuda_in x, const icl__cuda_series *s, int64_t length, bool descending, int64_t *y,
                              cudaStream_t stream) {
  dim3 grid((unsigned)(s->outer * s->inner));
  if (s->size <= SHORT)
    return ICL_LAUNCH(sort_short, grid, dim3(THREADS), 0, stream, x, *s, length, (int)descending, y);
  if (length < s->size)
    return ICL_LAUNCH(find_first, grid, dim3(THREADS), 0, stream, x, *s, length, (int)descending, y);
  return sort_long(x, s, descending, y, stream);
}
