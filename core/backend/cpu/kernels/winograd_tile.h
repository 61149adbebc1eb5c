/* winograd_tile.h - the transforms of F(4x4, 3x3) on one tile and LANES channels: the matrices B, G and A of Lavin and
 * Gray 2016, section 4.1, with the points 0, NEAR, -NEAR, FAR, -FAR and infinity.
 *
 * Their points 1 and 2 leave factors of 64 in the last row and column of a tile, where rounding then is three times as
 * large as elsewhere. These two are as far below 1 as above it: half the error in the 2-norm, a quarter at its worst
 * (Barabasz et al. 2020 choose points in the same way). All their powers are exact. */
#ifndef ICL_BACKEND_CPU_KERNELS_WINOGRAD_TILE_H
#define ICL_BACKEND_CPU_KERNELS_WINOGRAD_TILE_H

#include "backend/cpu/kernels/vector.h"

/* ---- one dimension ---- */

#define NEAR   0.75f
#define FAR    1.5f
#define NEAR_2 (NEAR * NEAR)
#define FAR_2  (FAR * FAR)

/* The products of a point's distances to the other ones. */
#define AT_ZERO (NEAR_2 * FAR_2)
#define AT_NEAR (2 * NEAR_2 * (NEAR_2 - FAR_2))
#define AT_FAR  (2 * FAR_2 * (FAR_2 - NEAR_2))

/* B^T d */
INLINE void input_6(vec o[6], const vec d[6]) {
  vec a = d[4] - FAR_2 * d[2], b = d[3] - FAR_2 * d[1], c = d[4] - NEAR_2 * d[2], e = d[3] - NEAR_2 * d[1];
  o[0] = AT_ZERO * d[0] + (d[4] - (NEAR_2 + FAR_2) * d[2]);
  o[1] = a + NEAR * b;
  o[2] = a - NEAR * b;
  o[3] = c + FAR * e;
  o[4] = c - FAR * e;
  o[5] = AT_ZERO * d[1] + (d[5] - (NEAR_2 + FAR_2) * d[3]);
}

/* A^T m */
INLINE void result_4(vec o[4], const vec m[6]) {
  vec s = m[1] + m[2], d = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];
  o[0] = m[0] + s + s2;
  o[1] = NEAR * d + FAR * d2;
  o[2] = NEAR_2 * s + FAR_2 * s2;
  o[3] = NEAR * NEAR_2 * d + (FAR * FAR_2 * d2 + m[5]);
}

/* A y, for gradients of results */
INLINE void gradient_6(vec o[6], const vec y[4]) {
  vec p = y[0] + NEAR_2 * y[2], q = y[1] + NEAR_2 * y[3], r = y[0] + FAR_2 * y[2], s = y[1] + FAR_2 * y[3];
  o[0] = y[0];
  o[1] = p + NEAR * q;
  o[2] = p - NEAR * q;
  o[3] = r + FAR * s;
  o[4] = r - FAR * s;
  o[5] = y[3];
}

/* G g */
INLINE void weight_6(vec o[6], vec g0, vec g1, vec g2) {
  vec e = g0 + NEAR_2 * g2, f = g0 + FAR_2 * g2;
  o[0] = g0 * (1 / AT_ZERO);
  o[1] = (e + NEAR * g1) * (1 / AT_NEAR);
  o[2] = (e - NEAR * g1) * (1 / AT_NEAR);
  o[3] = (f + FAR * g1) * (1 / AT_FAR);
  o[4] = (f - FAR * g1) * (1 / AT_FAR);
  o[5] = g2;
}

/* G^T u, for gradients of weights */
INLINE void weight_3(vec o[3], const vec u[6]) {
  vec s = (u[1] + u[2]) * (1 / AT_NEAR), d = (u[1] - u[2]) * (NEAR / AT_NEAR), s2 = (u[3] + u[4]) * (1 / AT_FAR),
      d2 = (u[3] - u[4]) * (FAR / AT_FAR);
  o[0] = u[0] * (1 / AT_ZERO) + s + s2;
  o[1] = d + d2;
  o[2] = NEAR_2 * s + FAR_2 * s2 + u[5];
}

/* ---- two dimensions ---- */

/* A patch of an image: pixels [top, top + rows) x [left, left + columns), of which some may lie outside. */
typedef struct {
  void *data; /* channel 0 of the image's first pixel */
  int32_t h, w, top, left;
  int64_t pitch; /* elements from pixel to pixel */
} patch;

INLINE vec pixel(const patch *at, int i, int j, int64_t channel, int lanes, icl_dtype dtype) {
  int32_t row = at->top + i, column = at->left + j;
  if ((uint32_t)row >= (uint32_t)at->h || (uint32_t)column >= (uint32_t)at->w)
    return (vec){0};
  return load_part(dtype, at->data, ((int64_t)row * at->w + column) * at->pitch + channel, lanes);
}

/* 6x6 pixels -> 36 positions, `stride` floats apart, of `lanes` channels; those after them are 0. All pixels are loaded
 * first: between their branches a product and the sum it belongs to would not become one instruction. */
INLINE void transform_input(const patch *at, int64_t channel, int lanes, float *v, size_t stride, icl_dtype dtype) {
  vec x[6][6], t[6][6];
  UNROLL(6)
  for (int i = 0; i < 6; i++)
    UNROLL(6)
  for (int j = 0; j < 6; j++)
    x[i][j] = pixel(at, i, j, channel, lanes, dtype);
  UNROLL(6)
  for (int i = 0; i < 6; i++)
    input_6(t[i], x[i]);
  UNROLL(6)
  for (int j = 0; j < 6; j++) {
    vec d[6] = {t[0][j], t[1][j], t[2][j], t[3][j], t[4][j], t[5][j]}, o[6];
    input_6(o, d);
    UNROLL(6)
    for (int i = 0; i < 6; i++)
      store(ICL_F32, v, (int64_t)((size_t)(6 * i + j) * stride), o[i]);
  }
}

/* 4x4 gradients of results -> 36 positions */
INLINE void transform_gradient(const patch *at, int64_t channel, int lanes, float *m, size_t stride, icl_dtype dtype) {
  vec y[4][4], t[4][6];
  UNROLL(4)
  for (int i = 0; i < 4; i++)
    UNROLL(4)
  for (int j = 0; j < 4; j++)
    y[i][j] = pixel(at, i, j, channel, lanes, dtype);
  UNROLL(4)
  for (int i = 0; i < 4; i++)
    gradient_6(t[i], y[i]);
  UNROLL(6)
  for (int j = 0; j < 6; j++) {
    vec d[4] = {t[0][j], t[1][j], t[2][j], t[3][j]}, o[6];
    gradient_6(o, d);
    UNROLL(6)
    for (int i = 0; i < 6; i++)
      store(ICL_F32, m, (int64_t)((size_t)(6 * i + j) * stride), o[i]);
  }
}

/* 36 positions -> 4x4 results, those within the image, of `lanes` channels */
INLINE void transform_result(const float *m, size_t stride, const patch *y, int64_t channel, int lanes,
                             icl_dtype dtype) {
  vec t[4][6];
  UNROLL(6)
  for (int j = 0; j < 6; j++) {
    vec d[6], o[4];
    UNROLL(6)
    for (int i = 0; i < 6; i++)
      d[i] = load(ICL_F32, m, (int64_t)((size_t)(6 * i + j) * stride));
    result_4(o, d);
    UNROLL(4)
    for (int i = 0; i < 4; i++)
      t[i][j] = o[i];
  }
  UNROLL(4)
  for (int i = 0; i < 4; i++) {
    vec o[4];
    result_4(o, t[i]);
    int32_t row = y->top + i;
    UNROLL(4)
    for (int j = 0; j < 4; j++)
      if (row < y->h && y->left + j < y->w)
        store_part(dtype, y->data, ((int64_t)row * y->w + y->left + j) * y->pitch + channel, lanes, o[j]);
  }
}

#endif
