/* wide_norm_sums.cu - sums over rows for batch norm.
 *
 * Moments are count, mean and sum of squared deviations, each thread's by Welford's update and joined by Chan's, so
 * that no large numbers cancel. A mean far from 0 would be rounded at each update, so they are moments of what is left
 * without a base, about the mean of such a channel. The mean itself, which f32 may not hold, goes into the sum as f64.
 */
#include "norm.cuh"
#include "tile.cuh"

/* N = 1 + 2 V floats: the count, V means, V sums of squared deviations. */
struct join_moments {
  static constexpr float nothing = 0;
  template <int N> static DEVICE_MEMBER void join(float (&a)[N], const float (&b)[N]) {
    enum { V = (N - 1) / 2 };
    float count = a[0] + b[0], share = count > 0 ? b[0] / count : 0;
    UNROLL
    for (int j = 0; j < V; j++) {
      float apart = b[1 + j] - a[1 + j];
      a[1 + V + j] += b[1 + V + j] + apart * apart * a[0] * share;
      a[1 + j] += apart * share;
    }
    a[0] = count;
  }
};

/* Rows that a thread reads before it takes the first in: so many loads are under way at once. */
enum { ROWS = 4 };

template <int V>
DEVICE void finish(const icl__cuda_bn_finish &f, int channels, int column, const float (&mean)[V],
                   const float (&variance)[V]) {
  float weight[V], bias[V], old_mean[V], old_variance[V];
  load_row(f.weight, channels, 0, column, weight);
  load_row(f.bias, channels, 0, column, bias);
  if (f.running_mean) {
    load_row(f.running_mean, channels, 0, column, old_mean);
    load_row(f.running_variance, channels, 0, column, old_variance);
  }
  set_coefficients(f.coefficients, channels, column, weight, bias, mean, variance, f.eps);
  if (!f.running_mean)
    return;
  UNROLL
  for (int j = 0; j < V; j++) {
    old_mean[j] = moved(old_mean[j], mean[j], f.momentum, 1);
    old_variance[j] = moved(old_variance[j], variance[j], f.momentum, f.variance_factor);
  }
  store_row(f.running_mean, channels, 0, column, old_mean);
  store_row(f.running_variance, channels, 0, column, old_variance);
}

/* The first row of channels whose first rows lie close together, far from 0; 0 for others. */
template <int V>
DEVICE void find_base(const void *x, int dtype, int64_t rows, int channels, int column, float (&base)[V]) {
  raw<V> words[ROWS];
  float least[V], most[V], v[V];
  UNROLL
  for (int k = 0; k < ROWS; k++)
    words[k].read(x, dtype, kept_within(k, rows - 1) * channels + column);
  words[0].unpack(dtype, base);
  UNROLL
  for (int j = 0; j < V; j++)
    least[j] = most[j] = base[j];
  UNROLL
  for (int k = 1; k < ROWS; k++) {
    words[k].unpack(dtype, v);
    UNROLL
    for (int j = 0; j < V; j++) {
      least[j] = v[j] < least[j] ? v[j] : least[j];
      most[j] = v[j] > most[j] ? v[j] : most[j];
    }
  }
  UNROLL
  for (int j = 0; j < V; j++)
    base[j] = 4 * (most[j] - least[j]) < fabsf(base[j]) ? base[j] : 0;
}

/* Welford's update of moments by one more row. */
template <int V> DEVICE void take(float (&a)[1 + 2 * V], const float (&v)[V], const float (&base)[V]) {
  a[0] += 1;
  float share = 1 / a[0];
  UNROLL
  for (int j = 0; j < V; j++) {
    float x = v[j] - base[j], apart = x - a[1 + j];
    a[1 + j] += apart * share;
    a[1 + V + j] += apart * (x - a[1 + j]);
  }
}

template <int V>
__global__ void THREADS_A_BLOCK(TILE)
    bn_sums(const void *__restrict__ x, int dtype, int64_t rows, int channels, int lanes, double *__restrict__ sums,
            const icl__cuda_bn_finish f, float *partial, unsigned *tickets) {
  float a[1 + 2 * V] = {0}, base[V] = {0};
  int column = ((int)blockIdx.y * lanes + tile_lane(lanes)) * V;
  bool inside = column < channels;
  int64_t first = (int64_t)blockIdx.x * (TILE / lanes) + tile_row(lanes), step = (int64_t)gridDim.x * (TILE / lanes);
  if (inside && rows > 0)
    find_base(x, dtype, rows, channels, column, base);
  for (int64_t row = first; inside && row < rows; row += ROWS * step) {
    raw<V> words[ROWS];
    UNROLL
    for (int k = 0; k < ROWS; k++)
      if (row + k * step < rows)
        words[k].read(x, dtype, (row + k * step) * channels + column);
    UNROLL
    for (int k = 0; k < ROWS; k++)
      if (row + k * step < rows) {
        float v[V];
        words[k].unpack(dtype, v);
        take(a, v, base);
      }
  }
  join_tile<join_moments>(a, lanes);
  if (!join_blocks<join_moments>(a, lanes, partial, tickets) || !inside)
    return;
  float mean[V], variance[V];
  UNROLL
  for (int j = 0; j < V; j++) {
    double count = (double)rows, sum = ((double)base[j] + (double)a[1 + j]) * count;
    sums[BN_SUMS_COUNT * channels + column + j] = count;
    sums[BN_SUMS_SUM * channels + column + j] = sum;
    sums[BN_SUMS_SQUARES * channels + column + j] = (double)a[1 + V + j];
    mean[j] = quotient_less((uint64_t)__double_as_longlong(sum), (uint64_t)__double_as_longlong(count), 0);
    variance[j] = a[1 + V + j] / (float)rows;
  }
  if (f.coefficients)
    finish(f, channels, column, mean, variance);
}

template <int V>
static cudaError_t sums(icl__cuda_in x, icl__cuda_table size, double *out, icl__cuda_bn_finish finish,
                        icl__cuda_scratch scratch, cudaStream_t stream) {
  tiling t = icl__tiling(size.rows, size.channels, V, 1 + 2 * V, ICL__CUDA_PARTIAL_FLOATS);
  return ICL_LAUNCH(bn_sums<V>, t.grid, dim3(TILE), 0, stream, x.data, x.dtype, size.rows, (int)size.channels, t.lanes,
                    out, finish, scratch.partial, scratch.tickets);
}

cudaError_t icl__cuda_bn_sums(icl__cuda_in x, icl__cuda_table size, double *out, const icl__cuda_bn_finish *finish,
                              icl__cuda_scratch scratch, cudaStream_t stream) {
  icl__cuda_bn_finish f = finish ? *finish : icl__cuda_bn_finish{};
  return size.channels % EIGHT ? sums<1>(x, size, out, f, scratch, stream)
                               : sums<EIGHT>(x, size, out, f, scratch, stream);
}
