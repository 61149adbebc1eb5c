/* pool.cuh - pooling: a thread for V channels of one pixel of the result. Gradients are gathered by the pixels of the
 * image from the windows over them, so that nothing is added by two threads. VALUES is what it is computed in, NAME
 * what the functions are called. */
#include "pointers.cuh"
#include "tile.cuh"
#include "values.cuh"

enum { THREADS = 128 };

/* Pixel (n, row, column) and its first channel, for thread `i` of those of a result of h x w pixels. */
struct pixel {
  int n, row, column, channel;
};

template <int V> DEVICE pixel pixel_of(int64_t i, int h, int w, int c) {
  int groups = c / V;
  int64_t place = i / groups;
  return {(int)(place / w / h), (int)(place / w % h), (int)(place % w), (int)(i % groups) * V};
}

DEVICE int64_t place(int n, int row, int column, int h, int w, int c) {
  return (((int64_t)n * h + row) * w + column) * c;
}

template <int V> DEVICE void load_positions(const uint8_t *positions, int64_t first, int (&x)[V]) {
  float bytes[V];
  load(positions, ICL_U8, first, bytes);
  UNROLL
  for (int j = 0; j < V; j++)
    x[j] = (int)bytes[j];
}

/* The first window along one axis that covers position `at` of the image, and the last. */
DEVICE int first_window(int at, int kernel, int stride, int padding) {
  int rest = at + padding - kernel;
  return rest < 0 ? 0 : rest / stride + 1;
}
DEVICE int last_window(int at, int windows, int stride, int padding) {
  int last = (at + padding) / stride;
  return last < windows ? last : windows - 1;
}

/* Taps of the window of a result's pixel that lie within the image: use(place in x, position in the window). */
template <class Use> DEVICE void each_tap(const icl__cuda_pool &p, const pixel &y, Use use) {
  for (int i = 0; i < p.kernel[0]; i++)
    for (int j = 0; j < p.kernel[1]; j++) {
      int row = y.row * p.stride[0] + i - p.padding[0], column = y.column * p.stride[1] + j - p.padding[1];
      if (row >= 0 && row < p.h && column >= 0 && column < p.w)
        use(place(y.n, row, column, p.h, p.w, p.c) + y.channel, i * p.kernel[1] + j);
    }
}

/* Windows over a pixel of the image: use(place in the result, position of the pixel in the window). */
template <class Use> DEVICE void each_window(const icl__cuda_pool &p, const pixel &x, Use use) {
  int last_row = last_window(x.row, p.out_h, p.stride[0], p.padding[0]);
  int last_column = last_window(x.column, p.out_w, p.stride[1], p.padding[1]);
  for (int row = first_window(x.row, p.kernel[0], p.stride[0], p.padding[0]); row <= last_row; row++)
    for (int column = first_window(x.column, p.kernel[1], p.stride[1], p.padding[1]); column <= last_column; column++) {
      int i = x.row + p.padding[0] - row * p.stride[0], j = x.column + p.padding[1] - column * p.stride[1];
      use(place(x.n, row, column, p.out_h, p.out_w, p.c) + x.channel, i * p.kernel[1] + j);
    }
}

enum what { LARGEST, POSITION, PICK, AVERAGE };

template <what f, class Values, int V>
__global__ void THREADS_A_BLOCK(THREADS)
    pool(icl__cuda_in x, const uint8_t *positions, const __grid_constant__ icl__cuda_pool p, int64_t threads,
         icl__cuda_out y) {
  int64_t t = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (t >= threads)
    return;
  pixel at = pixel_of<V>(t, p.out_h, p.out_w, p.c);
  typename Values::real best[V], result[V];
  int wanted[V];
  UNROLL
  for (int j = 0; j < V; j++)
    best[j] = result[j] = 0;
  if (f == PICK)
    load_positions(positions, t * V, wanted);
  bool first = true;
  each_tap(p, at, [&](int64_t tap, int position) {
    typename Values::real v[V];
    Values::read_all(x.data, x.dtype, tap, v);
    UNROLL
    for (int j = 0; j < V; j++) {
      bool leads = first || is_larger(v[j], best[j]);
      if (f == AVERAGE)
        result[j] += v[j];
      else if (f == PICK)
        result[j] = position == wanted[j] ? v[j] : result[j];
      else if (leads) {
        best[j] = v[j];
        result[j] = f == POSITION ? (typename Values::real)position : v[j];
      }
    }
    first = false;
  });
  if (f == AVERAGE) {
    UNROLL
    for (int j = 0; j < V; j++)
      result[j] /= (typename Values::real)(p.kernel[0] * p.kernel[1]);
  }
  Values::write_all(y.data, y.dtype, t * V, result);
}

template <bool average, class Values, int V>
__global__ void THREADS_A_BLOCK(THREADS)
    pool_grad(icl__cuda_in g, const uint8_t *positions, const __grid_constant__ icl__cuda_pool p, int64_t threads,
              icl__cuda_out y) {
  int64_t t = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (t >= threads)
    return;
  pixel at = pixel_of<V>(t, p.h, p.w, p.c);
  typename Values::real sum[V];
  UNROLL
  for (int j = 0; j < V; j++)
    sum[j] = 0;
  each_window(p, at, [&](int64_t window, int position) {
    typename Values::real v[V];
    int chosen[V];
    Values::read_all(g.data, g.dtype, window, v);
    if (!average)
      load_positions(positions, window, chosen);
    UNROLL
    for (int j = 0; j < V; j++)
      sum[j] += average || chosen[j] == position ? v[j] : 0;
  });
  if (average) {
    UNROLL
    for (int j = 0; j < V; j++)
      sum[j] /= (typename Values::real)(p.kernel[0] * p.kernel[1]);
  }
  Values::write_all(y.data, y.dtype, t * V, sum);
}

/* ---- all pixels of an image: a block for each image and `lanes` groups of channels ---- */

template <class Values, int V>
__global__ void THREADS_A_BLOCK(TILE) global_pool(icl__cuda_in x, int64_t pixels, int c, int lanes, icl__cuda_out y) {
  typedef typename Values::real real;
  int channel = ((int)blockIdx.y * lanes + tile_lane(lanes)) * V, mine = column_of<V>((int)threadIdx.x, lanes);
  real sum[join_sums::N][V] = {}, joined[join_sums::N];
  for (int64_t i = tile_row(lanes); channel < c && i < pixels; i += TILE / lanes) {
    real v[V];
    Values::read_all(x.data, x.dtype, (blockIdx.x * pixels + i) * c + channel, v);
    UNROLL
    for (int j = 0; j < V; j++)
      sum[0][j] += v[j];
  }
  join_tile<join_sums>(joined, sum, lanes);
  if ((int)threadIdx.x >= lanes * V || mine >= c)
    return;
  real mean[] = {joined[0] / (real)pixels};
  Values::write_all(y.data, y.dtype, (int64_t)blockIdx.x * c + mine, mean);
}

template <class Values, int V>
__global__ void THREADS_A_BLOCK(THREADS)
    global_pool_grad(icl__cuda_in g, int64_t pixels, int c, int64_t threads, icl__cuda_out y) {
  int64_t t = (int64_t)blockIdx.x * THREADS + threadIdx.x, first = t * V;
  if (t >= threads)
    return;
  typename Values::real v[V];
  Values::read_all(g.data, g.dtype, first / c / pixels * c + first % c, v);
  UNROLL
  for (int j = 0; j < V; j++)
    v[j] /= (typename Values::real)pixels;
  Values::write_all(y.data, y.dtype, first, v);
}

/* ---- launches ---- */

template <what f>
static cudaError_t launch(icl__cuda_in x, const uint8_t *positions, const icl__cuda_pool *p, icl__cuda_out y,
                          cudaStream_t stream) {
  int64_t count = (int64_t)p->n * p->out_h * p->out_w * p->c;
  if (p->c % VALUES::AT_ONCE)
    return ICL_LAUNCH((pool<f, VALUES, 1>), dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, x, positions,
                      *p, count, y);
  count /= VALUES::AT_ONCE;
  return ICL_LAUNCH((pool<f, VALUES, VALUES::AT_ONCE>), dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, x,
                    positions, *p, count, y);
}

template <bool average>
static cudaError_t launch_grad(icl__cuda_in g, const uint8_t *positions, const icl__cuda_pool *p, icl__cuda_out y,
                               cudaStream_t stream) {
  int64_t count = (int64_t)p->n * p->h * p->w * p->c;
  if (p->c % VALUES::AT_ONCE)
    return ICL_LAUNCH((pool_grad<average, VALUES, 1>), dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, g,
                      positions, *p, count, y);
  count /= VALUES::AT_ONCE;
  return ICL_LAUNCH((pool_grad<average, VALUES, VALUES::AT_ONCE>), dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0,
                    stream, g, positions, *p, count, y);
}

cudaError_t NAME(max_pool2d)(icl__cuda_in x, const icl__cuda_pool *p, icl__cuda_out y, cudaStream_t stream) {
  return launch<LARGEST>(x, NULL, p, y, stream);
}

cudaError_t NAME(max_pool2d_positions)(icl__cuda_in x, const icl__cuda_pool *p, uint8_t *positions,
                                       cudaStream_t stream) {
  return launch<POSITION>(x, NULL, p, {positions, ICL_U8}, stream);
}

cudaError_t NAME(max_pool2d_grad)(icl__cuda_in g, const uint8_t *positions, const icl__cuda_pool *p, icl__cuda_out y,
                                  cudaStream_t stream) {
  return launch_grad<false>(g, positions, p, y, stream);
}

cudaError_t NAME(max_pool2d_pick)(icl__cuda_in x, const uint8_t *positions, const icl__cuda_pool *p, icl__cuda_out y,
                                  cudaStream_t stream) {
  return launch<PICK>(x, positions, p, y, stream);
}

cudaError_t NAME(avg_pool2d)(icl__cuda_in x, const icl__cuda_pool *p, icl__cuda_out y, cudaStream_t stream) {
  return launch<AVERAGE>(x, NULL, p, y, stream);
}

cudaError_t NAME(avg_pool2d_grad)(icl__cuda_in g, const icl__cuda_pool *p, icl__cuda_out y, cudaStream_t stream) {
  return launch_grad<true>(g, NULL, p, y, stream);
}

cudaError_t NAME(global_avg_pool)(icl__cuda_in x, int32_t n, int64_t pixels, int32_t c, icl__cuda_out y,
                                  cudaStream_t stream) {
  int v = c % VALUES::AT_ONCE ? 1 : VALUES::AT_ONCE;
  tiling t = icl__tiling(pixels, c, v, join_sums::N, 0);
  dim3 grid((unsigned)n, t.grid.y);
  if (v == 1)
    return ICL_LAUNCH((global_pool<VALUES, 1>), grid, dim3(TILE), 0, stream, x, pixels, c, t.lanes, y);
  return ICL_LAUNCH((global_pool<VALUES, VALUES::AT_ONCE>), grid, dim3(TILE), 0, stream, x, pixels, c, t.lanes, y);
}

cudaError_t NAME(global_avg_pool_grad)(icl__cuda_in g, int32_t n, int64_t pixels, int32_t c, icl__cuda_out y,
                                       cudaStream_t stream) {
  int64_t count = n * pixels * c;
  if (c % VALUES::AT_ONCE)
    return ICL_LAUNCH((global_pool_grad<VALUES, 1>), dim3(icl__blocks(count, THREADS)), dim3(THREADS), 0, stream, g,
                      pixels, c, count, y);
  return ICL_LAUNCH((global_pool_grad<VALUES, VALUES::AT_ONCE>), dim3(icl__blocks(count / VALUES::AT_ONCE, THREADS)),
                    dim3(THREADS), 0, stream, g, pixels, c, count / VALUES::AT_ONCE, y);
}
