/* norm_scale_sums.cu - sums over rows of gradients, for batch norm. */
#include "norm.cuh"
#include "tile.cuh"

/* The sums of g and of g (x - mean). */
struct join_products {
  enum { N = 2 };
  template <int M> static DEVICE_MEMBER void join(float (&a)[N], const float (&part)[M][N]) {
    a[0] = a[1] = 0;
    UNROLL
    for (int i = 0; i < M; i++) {
      a[0] += part[i][0];
      a[1] += part[i][1];
    }
  }
};

/* Rows of two images that a thread reads before it takes the first in. */
enum { PAIRED_ROWS = 2 };

template <int V>
__global__ void THREADS_A_BLOCK(TILE)
    bn_scale_sums(icl__cuda_in g, icl__cuda_in x, const float *__restrict__ coefficients, int mask, int64_t rows,
                  int channels, int lanes, uint64_t *__restrict__ sums, const icl__cuda_bn_finish_grad f,
                  float *partial, unsigned *tickets) {
  int column = ((int)blockIdx.y * lanes + tile_lane(lanes)) * V, mine = column_of<V>((int)threadIdx.x, lanes);
  bool inside = column < channels, has_channel = (int)threadIdx.x < lanes * V && mine < channels;
  channel last = {};
  if (has_channel && f.k)
    last = channel::read(coefficients, f.sums, channels, mine);
  columns<V> c;
  if (inside)
    c = columns<V>(coefficients, channels, column);
  float values[join_products::N][V] = {}, a[join_products::N];
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
          values[0][j] += passed;
          values[1][j] = fmaf(passed, v[j] - c.mean[j], values[1][j]);
        }
      }
  }
  join_tile<join_products>(a, values, lanes);
  if (!join_blocks<join_products, V>(a, lanes, partial, tickets) || !has_channel)
    return;
  sums[BN_SCALE_SUM * channels + mine] = widen(a[0]);
  sums[BN_SCALE_PRODUCTS * channels + mine] = widen(a[1]);
  if (f.k)
    last.set_gradients(f.k, channels, mine, a[0], a[1]);
}

template <int V>
static cudaError_t scale_sums(icl__cuda_in g, icl__cuda_in x, const float *coefficients, bool mask,
                              icl__cuda_table size, double *out, icl__cuda_bn_finish_grad finish,
                              icl__cuda_scratch scratch, cudaStream_t stream) {
  tiling t = icl__tiling(size.rows, size.channels, V, join_products::N, ICL__CUDA_PARTIAL_FLOATS);
  return ICL_LAUNCH(bn_scale_sums<V>, t.grid, dim3(TILE), 0, stream, g, x, coefficients, (int)mask, size.rows,
                    (int)size.channels, t.lanes, (uint64_t *)out, finish, scratch.partial, scratch.tickets);
}

cudaError_t icl__cuda_bn_scale_sums(icl__cuda_in g, icl__cuda_in x, const float *coefficients, bool mask,
                                    icl__cuda_table size, double *out, const icl__cuda_bn_finish_grad *finish,
                                    icl__cuda_scratch scratch, cudaStream_t stream) {
  icl__cuda_bn_finish_grad f = finish ? *finish : icl__cuda_bn_finish_grad{};
  return size.channels % EIGHT ? scale_sums<1>(g, x, coefficients, mask, size, out, f, scratch, stream)
                               : scale_sums<EIGHT>(g, x, coefficients, mask, size, out, f, scratch, stream);
}
