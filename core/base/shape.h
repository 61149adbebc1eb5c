/* shape.h - counting, comparing, joining and printing of shapes. */
#ifndef ICL_BASE_SHAPE_H
#define ICL_BASE_SHAPE_H

#include "base/status.h"

/* Elements of a shape whose product is known to be small enough: that of anything that exists. */
static inline int64_t icl__count(int rank, const int32_t *shape) {
  int64_t count = 1;
  for (int i = 0; i < rank; i++)
    count *= shape[i];
  return count;
}

/* Elements of a shape of sizes from 0 on; one more than the most for any that are too many. */
#define ICL__MAX_COUNT (INT64_C(1) << 40)
int64_t icl__bounded_count(int rank, const int32_t *shape);

/* EINVAL, ESHAPE: not a dtype of the table; not the shape of a tensor. `what` begins the message: "state w", "read". */
icl_status icl__check_dtype(const char *what, icl_dtype dtype);
icl_status icl__check_shape(const char *what, icl_dtype dtype, int rank, const int32_t *shape);

bool icl__equal_shapes(int rank, const int32_t *shape, int other_rank, const int32_t *other);

/* Widens a shape to what it and another broadcast to, as in NumPy; false if they do not fit. */
bool icl__broadcast(int *rank, int32_t *shape, int other_rank, const int32_t *other);

/* "(128, 32, 32, 3)", or "f32 (128, 32, 32, 3)", into `text`; returns it. For messages. */
enum { ICL__SHAPE_TEXT = 96 };
const char *icl__sizes_text(char text[ICL__SHAPE_TEXT], int rank, const int32_t *shape);
const char *icl__shape_text(char text[ICL__SHAPE_TEXT], icl_dtype dtype, int rank, const int32_t *shape);

#endif
