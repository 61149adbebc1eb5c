/* winograd_tile.h - the transforms of minimal filtering on one tile and LANES channels: along its columns, then along
 * its rows (winograd_axis.h). */
#ifndef ICL_BACKEND_CPU_KERNELS_WINOGRAD_TILE_H
#define ICL_BACKEND_CPU_KERNELS_WINOGRAD_TILE_H

#include "backend/cpu/kernels/winograd_axis.h"

enum { TAPS = TAPS_OF_AXIS * TAPS_OF_AXIS, MATRICES = WEIGHTS_OF_AXIS * WEIGHTS_OF_AXIS };

/* Positions of a tile, and which of the 36 matrices of weights such a position meets. */
static inline int positions_of(form f) { return places_of(f) * places_of(f); }
static inline int matrix_at(form f, int position) {
  return WEIGHTS_OF_AXIS * weight_at(position / places_of(f)) + weight_at(position % places_of(f));
}

/* Is it the first position with its matrix? */
static inline bool is_first(form f, int position) {
  return position / places_of(f) < WEIGHTS_OF_AXIS && position % places_of(f) < WEIGHTS_OF_AXIS;
}

/* ---- images ---- */

/* A patch of an image: pixels [top, top + rows) x [left, left + columns), of which some may lie outside. */
typedef struct {
  void *data; /* channel 0 of the image's first pixel */
  int32_t h, w, top, left;
  int64_t pitch; /* elements from pixel to pixel */
} patch;

/* The first pixels of a patch, size x size of them; `x` has rows of `wide`. Outside the image they are 0, read from
 * where zeros lie: a branch for each would part products from the sums that they belong to, which then are no single
 * instruction. */
INLINE void load_pixels(vec *x, int wide, const patch *at, int size, int64_t channel, int lanes, icl_dtype dtype) {
  static const float nothing[LANES];
  const char *zeros = (const char *)nothing;
  __asm__("" : "+r"(zeros)); /* the compiler shall not know them, or it takes the branch */
  int64_t bytes = (int64_t)icl_dtype_bytes(dtype), column[MOST_PIXELS];
  bool there[MOST_PIXELS];
  UNROLL(9)
  for (int j = 0; j < size; j++) {
    there[j] = (uint32_t)(at->left + j) < (uint32_t)at->w;
    column[j] = ((at->left + j) * at->pitch + channel) * bytes;
  }
  UNROLL(9)
  for (int i = 0; i < size; i++) {
    bool reads = (uint32_t)(at->top + i) < (uint32_t)at->h;
    const char *row = (const char *)at->data + (at->top + i) * at->w * at->pitch * bytes;
    UNROLL(9)
    for (int j = 0; j < size; j++)
      x[i * wide + j] = load_part(dtype, (reads & there[j]) ? row + column[j] : zeros, 0, lanes);
  }
}

/* Pixels -> positions, `stride` floats apart, of `lanes` channels; those after them are 0. */
INLINE void transform_input(const patch *at, int64_t channel, int lanes, float *v, size_t stride, form f,
                            icl_dtype dtype) {
  int pixels = pixels_of(f), places = places_of(f);
  vec x[MOST_PIXELS][MOST_PIXELS], t[MOST_PIXELS][MOST_PLACES];
  load_pixels(x[0], MOST_PIXELS, at, pixels, channel, lanes, dtype);
  UNROLL(9)
  for (int i = 0; i < pixels; i++)
    input_places(t[i], x[i], f);
  UNROLL(9)
  for (int j = 0; j < places; j++) {
    vec d[MOST_PIXELS], o[MOST_PLACES];
    UNROLL(9)
    for (int i = 0; i < pixels; i++)
      d[i] = t[i][j];
    input_places(o, d, f);
    UNROLL(9)
    for (int i = 0; i < places; i++)
      store(ICL_F32, v, (int64_t)((size_t)(places * i + j) * stride), o[i]);
  }
}

/* 4x4 gradients of results -> positions */
INLINE void transform_gradient(const patch *at, int64_t channel, int lanes, float *m, size_t stride, form f,
                               icl_dtype dtype) {
  int places = places_of(f);
  vec y[4][4], t[4][MOST_PLACES];
  load_pixels(y[0], 4, at, 4, channel, lanes, dtype);
  UNROLL(4)
  for (int i = 0; i < 4; i++)
    gradient_places(t[i], y[i], f);
  UNROLL(9)
  for (int j = 0; j < places; j++) {
    vec d[4] = {t[0][j], t[1][j], t[2][j], t[3][j]}, o[MOST_PLACES];
    gradient_places(o, d, f);
    UNROLL(9)
    for (int i = 0; i < places; i++)
      store(ICL_F32, m, (int64_t)((size_t)(places * i + j) * stride), o[i]);
  }
}

/* Positions -> results, those within the image, of `lanes` channels */
INLINE void transform_result(const float *m, size_t stride, const patch *y, int64_t channel, int lanes, form f,
                             icl_dtype dtype) {
  int places = places_of(f), results = results_of(f);
  vec t[MOST_RESULTS][MOST_PLACES];
  UNROLL(9)
  for (int j = 0; j < places; j++) {
    vec d[MOST_PLACES], o[MOST_RESULTS];
    UNROLL(9)
    for (int i = 0; i < places; i++)
      d[i] = load(ICL_F32, m, (int64_t)((size_t)(places * i + j) * stride));
    place_results(o, d, f);
    UNROLL(8)
    for (int i = 0; i < results; i++)
      t[i][j] = o[i];
  }
  UNROLL(8)
  for (int i = 0; i < results; i++) {
    vec o[MOST_RESULTS];
    place_results(o, t[i], f);
    int32_t row = y->top + i;
    UNROLL(8)
    for (int j = 0; j < results; j++)
      if (row < y->h && y->left + j < y->w)
        store_part(dtype, y->data, ((int64_t)row * y->w + y->left + j) * y->pitch + channel, lanes, o[j]);
  }
}

/* ---- weights ---- */

INLINE void put(float *p, vec v, bool large) {
  if (large)
    stream(p, v);
  else
    store(ICL_F32, p, 0, v);
}

/* 3x3 -> 36 matrices, `stride` floats apart */
INLINE void transform_weights(const vec g[TAPS], float *u, size_t stride, form f, bool large) {
  vec t[3][6];
  for (int b = 0; b < 3; b++)
    tap_weights(t[b], g[b], g[3 + b], g[6 + b], f);
  for (int a = 0; a < 6; a++) {
    vec o[6];
    tap_weights(o, t[0][a], t[1][a], t[2][a], f);
    for (int b = 0; b < 6; b++)
      put(u + (size_t)(6 * a + b) * stride, o[b], large);
  }
}

/* 36 matrices of a gradient -> 3x3, added to the nine sums */
INLINE void transform_back(const float *u, size_t apart, vec sum[TAPS], form f) {
  vec t[6][3];
  for (int b = 0; b < 6; b++) {
    vec d[6];
    for (int a = 0; a < 6; a++)
      d[a] = load(ICL_F32, u + (size_t)(6 * a + b) * apart, 0);
    weight_taps(t[b], d, f);
  }
  for (int a = 0; a < 3; a++) {
    vec d[6] = {t[0][a], t[1][a], t[2][a], t[3][a], t[4][a], t[5][a]}, o[3];
    weight_taps(o, d, f);
    for (int b = 0; b < 3; b++)
      sum[3 * a + b] += o[b];
  }
}

#endif
