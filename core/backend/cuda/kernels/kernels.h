/* kernels.h - the kernels of the CUDA backend as host code launches them.
 *
 * Arrays are dense, row-major and in device memory, aligned to at least 16 bytes. Nothing waits: a function returns
 * when its launch is on the stream. Meaning and shapes are those of the op of that name in ops.def; a function that no
 * op names says what it does. Results with no elements are not launched by the caller. */
#ifndef ICL_BACKEND_CUDA_KERNELS_KERNELS_H
#define ICL_BACKEND_CUDA_KERNELS_KERNELS_H

#include <cuda_runtime_api.h>

#include "icl.h"
#include "chain.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Floats of any dtype; where it is said also u8 and bool. */
typedef struct {
  const void *data; /* NULL: not there */
  int dtype;
} icl__cuda_in;
typedef struct {
  void *data;
  int dtype;
} icl__cuda_out;

/* What launches of one stream share to join the results of their blocks. Tickets are 0 between launches. */
enum { ICL__CUDA_TICKETS = 1024, ICL__CUDA_PARTIAL_FLOATS = 1 << 18 };
typedef struct {
  float *partial;
  unsigned *tickets;
} icl__cuda_scratch;

/* Axes of an array; strides in elements. */
typedef struct {
  int rank;
  int32_t size[ICL_MAX_RANK];
  int64_t stride[ICL_MAX_RANK];
} icl__cuda_axes;

/* An array (outer, size, inner), and its series along `size`. */
typedef struct {
  int64_t outer, size, inner;
} icl__cuda_series;

/* Two functions: icl__cuda_NAME computes in f32, icl__cuda_NAME_f64 in f64, in which one of its arrays is then. */
#define ICL__CUDA_BOTH(name, ...)                                                                                      \
  cudaError_t icl__cuda_##name(__VA_ARGS__);                                                                           \
  cudaError_t icl__cuda_##name##_f64(__VA_ARGS__)

/* ---- pointwise (chain.h) ---- */

cudaError_t icl__cuda_chain(const icl__chain *chain, cudaStream_t stream);
/* `count` blocks of many chains in one launch; both arrays in device memory, where they may stay for every launch of
 * a graph. All chains are wide or none is, and none reads what another writes; `slots` is the most that one has. */
cudaError_t icl__cuda_chains(const icl__chain *chains, const icl__chain_block *blocks, int count, int slots, bool wide,
                             cudaStream_t stream);

/* ---- batch norm: x (rows, channels); tables as in ops/batch_norm.h ---- */

typedef struct {
  int64_t rows;
  int32_t channels;
} icl__cuda_table;

/* What follows from sums at once, as bn_coefficients and bn_running make it, to the last bit. The running statistics
 * are changed in place; NULL: there are none. */
typedef struct {
  const float *weight, *bias;
  float eps, momentum, variance_factor;
  float *coefficients, *running_mean, *running_variance;
} icl__cuda_bn_finish;
/* `finish` NULL: the sums alone. */
cudaError_t icl__cuda_bn_sums(icl__cuda_in x, icl__cuda_table size, double *sums, const icl__cuda_bn_finish *finish,
                              icl__cuda_scratch scratch, cudaStream_t stream);

/* The same for bn_coefficients_grad; `sums` NULL: statistics were constants. */
typedef struct {
  const double *sums;
  float *k;
} icl__cuda_bn_finish_grad;
cudaError_t icl__cuda_bn_scale_sums(icl__cuda_in g, icl__cuda_in x, const float *coefficients, bool mask,
                                    icl__cuda_table size, double *scale_sums, const icl__cuda_bn_finish_grad *finish,
                                    icl__cuda_scratch scratch, cudaStream_t stream);
cudaError_t icl__cuda_bn_coefficients(const double *sums, const float *weight, const float *bias, float eps,
                                      int32_t channels, float *coefficients, cudaStream_t stream);
cudaError_t icl__cuda_bn_inference(const float *weight, const float *bias, const float *mean, const float *variance,
                                   float eps, int32_t channels, float *coefficients, cudaStream_t stream);
cudaError_t icl__cuda_bn_running(const float *coefficients, int row, const float *old, float momentum, float factor,
                                 int32_t channels, float *result, cudaStream_t stream);
cudaError_t icl__cuda_bn_coefficients_grad(const double *scale_sums, const float *coefficients, const double *sums,
                                           int32_t channels, float *k, cudaStream_t stream);

/* What an elementwise op of batch norm reads and makes. `rest` is added to the result if it is there, for scale_shift
 * before the ReLU. */
typedef struct {
  icl__cuda_in g, x, rest;
  const float *coefficients, *k;
  const double *sums;
  icl__cuda_out y;
} icl__cuda_bn;

cudaError_t icl__cuda_scale_shift(const icl__cuda_bn *o, bool relu, icl__cuda_table size, cudaStream_t stream);
cudaError_t icl__cuda_bn_scale(const icl__cuda_bn *o, icl__cuda_table size, cudaStream_t stream);
cudaError_t icl__cuda_bn_sums_grad(const icl__cuda_bn *o, icl__cuda_table size, cudaStream_t stream);
cudaError_t icl__cuda_bn_input_grad(const icl__cuda_bn *o, bool mask, icl__cuda_table size, cudaStream_t stream);
cudaError_t icl__cuda_bn_scale_mask(const icl__cuda_bn *o, icl__cuda_table size, cudaStream_t stream);

/* ---- reductions: of x along `reduced`, for each element of `kept`, in any dtype ---- */

typedef enum { ICL__CUDA_SUM, ICL__CUDA_MAX, ICL__CUDA_ARGMAX } icl__cuda_reduction;
ICL__CUDA_BOTH(reduce, icl__cuda_reduction what, icl__cuda_in x, const icl__cuda_axes *kept,
               const icl__cuda_axes *reduced, icl__cuda_out y, icl__cuda_scratch scratch, cudaStream_t stream);

/* ---- loss: rows of k ---- */

ICL__CUDA_BOTH(softmax, icl__cuda_in x, int64_t rows, int32_t k, bool logarithm, icl__cuda_out y, cudaStream_t stream);
/* `loss`: f32 or f64 */
ICL__CUDA_BOTH(cross_entropy, icl__cuda_in x, icl__cuda_in target, int64_t rows, int32_t k, void *loss,
               cudaStream_t stream);
/* g (rows) (sum target softmax(x) - target): the gradient of the losses by x, in one pass. */
cudaError_t icl__cuda_cross_entropy_grad(const float *g, icl__cuda_in x, icl__cuda_in target, int64_t rows, int32_t k,
                                         icl__cuda_out y, cudaStream_t stream);

/* ---- pooling: images (n, h, w, c) under windows (n, h', w', c) ---- */

typedef struct {
  int32_t n, h, w, c, out_h, out_w;
  int32_t kernel[2], stride[2], padding[2];
} icl__cuda_pool;

ICL__CUDA_BOTH(max_pool2d, icl__cuda_in x, const icl__cuda_pool *p, icl__cuda_out y, cudaStream_t stream);
ICL__CUDA_BOTH(max_pool2d_positions, icl__cuda_in x, const icl__cuda_pool *p, uint8_t *positions, cudaStream_t stream);
ICL__CUDA_BOTH(max_pool2d_grad, icl__cuda_in g, const uint8_t *positions, const icl__cuda_pool *p, icl__cuda_out y,
               cudaStream_t stream);
ICL__CUDA_BOTH(max_pool2d_pick, icl__cuda_in x, const uint8_t *positions, const icl__cuda_pool *p, icl__cuda_out y,
               cudaStream_t stream);
ICL__CUDA_BOTH(avg_pool2d, icl__cuda_in x, const icl__cuda_pool *p, icl__cuda_out y, cudaStream_t stream);
ICL__CUDA_BOTH(avg_pool2d_grad, icl__cuda_in g, const icl__cuda_pool *p, icl__cuda_out y, cudaStream_t stream);
ICL__CUDA_BOTH(global_avg_pool, icl__cuda_in x, int32_t n, int64_t pixels, int32_t c, icl__cuda_out y,
               cudaStream_t stream);
ICL__CUDA_BOTH(global_avg_pool_grad, icl__cuda_in g, int32_t n, int64_t pixels, int32_t c, icl__cuda_out y,
               cudaStream_t stream);

/* ---- elements that only move, of 1, 2, 4, 8 or 16 bytes ---- */

/* Every element at of `size` goes to to[sum at to_stride]. It comes from from[sum (at - low) from_stride], or is `fill`
 * where at - low is outside of `extent`. `shift`, if it is there, holds one i64 that is kept within 0 ... shift_limit
 * and then added to low[axis], taken away with `backwards`. */
typedef struct {
  int rank, axis;
  bool backwards;
  int32_t size[ICL_MAX_RANK], low[ICL_MAX_RANK], extent[ICL_MAX_RANK];
  int64_t from_stride[ICL_MAX_RANK], to_stride[ICL_MAX_RANK], shift_limit;
  const int64_t *shift;
  const void *from;
  void *to;
  uint64_t fill; /* its bytes, of elements up to 8 bytes; 0 for others */
} icl__cuda_move;
cudaError_t icl__cuda_move_elements(const icl__cuda_move *move, int bytes, cudaStream_t stream);
/* The same for elements of up to 8 bytes that all move, by tiles: the last axis is the dense one of `from`, the one
 * before it that of `to`. */
cudaError_t icl__cuda_move_turned(const icl__cuda_move *move, int bytes, cudaStream_t stream);

/* One matrix of a launch of many: the transpose of a dense (rows, columns) of floats, in another dtype. Convolutions
 * want their weights (kh, kw, i, o) as (o, kh, kw, i): a matrix of o columns. */
typedef struct {
  const void *from;
  void *to;
  int32_t rows, columns, from_dtype, to_dtype;
} icl__cuda_transpose;
/* Tiles are squares of that side; they are counted along the rows of tiles of a matrix. */
enum { ICL__CUDA_TRANSPOSE_SIDE = 64 };
typedef struct {
  int32_t matrix, tile;
} icl__cuda_transpose_tile;
static inline int32_t icl__cuda_transpose_tiles(int32_t rows, int32_t columns) {
  return ((rows + ICL__CUDA_TRANSPOSE_SIDE - 1) / ICL__CUDA_TRANSPOSE_SIDE) *
         ((columns + ICL__CUDA_TRANSPOSE_SIDE - 1) / ICL__CUDA_TRANSPOSE_SIDE);
}
/* `count` tiles; both arrays in device memory. */
cudaError_t icl__cuda_transposes(const icl__cuda_transpose *matrices, const icl__cuda_transpose_tile *tiles, int count,
                                 cudaStream_t stream);

/* ---- over the ranks of a group ---- */

/* An array of all ranks is ranks * shard + rest elements. This one adds its own shard and, as all do, the rest, and
 * puts the sums into `data`, in which its own elements are. What it needs of rank r lies in `received`, r times
 * shard + rest elements from its beginning; its own place there holds nothing. */
typedef struct {
  void *data;
  const void *received;
  int64_t shard, rest;
  int32_t rank, ranks;
} icl__cuda_shares;
/* Added in the order of ranks; f32, f64, i64. */
cudaError_t icl__cuda_add_shares(const icl__cuda_shares *s, icl_dtype dtype, cudaStream_t stream);
/* Tables of bn_sums, `stride` elements apart, of all ranks become that of their images together. */
cudaError_t icl__cuda_join_tables(const double *tables, int64_t stride, int32_t ranks, int32_t channels, double *out,
                                  cudaStream_t stream);

/* ---- around a graph ---- */

/* Before it runs: the first `number_count` of `number` go to `numbers`, and pieces of any length, aligned to 16 bytes,
 * are copied. */
enum { ICL__CUDA_BIND_NUMBERS = 64, ICL__CUDA_BIND_PIECES = 48 };
typedef struct {
  const void *from;
  void *to;
  int64_t bytes;
} icl__cuda_piece;
typedef struct {
  double *numbers;
  int32_t number_count, piece_count;
  double number[ICL__CUDA_BIND_NUMBERS];
  icl__cuda_piece piece[ICL__CUDA_BIND_PIECES];
} icl__cuda_bind;
cudaError_t icl__cuda_bind_leaves(const icl__cuda_bind *b, cudaStream_t stream);

/* flag[0] = 1 if any of `count` floats is NaN, else it stays as it is. */
cudaError_t icl__cuda_find_nan(icl__cuda_in x, int64_t count, int32_t *flag, cudaStream_t stream);

/* ---- rows at an index ---- */

/* Rows of `bytes`: y[i] = x[index[i]], index kept within 0 ... limit - 1. */
cudaError_t icl__cuda_gather(const void *x, const int64_t *index, int64_t rows, int64_t limit, int64_t bytes, void *y,
                             cudaStream_t stream);
/* Rows of `columns`: y[r] = sum of g[i] with index[i] = r. */
ICL__CUDA_BOTH(gather_grad, icl__cuda_in g, const int64_t *index, int64_t rows, int64_t size, int64_t columns,
               icl__cuda_out y, icl__cuda_scratch scratch, cudaStream_t stream);
cudaError_t icl__cuda_one_hot(const int64_t *labels, int64_t n, int32_t classes, float *y, cudaStream_t stream);

/* ---- along an axis: x or, of gather_along_grad, y is `s`; `length` is the size of the axis of the others ---- */

ICL__CUDA_BOTH(cumsum, icl__cuda_in x, const icl__cuda_series *s, bool reverse, icl__cuda_out y, cudaStream_t stream);
cudaError_t icl__cuda_argsort(icl__cuda_in x, const icl__cuda_series *s, int64_t length, bool descending, int64_t *y,
                              cudaStream_t stream);
cudaError_t icl__cuda_gather_along(const void *x, const int64_t *index, const icl__cuda_series *s, int64_t length,
                                   int bytes, void *y, cudaStream_t stream);
ICL__CUDA_BOTH(gather_along_grad, icl__cuda_in g, const int64_t *index, const icl__cuda_series *s, int64_t length,
               icl__cuda_out y, icl__cuda_scratch scratch, cudaStream_t stream);

/* ---- random draws: of `images`, each of `size` elements; ids NULL: images count from `first` ---- */

typedef struct {
  const int64_t *key, *ids;
  int64_t first, images, size;
} icl__cuda_draw;

cudaError_t icl__cuda_uniform(const icl__cuda_draw *d, float *y, cudaStream_t stream);
cudaError_t icl__cuda_normal(const icl__cuda_draw *d, float *y, cudaStream_t stream);
cudaError_t icl__cuda_bernoulli(const icl__cuda_draw *d, icl__cuda_in p, uint8_t *y, cudaStream_t stream);
cudaError_t icl__cuda_randint(const icl__cuda_draw *d, int32_t low, int32_t high, int64_t *y, cudaStream_t stream);
ICL__CUDA_BOTH(dropout, const icl__cuda_draw *d, icl__cuda_in x, icl__cuda_in p, icl__cuda_out y, cudaStream_t stream);

/* ---- samples ---- */

typedef struct {
  int32_t n, h, w, c, out_h, out_w, padding[2], fill;
} icl__cuda_crop_size;
cudaError_t icl__cuda_crop(const uint8_t *x, const int64_t *offset, const icl__cuda_crop_size *s, uint8_t *y,
                           cudaStream_t stream);
/* Pixels of `bytes`. */
cudaError_t icl__cuda_flip(const void *x, const uint8_t *which, int32_t n, int32_t h, int32_t w, int32_t bytes, void *y,
                           cudaStream_t stream);
/* Images of `shape`, (n, h, w, c). */
cudaError_t icl__cuda_adjust(const uint8_t *x, const double *amount, const int64_t *kind, const int32_t *shape,
                             uint8_t *y, cudaStream_t stream);
cudaError_t icl__cuda_warp(const uint8_t *x, const float *coefficients, const int32_t *shape, bool bilinear, int fill,
                           uint8_t *y, cudaStream_t stream);
cudaError_t icl__cuda_normalize(const uint8_t *x, const double *mean, const double *std, int64_t pixels, int32_t c,
                                icl__cuda_out y, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
