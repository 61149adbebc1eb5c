/* axes.c - how axes are joined, of arrays larger than a test can hold. */
#include "kernel_test.h"

#include "backend/cuda/ops.h"

/* Are these the axes of a dense array of so many elements? */
static bool is_dense(int rank, const int32_t *size, const int64_t *stride, int64_t count) {
  int64_t next = 1;
  bool good = true;
  for (int d = rank - 1; d >= 0; d--) {
    good = good && size[d] > 0 && stride[d] == next;
    next *= size[d];
  }
  return good && next == count;
}

static void test_dense(int rank, const int32_t *shape, int expected_rank) {
  icl__view v = {.rank = rank};
  int32_t size[ICL_MAX_RANK];
  int64_t stride[1][ICL_MAX_RANK];
  for (int d = 0; d < rank; d++)
    size[d] = v.shape[d] = shape[d];
  icl__cuda_strides(&v, rank, size, stride[0]);
  icl__cuda_merge(&rank, size, 1, stride);
  expect(rank == expected_rank && is_dense(rank, size, stride[0], icl__view_count(&v)), "axes joined", 0);
}

/* A window that begins at `low` of an array of `extent`, along the first of two axes. */
static void test_move(int32_t size, int32_t low, int32_t extent, int32_t inner, int expected_rank) {
  icl__cuda_move m = {.rank = 2, .axis = -1, .size = {size, inner}, .low = {low}, .extent = {extent, inner}};
  m.from_stride[0] = m.to_stride[0] = inner;
  m.from_stride[1] = m.to_stride[1] = 1;
  icl__cuda_merge_move(&m);
  int64_t scale = expected_rank == 1 ? inner : 1;
  expect(m.rank == expected_rank && m.size[0] == size * scale && m.low[0] == low * scale &&
             m.extent[0] == extent * scale,
         "axes of a move joined", 0);
}

void test_axes(void) {
  test_dense(3, (const int32_t[]){4, 5, 6}, 1);
  test_dense(2, (const int32_t[]){65536, 32767}, 1);
  test_dense(2, (const int32_t[]){65536, 32768}, 2);
  test_dense(3, (const int32_t[]){65537, 32769, 3}, 2);
  test_dense(4, (const int32_t[]){3, 65537, 65537, 2}, 2);
  test_dense(2, (const int32_t[]){INT32_MAX, INT32_MAX}, 2);
  test_move(2, -3, 10, 7, 1);
  test_move(65537, 0, 65537, 32769, 2);
  test_move(1, -65536, 65537, 32767, 1);
  test_move(1, -65536, 65537, 32768, 2);
  test_move(1, 0, 65537, 32769, 2);
  test_move(70000, 65537, 1, 32769, 2);
}
