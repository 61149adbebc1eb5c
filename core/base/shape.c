/* shape.c - see shape.h. */
#include "base/shape.h"

#include <stdio.h>
#include <string.h>

int64_t icl__bounded_count(int rank, const int32_t *shape) {
  int64_t count = 1;
  for (int i = 0; i < rank; i++)
    if (shape[i] == 0)
      return 0;
  for (int i = 0; i < rank; i++)
    count = count > ICL__MAX_COUNT / shape[i] ? ICL__MAX_COUNT + 1 : count * shape[i];
  return count;
}

icl_status icl__check_dtype(const char *what, icl_dtype dtype) {
  if ((unsigned)dtype < ICL_DTYPE_COUNT)
    return ICL_OK;
  return icl__fail(ICL_EINVAL, "%s: there is no dtype of number %d", what, (int)dtype);
}

icl_status icl__check_shape(const char *what, icl_dtype dtype, int rank, const int32_t *shape) {
  char text[ICL__SHAPE_TEXT];
  if (rank < 0 || rank > ICL_MAX_RANK)
    return icl__fail(ICL_EINVAL, "%s: rank %d; there are 0 to %d axes", what, rank, ICL_MAX_RANK);
  for (int i = 0; i < rank; i++)
    if (shape[i] < 0)
      return icl__fail(ICL_ESHAPE, "%s: %s has a size below 0", what, icl__shape_text(text, dtype, rank, shape));
  if (icl__bounded_count(rank, shape) > ICL__MAX_COUNT)
    return icl__fail(ICL_ESHAPE, "%s: %s has more than 2^40 elements", what, icl__shape_text(text, dtype, rank, shape));
  return ICL_OK;
}

bool icl__equal_shapes(int rank, const int32_t *shape, int other_rank, const int32_t *other) {
  return rank == other_rank && memcmp(shape, other, (size_t)rank * sizeof *shape) == 0;
}

bool icl__broadcast(int *rank, int32_t *shape, int other_rank, const int32_t *other) {
  int32_t result[ICL_MAX_RANK];
  int most = *rank > other_rank ? *rank : other_rank;
  for (int i = 1; i <= most; i++) { /* from the last axis */
    int32_t a = i <= *rank ? shape[*rank - i] : 1, b = i <= other_rank ? other[other_rank - i] : 1;
    if (a != b && a != 1 && b != 1)
      return false;
    result[most - i] = a == 1 ? b : a;
  }
  memcpy(shape, result, (size_t)most * sizeof *shape);
  *rank = most;
  return true;
}

static void put_sizes(char text[ICL__SHAPE_TEXT], int used, int rank, const int32_t *shape) {
  used += snprintf(text + used, (size_t)(ICL__SHAPE_TEXT - used), "(");
  for (int i = 0; i < rank; i++)
    used += snprintf(text + used, (size_t)(ICL__SHAPE_TEXT - used), i ? ", %d" : "%d", (int)shape[i]);
  snprintf(text + used, (size_t)(ICL__SHAPE_TEXT - used), ")");
}

const char *icl__sizes_text(char text[ICL__SHAPE_TEXT], int rank, const int32_t *shape) {
  put_sizes(text, 0, rank, shape);
  return text;
}

const char *icl__shape_text(char text[ICL__SHAPE_TEXT], icl_dtype dtype, int rank, const int32_t *shape) {
  put_sizes(text, snprintf(text, ICL__SHAPE_TEXT, "%s ", icl_dtype_name(dtype)), rank, shape);
  return text;
}
