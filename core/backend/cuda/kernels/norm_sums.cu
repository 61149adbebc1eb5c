/* norm_sums.cu - sums over rows for batch norm: of x, and of gradients.
 *
 * Moments are count, mean and sum of squared deviations, each thread's by Welford's update and joined by Chan's, so
 * that no large numbers cancel, however far from 0 the mean is. */
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
enum { ROWS = 4, PAIRED_ROWS = 2 };

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

/* Welford's update of moments by one more row. */
template <int V> DEVICE void take(float (&a)[1 + 2 * V], const float (&v)[V]) {
  a[0] += 1;
  float share = 1 / a[0];
  UNROLL
  for (int j = 0; j < V; j++) {
    float apart = v[j] - a[1 + j];
    a[1 + j] += apart * share;
    a[1 + V + j] += apart * (v[j] - a[1 + j]);
  }
}

/* `count` is that of the rows, as the bits of an f64. */
template <int V>
__global__ void THREADS_A_BLOCK(TILE)
    bn_sums(const void *__restrict__ x, int dtype, int64_t rows, int channels, int lanes, uint64_t count,
            uint64_t *__restrict__ sums, const icl__cuda_bn_finish f, float *partial, unsigned *tickets) {
  float a[1 + 2 * V] = {0};
  int column = ((int)blockIdx.y * lanes + tile_lane(lanes)) * V;
  bool inside = column < channels;
  int64_t first = (int64_t)blockIdx.x * (TILE / lanes) + tile_row(lanes), step = (int64_t)gridDim.x * (TILE / lanes);
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
        take(a, v);
      }
  }
  join_tile<join_moments>(a, lanes);
  if (!join_blocks<join_moments>(a, lanes, partial, tickets) || !inside)
    return;
  float mean[V], variance[V];
  UNROLL
  for (int j = 0; j < V; j++) {
    float sum = a[1 + j] * (float)rows, squares = a[1 + V + j];
    sums[BN_SUMS_COUNT * channels + column + j] = count;
    sums[BN_SUMS_SUM * channels + column + j] = widen(sum);
    sums[BN_SUMS_SQUARES * channels + column + j] = widen(squares);
    mean[j] = sum / (float)rows;
    variance[j] = squares / (float)rows;
  }
  if (f.coefficients)
    finish(f, channels, column, mean, variance);
}

template <int V>
__global__ void THREADS_A_BLOCK(TILE)
    bn_scale_sums(icl__cuda_in g, icl__cuda_in x, const float *__restrict__ coefficients, int mask, int64_t rows,
                  int channels, int lanes, uint64_t *__restrict__ sums, const icl__cuda_bn_finish_grad f,
                  float *partial, unsigned *tickets) {
  float a[2 * V] = {0};
  int column = ((int)blockIdx.y * lanes + tile_lane(lanes)) * V;
  bool inside = column < channels;
  columns<V> c;
  if (inside)
    c = columns<V>(coefficients, channels, column);
  int64_t first = (int64_t)blockIdx.x * (TILE / lanes) + tile_row(lanes), step = (int64_t)gridDim.x * (TILE / lanes);
  for (int64_t row = first; inside && row < rows; row += PAIRED_ROWS * step) {
    raw<V> gs[PAIRED_ROWS], xs[PAIRED_ROWS];
    UNROLL
    for (int k = 0; k < PAIRED_ROWS; k++)
      if (row + k * step < rows) {
        gs[k].read(g.data, g.dtype, (row + k * step) * channels + column);
        xs[k].read(x.data, x.dtype, (row + k * step) * channels + column);
      }
    UNROLL
    for (int k = 0; k < PAIRED_ROWS; k++)
      if (row + k * step < rows) {
        float u[V], v[V];
        gs[k].unpack(g.dtype, u);
        xs[k].unpack(x.dtype, v);
        UNROLL
        for (int j = 0; j < V; j++) {
          float passed = !mask || c.normalized(j, v[j]) > 0 ? u[j] : 0;
          a[j] += passed;
          a[V + j] += passed * (v[j] - c.mean[j]);
        }
      }
  }
  join_tile<join_sums>(a, lanes);
  if (!join_blocks<join_sums>(a, lanes, partial, tickets) || !inside)
    return;
  float s[V], q[V];
  UNROLL
  for (int j = 0; j < V; j++) {
    s[j] = a[j];
    q[j] = a[V + j];
    sums[BN_SCALE_SUM * channels + column + j] = widen(s[j]);
    sums[BN_SCALE_PRODUCTS * channels + column + j] = widen(q[j]);
  }
  if (f.k)
    set_gradients(f.k, channels, column, s, q, coefficients, f.sums);
}

static uint64_t bits_of(double x) {
  union {
    double d;
    uint64_t u;
  } v = {x};
  return v.u;
}

template <int V>
static cudaError_t sums(icl__cuda_in x, icl__cuda_table size, double *out, icl__cuda_bn_finish finish,
                        icl__cuda_scratch scratch, cudaStream_t stream) {
  tiling t = icl__tiling(size.rows, size.channels, V, 1 + 2 * V, ICL__CUDA_PARTIAL_FLOATS);
  return ICL_LAUNCH(bn_sums<V>, t.grid, dim3(TILE), 0, stream, x.data, x.dtype, size.rows, (int)size.channels, t.lanes,
                    bits_of((double)size.rows), (uint64_t *)out, finish, scratch.partial, scratch.tickets);
}

template <int V>
static cudaError_t scale_sums(icl__cuda_in g, icl__cuda_in x, const float *coefficients, bool mask,
                              icl__cuda_table size, double *out, icl__cuda_bn_finish_grad finish,
                              icl__cuda_scratch scratch, cudaStream_t stream) {
  tiling t = icl__tiling(size.rows, size.channels, V, 2 * V, ICL__CUDA_PARTIAL_FLOATS);
  return ICL_LAUNCH(bn_scale_sums<V>, t.grid, dim3(TILE), 0, stream, g, x, coefficients, (int)mask, size.rows,
                    (int)size.channels, t.lanes, (uint64_t *)out, finish, scratch.partial, scratch.tickets);
}

cudaError_t icl__cuda_bn_sums(icl__cuda_in x, icl__cuda_table size, double *out, const icl__cuda_bn_finish *finish,
                              icl__cuda_scratch scratch, cudaStream_t stream) {
  icl__cuda_bn_finish f = finish ? *finish : icl__cuda_bn_finish{};
  return size.channels % EIGHT ? sums<1>(x, size, out, f, scratch, stream)
                               : sums<EIGHT>(x, size, out, f, scratch, stream);
}

cudaError_t icl__cuda_bn_scale_sums(icl__cuda_in g, icl__cuda_in x, const float *coefficients, bool mask,
                                    icl__cuda_table size, double *out, const icl__cuda_bn_finish_grad *finish,
                                    icl__cuda_scratch scratch, cudaStream_t stream) {
  icl__cuda_bn_finish_grad f = finish ? *finish : icl__cuda_bn_finish_grad{};
  return size.channels % EIGHT ? scale_sums<1>(g, x, coefficients, mask, size, out, f, scratch, stream)
                               : scale_sums<EIGHT>(g, x, coefficients, mask, size, out, f, scratch, stream);
}
