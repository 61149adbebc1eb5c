/* wide_norm_sums.cu - moments over rows for batch norm.
 *
 * Moments are count, mean and sum of squared deviations, so that no large numbers cancel, however far from 0 the mean
 * is. A thread adds up deviations from its first row; means are taken from the first row of all on, and rounded to f32
 * last, with the rest beside them. f64 is used once a channel, for the table of sums. */
#include "norm.cuh"
#include "tile.cuh"

/* Joins count, mean, and sum of squared deviations: Chan, Golub and LeVeque 1979, for several at once. */
struct join_moments {
  enum { N = 3 };
  template <int M> static DEVICE_MEMBER void join(float (&a)[N], const float (&part)[M][N]) {
    float count = 0, sum = 0, squares = 0;
    UNROLL
    for (int i = 0; i < M; i++) {
      count += part[i][0];
      sum = fmaf(part[i][0], part[i][1], sum);
    }
    float mean = count > 0 ? sum / count : 0;
    UNROLL
    for (int i = 0; i < M; i++) {
      float apart = part[i][1] - mean;
      squares += fmaf(part[i][0] * apart, apart, part[i][2]);
    }
    a[0] = count, a[1] = mean, a[2] = squares;
  }
};

/* Rows that a thread reads before it takes the first in: so many loads are under way at once. */
enum { ROWS = 4 };

/* What a thread has seen of V columns: deviations from the first row, `start`. */
template <int V> struct seen {
  float count, start[V], sum[V], squares[V];

  DEVICE_MEMBER void take(const float (&v)[V]) {
    UNROLL
    for (int j = 0; j < V; j++) {
      start[j] = count > 0 ? start[j] : v[j];
      float apart = v[j] - start[j];
      sum[j] += apart;
      squares[j] = fmaf(apart, apart, squares[j]);
    }
    count += 1;
  }

  /* Moments whose means count from `pivot` on. */
  DEVICE_MEMBER void moments(float (&a)[join_moments::N][V], const float (&pivot)[V]) const {
    float share = count > 0 ? 1 / count : 0;
    UNROLL
    for (int j = 0; j < V; j++) {
      float mean = sum[j] * share;
      a[0][j] = count;
      a[1][j] = count > 0 ? start[j] - pivot[j] + mean : 0;
      a[2][j] = fmaf(-sum[j], mean, squares[j]);
    }
  }
};

/* One channel of what follows the sums. It is read at the start and looked at last, as the first row is, so that no
 * thread waits for it. */
struct finish {
  float weight, bias, old_mean, old_variance;

  static DEVICE_MEMBER finish read(const icl__cuda_bn_finish &f, int i) {
    return {f.weight[i], f.bias[i], f.running_mean ? f.running_mean[i] : 0, f.running_mean ? f.running_variance[i] : 0};
  }
  DEVICE_MEMBER void set(const icl__cuda_bn_finish &f, int channels, int i, center c, float variance) {
    set_coefficients(f.coefficients, channels, i, weight, bias, c, variance, f.eps);
    if (!f.running_mean)
      return;
    f.running_mean[i] = moved(old_mean, c.mean, f.momentum, 1);
    f.running_variance[i] = moved(old_variance, variance, f.momentum, f.variance_factor);
  }
};

template <int V>
__global__ void THREADS_A_BLOCK(TILE)
    bn_sums(const void *__restrict__ x, int dtype, int64_t rows, int channels, int lanes, double *__restrict__ sums,
            const icl__cuda_bn_finish f, float *partial, unsigned *tickets) {
  int column = ((int)blockIdx.y * lanes + tile_lane(lanes)) * V, mine = column_of<V>((int)threadIdx.x, lanes);
  bool inside = column < channels, has_channel = (int)threadIdx.x < lanes * V && mine < channels;
  finish last = {};
  raw<V> start = {};
  raw<1> start_of_mine = {};
  if (inside && rows > 0)
    start.read(x, dtype, column);
  if (has_channel && rows > 0) {
    start_of_mine.read(x, dtype, mine);
    if (f.coefficients)
      last = finish::read(f, mine);
  }
  seen<V> s = {};
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
        s.take(v);
      }
  }
  float values[join_moments::N][V], a[join_moments::N], pivot[V], pivot_of_mine[1];
  start.unpack(dtype, pivot);
  start_of_mine.unpack(dtype, pivot_of_mine);
  s.moments(values, pivot);
  join_tile<join_moments>(a, values, lanes);
  if (!join_blocks<join_moments, V>(a, lanes, partial, tickets) || !has_channel)
    return;
  double count = (double)rows, sum = count * ((double)pivot_of_mine[0] + a[1]);
  sums[BN_SUMS_COUNT * channels + mine] = count;
  sums[BN_SUMS_SUM * channels + mine] = sum;
  sums[BN_SUMS_SQUARES * channels + mine] = a[2];
  if (f.coefficients)
    last.set(f, channels, mine, center::of(__double_as_longlong(sum), __double_as_longlong(count)),
             a[2] / (float)count);
}

template <int V>
static cudaError_t sums(icl__cuda_in x, icl__cuda_table size, double *out, icl__cuda_bn_finish finish,
                        icl__cuda_scratch scratch, cudaStream_t stream) {
  tiling t = icl__tiling(size.rows, size.channels, V, join_moments::N, ICL__CUDA_PARTIAL_FLOATS);
  return ICL_LAUNCH(bn_sums<V>, t.grid, dim3(TILE), 0, stream, x.data, x.dtype, size.rows, (int)size.channels, t.lanes,
                    out, finish, scratch.partial, scratch.tickets);
}

cudaError_t icl__cuda_bn_sums(icl__cuda_in x, icl__cuda_table size, double *out, const icl__cuda_bn_finish *finish,
                              icl__cuda_scratch scratch, cudaStream_t stream) {
  icl__cuda_bn_finish f = finish ? *finish : icl__cuda_bn_finish{};
  return size.channels % EIGHT ? sums<1>(x, size, out, f, scratch, stream)
                               : sums<EIGHT>(x, size, out, f, scratch, stream);
}
