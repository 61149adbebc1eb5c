/* winograd_axis.h - minimal filtering along one axis: F(4, 3) for stride 1, F(4, 2) for stride 2, with the matrices B,
 * G and A of Lavin and Gray 2016, section 4.1.
 *
 * With stride 2 a result is the sum of two convolutions of stride 1: every second pixel meets the middle tap, by
 * itself, and the others meet the two outer taps. The latter is F(4, 2); the former's four products have places of
 * their own behind its five: in two dimensions 81 products replace 144. An input gradient makes both kinds of pixels
 * from the same gradients.
 *
 * F(4, 3) has the points 0, NEAR, -NEAR, FAR, -FAR and infinity. 1 and 2 would leave factors of 64 in the last row and
 * column of a tile, where rounding then is three times as large as elsewhere. These two are as far below 1 as above it:
 * half the error in the 2-norm, a quarter at its worst (Barabasz et al. 2020 choose points in the same way). F(4, 2)
 * has INNER, -INNER, OUTER, -OUTER and infinity: half the error of 0, 1, -1, 2 and infinity. All their powers are
 * exact. */
#ifndef ICL_BACKEND_CPU_KERNELS_WINOGRAD_AXIS_H
#define ICL_BACKEND_CPU_KERNELS_WINOGRAD_AXIS_H

#include "backend/cpu/kernels/vector.h"

/* How pixels lie to results: one to one; every second one to a result; or two results to each of them, the input
 * gradient of that. */
typedef enum { SAME, HALVED, DOUBLED } form;

enum { MOST_PIXELS = 9, MOST_PLACES = 9, MOST_RESULTS = 8, TAPS_OF_AXIS = 3, WEIGHTS_OF_AXIS = 6 };

/* Along an axis of a tile: what it reads, the products that it is turned into, what it makes. */
static inline int pixels_of(form f) { return f == SAME ? 6 : f == HALVED ? 9 : 5; }
static inline int places_of(form f) { return f == SAME ? 6 : 9; }
static inline int results_of(form f) { return f == DOUBLED ? 8 : 4; }
/* The places of the middle tap have the same weight, the last one. */
static inline int weight_at(int place) { return place < WEIGHTS_OF_AXIS ? place : WEIGHTS_OF_AXIS - 1; }

/* ---- F(4, 3) ---- */

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

/* ---- F(4, 2) ---- */

#define INNER   0.375f
#define OUTER   1.25f
#define INNER_2 (INNER * INNER)
#define OUTER_2 (OUTER * OUTER)

/* The products of a point's distances to the other ones. The rows of -INNER and -OUTER have changed their signs. */
#define AT_INNER (2 * INNER * (INNER_2 - OUTER_2))
#define AT_OUTER (2 * OUTER * (OUTER_2 - INNER_2))

INLINE void input_5(vec o[5], vec d0, vec d1, vec d2, vec d3, vec d4) {
  vec a = d3 - OUTER_2 * d1, b = d2 - OUTER_2 * d0, c = d3 - INNER_2 * d1, e = d2 - INNER_2 * d0;
  o[0] = INNER * b + a;
  o[1] = INNER * b - a;
  o[2] = OUTER * e + c;
  o[3] = OUTER * e - c;
  o[4] = INNER_2 * OUTER_2 * d0 + (d4 - (INNER_2 + OUTER_2) * d2);
}

INLINE void result_of_5(vec o[4], const vec m[5]) {
  vec s = m[0] + m[1], d = m[0] - m[1], s2 = m[2] + m[3], d2 = m[2] - m[3];
  o[0] = s + s2;
  o[1] = INNER * d + OUTER * d2;
  o[2] = INNER_2 * s + OUTER_2 * s2;
  o[3] = INNER * INNER_2 * d + (OUTER * OUTER_2 * d2 + m[4]);
}

INLINE void gradient_5(vec o[5], const vec y[4]) {
  vec p = y[0] + INNER_2 * y[2], q = y[1] + INNER_2 * y[3], r = y[0] + OUTER_2 * y[2], s = y[1] + OUTER_2 * y[3];
  o[0] = p + INNER * q;
  o[1] = p - INNER * q;
  o[2] = r + OUTER * s;
  o[3] = r - OUTER * s;
  o[4] = y[3];
}

INLINE void weight_5(vec o[5], vec g0, vec g1) {
  o[0] = (g0 + INNER * g1) * (1 / AT_INNER);
  o[1] = (g0 - INNER * g1) * (1 / AT_INNER);
  o[2] = (g0 + OUTER * g1) * (1 / AT_OUTER);
  o[3] = (g0 - OUTER * g1) * (1 / AT_OUTER);
  o[4] = g1;
}

INLINE void weight_2(vec *g0, vec *g1, const vec u[5]) {
  *g0 = (u[0] + u[1]) * (1 / AT_INNER) + (u[2] + u[3]) * (1 / AT_OUTER);
  *g1 = (u[0] - u[1]) * (INNER / AT_INNER) + ((u[2] - u[3]) * (OUTER / AT_OUTER) + u[4]);
}

/* ---- each form: pixels, or gradients of results, to places; places to results; taps to weights, and back ---- */

INLINE void input_places(vec o[MOST_PLACES], const vec d[MOST_PIXELS], form f) {
  if (f == SAME) {
    input_6(o, d);
    return;
  }
  int step = f == HALVED ? 2 : 1, middle = f == HALVED ? 1 : 0;
  input_5(o, d[0], d[step], d[2 * step], d[3 * step], d[4 * step]);
  UNROLL(4)
  for (int i = 0; i < 4; i++)
    o[5 + i] = d[middle + i * step];
}

INLINE void place_results(vec o[MOST_RESULTS], const vec m[MOST_PLACES], form f) {
  if (f == SAME) {
    result_4(o, m);
    return;
  }
  vec outer[4];
  result_of_5(outer, m);
  UNROLL(4)
  for (int i = 0; i < 4; i++)
    if (f == HALVED) {
      o[i] = outer[i] + m[5 + i];
    } else {
      o[2 * i] = m[5 + i];
      o[2 * i + 1] = outer[i];
    }
}

INLINE void gradient_places(vec o[MOST_PLACES], const vec y[4], form f) {
  if (f == SAME) {
    gradient_6(o, y);
    return;
  }
  gradient_5(o, y);
  UNROLL(4)
  for (int i = 0; i < 4; i++)
    o[5 + i] = y[i];
}

INLINE void tap_weights(vec o[WEIGHTS_OF_AXIS], vec g0, vec g1, vec g2, form f) {
  if (f == SAME) {
    weight_6(o, g0, g1, g2);
    return;
  }
  weight_5(o, g0, g2);
  o[5] = g1;
}

INLINE void weight_taps(vec o[TAPS_OF_AXIS], const vec u[WEIGHTS_OF_AXIS], form f) {
  if (f == SAME) {
    weight_3(o, u);
    return;
  }
  weight_2(&o[0], &o[2], u);
  o[1] = u[5];
}

#endif
