/* winograd_tile.h - the transforms of F(4x4, 3x3) on one tile and LANES channels, with points 0, 1, -1, 2, -2 and
 * infinity: the matrices B, G and A of Lavin and Gray 2016, section 4.3. */
#ifndef ICL_BACKEND_CPU_KERNELS_WINOGRAD_TILE_H
#define ICL_BACKEND_CPU_KERNELS_WINOGRAD_TILE_H

#include "backend/cpu/kernels/vector.h"

/* ---- one dimension ---- */

/* B^T d */
INLINE void input_6(vec o[6], const vec d[6]) {
  vec a = d[4] - 4 * d[2], b = d[3] - 4 * d[1], c = d[4] - d[2], e = 2 * (d[3] - d[1]);
  o[0] = 4 * d[0] - 5 * d[2] + d[4];
  o[1] = a + b;
  o[2] = a - b;
  o[3] = c + e;
  o[4] = c - e;
  o[5] = 4 * d[1] - 5 * d[3] + d[5];
}

/* A^T m */
INLINE void result_4(vec o[4], const vec m[6]) {
  vec s = m[1] + m[2], d = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];
  o[0] = m[0] + s + s2;
  o[1] = d + 2 * d2;
  o[2] = s + 4 * s2;
  o[3] = d + 8 * d2 + m[5];
}

/* A y, for gradients of results */
INLINE void gradient_6(vec o[6], const vec y[4]) {
  vec p = y[0] + y[2], q = y[1] + y[3], r = y[0] + 4 * y[2], s = 2 * y[1] + 8 * y[3];
  o[0] = y[0];
  o[1] = p + q;
  o[2] = p - q;
  o[3] = r + s;
  o[4] = r - s;
  o[5] = y[3];
}

/* G g */
INLINE void weight_6(vec o[6], vec g0, vec g1, vec g2) {
  vec e = g0 + g2, f = 4 * g2 + g0;
  o[0] = 0.25f * g0;
  o[1] = (e + g1) * (-1 / 6.0f);
  o[2] = (e - g1) * (-1 / 6.0f);
  o[3] = (f + 2 * g1) * (1 / 24.0f);
  o[4] = (f - 2 * g1) * (1 / 24.0f);
  o[5] = g2;
}

/* G^T u, for gradients of weights */
INLINE void weight_3(vec o[3], const vec u[6]) {
  vec s = (u[1] + u[2]) * (-1 / 6.0f), d = (u[2] - u[1]) * (1 / 6.0f), s2 = u[3] + u[4], d2 = u[3] - u[4];
  o[0] = 0.25f * u[0] + s + s2 * (1 / 24.0f);
  o[1] = d + d2 * (1 / 12.0f);
  o[2] = s + s2 * (1 / 6.0f) + u[5];
}

/* ---- two dimensions ---- */

/* A patch of an image: pixels [top, top + rows) x [left, left + columns), of which some may lie outside. */
typedef struct {
  void *data; /* channel 0 of the image's first pixel */
  int32_t h, w, top, left;
  int64_t pitch; /* elements from pixel to pixel */
} patch;

INLINE vec pixel(const patch *at, int i, int j, int64_t channel, icl_dtype dtype) {
  int32_t row = at->top + i, column = at->left + j;
  if ((uint32_t)row >= (uint32_t)at->h || (uint32_t)column >= (uint32_t)at->w)
    return (vec){0};
  return load(dtype, at->data, ((int64_t)row * at->w + column) * at->pitch + channel);
}

/* 6x6 pixels -> 36 positions, `stride` floats apart */
INLINE void transform_input(const patch *x, int64_t channel, float *v, size_t stride, icl_dtype dtype) {
  vec t[6][6];
  UNROLL(6)
  for (int i = 0; i < 6; i++) {
    vec d[6];
    UNROLL(6)
    for (int j = 0; j < 6; j++)
      d[j] = pixel(x, i, j, channel, dtype);
    input_6(t[i], d);
  }
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
INLINE void transform_gradient(const patch *y, int64_t channel, float *m, size_t stride, icl_dtype dtype) {
  vec t[4][6];
  UNROLL(4)
  for (int i = 0; i < 4; i++) {
    vec d[4];
    UNROLL(4)
    for (int j = 0; j < 4; j++)
      d[j] = pixel(y, i, j, channel, dtype);
    gradient_6(t[i], d);
  }
  UNROLL(6)
  for (int j = 0; j < 6; j++) {
    vec d[4] = {t[0][j], t[1][j], t[2][j], t[3][j]}, o[6];
    gradient_6(o, d);
    UNROLL(6)
    for (int i = 0; i < 6; i++)
      store(ICL_F32, m, (int64_t)((size_t)(6 * i + j) * stride), o[i]);
  }
}

/* 36 positions -> 4x4 results, those within the image */
INLINE void transform_result(const float *m, size_t stride, const patch *y, int64_t channel, icl_dtype dtype) {
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
        store(dtype, y->data, ((int64_t)row * y->w + y->left + j) * y->pitch + channel, o[j]);
  }
}

#endif
