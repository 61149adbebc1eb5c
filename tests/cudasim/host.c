/* host.c - kernels that are no op: host code needs them around a graph. */
#include "kernel_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"

/* ---- transposes ---- */

static const int32_t matrices[][2] = {{27, 16}, {144, 16}, {9, 41}, {1, 1}, {64, 64}, {65, 130}, {8, 200}, {136, 72}};
enum { MATRICES = sizeof matrices / sizeof *matrices, TILES_MOST = 32 };

static const icl_dtype pairs[][2] = {{ICL_F32, ICL_BF16}, {ICL_F32, ICL_F16}, {ICL_F32, ICL_F32},
                                     {ICL_BF16, ICL_F32}, {ICL_F16, ICL_F32}, {ICL_BF16, ICL_BF16}};
enum { PAIRS = sizeof pairs / sizeof *pairs };

/* As plain loops make it from a copy of the matrix on the host. */
static bool is_transpose(const memory *from, const memory *to, icl__cuda_transpose m) {
  const void *x = download(from), *y = download(to);
  uint64_t expected = 0;
  size_t bytes = icl_dtype_bytes((icl_dtype)m.to_dtype);
  bool good = true;
  for (int64_t r = 0; r < m.rows; r++)
    for (int64_t c = 0; c < m.columns; c++) {
      const char *element = (const char *)y + (size_t)(c * m.rows + r) * bytes;
      icl__store_f64((icl_dtype)m.to_dtype, &expected, 0, icl__load_f64((icl_dtype)m.from_dtype, x, r * m.columns + c));
      good = good && !memcmp(&expected, element, bytes);
    }
  return good;
}

static void test_transposes(icl_dtype from_dtype, icl_dtype to_dtype, int way) {
  memory from[MATRICES], to[MATRICES];
  icl__cuda_transpose m[MATRICES];
  icl__cuda_transpose_tile tiles[TILES_MOST];
  int count = 0;
  for (int i = 0; i < MATRICES; i++) {
    int32_t rows = matrices[i][0], columns = matrices[i][1];
    from[i] = images((uint32_t)i, (int64_t)rows * columns, from_dtype);
    to[i] = memory_new((size_t)rows * (size_t)columns * icl_dtype_bytes(to_dtype));
    m[i] = (icl__cuda_transpose){from[i].device, to[i].device, rows, columns, (int32_t)from_dtype, (int32_t)to_dtype};
    for (int32_t tile = 0; tile < icl__cuda_transpose_tiles(rows, columns); tile++)
      tiles[count++] = (icl__cuda_transpose_tile){i, tile};
  }
  memory all = upload(m, sizeof m), all_tiles = upload(tiles, (size_t)count * sizeof *tiles);
  check(icl__cuda_transposes(all.device, all_tiles.device, count, stream));
  for (int i = 0; i < MATRICES; i++) {
    expect(is_transpose(&from[i], &to[i], m[i]), "a transpose", way);
    memory_free(from[i]);
    memory_free(to[i]);
  }
  memory_free(all);
  memory_free(all_tiles);
}

/* ---- leaves ---- */

/* What lies behind a piece stays as it was. */
static void test_bind(int number_count, int piece_count, int way) {
  static const int64_t lengths[] = {16, 1, 4096, 32, 17, 9001, 0, 8, 1000};
  enum { LENGTHS = sizeof lengths / sizeof *lengths, BEHIND = 16 };
  memory from[ICL__CUDA_BIND_PIECES], to[ICL__CUDA_BIND_PIECES], numbers_there;
  unsigned char zeros[9001 + BEHIND] = {0};
  double none[ICL__CUDA_BIND_NUMBERS] = {0};
  icl__cuda_bind b = {.number_count = number_count, .piece_count = piece_count};
  numbers_there = upload(none, sizeof none);
  b.numbers = numbers_there.device;
  for (int i = 0; i < number_count; i++)
    b.number[i] = 1.5 + i;
  for (int i = 0; i < piece_count; i++) {
    int64_t bytes = lengths[i % LENGTHS];
    from[i] = floats((uint32_t)i, (bytes + 3) / 4 + 1);
    to[i] = upload(zeros, (size_t)bytes + BEHIND);
    b.piece[i] = (icl__cuda_piece){from[i].device, to[i].device, bytes};
  }
  check(icl__cuda_bind_leaves(&b, stream));
  bool good = true;
  const double *number = download(&numbers_there);
  for (int i = 0; i < ICL__CUDA_BIND_NUMBERS; i++)
    good = good && number[i] == (i < number_count ? 1.5 + i : 0);
  expect(good, "numbers bound", way);
  for (int i = 0; i < piece_count; i++) {
    size_t bytes = (size_t)b.piece[i].bytes;
    const char *x = download(&from[i]), *y = download(&to[i]);
    expect(!memcmp(x, y, bytes) && !memcmp(y + bytes, zeros, BEHIND), "a leaf bound", way);
    memory_free(from[i]);
    memory_free(to[i]);
  }
  memory_free(numbers_there);
}

/* ---- NaN ---- */

static int32_t flag_of(icl_dtype dtype, int64_t count, int64_t place, double value, int32_t before) {
  size_t bytes = icl_dtype_bytes(dtype);
  void *data = calloc((size_t)count, bytes);
  icl__store_f64(dtype, data, place, value);
  memory x = upload(data, (size_t)count * bytes), flag = upload(&before, sizeof before);
  check(icl__cuda_find_nan(in(&x, dtype), count, flag.device, stream));
  int32_t found = *(const int32_t *)download(&flag);
  memory_free(x);
  memory_free(flag);
  free(data);
  return found;
}

static void test_nan(icl_dtype dtype, int way) {
  static const int64_t places[] = {0, 8191, 8192, 9000, 9002};
  enum { COUNT = 9003 };
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    expect(flag_of(dtype, COUNT, places[i], NAN, 0) == 1, "a NaN found", way);
  expect(flag_of(dtype, 3, 2, NAN, 0) == 1, "a NaN found among three", way);
  expect(flag_of(dtype, COUNT, 9001, INFINITY, 0) == 0, "infinity is no NaN", way);
  expect(flag_of(dtype, COUNT, 0, 1, 1) == 1, "a flag left as it is", way);
}

/* ---- indices, which the host has not looked at ---- */

static void test_index_outside(int way) {
  static const int64_t index[] = {-3, 1, 7};
  enum { ROWS = 3 };
  memory x = floats(1, ROWS), at = upload(index, sizeof index), y = floats(2, ROWS);
  check(icl__cuda_gather(x.device, at.device, ROWS, ROWS, sizeof(float), y.device, stream));
  expect(!memcmp(download(&x), download(&y), ROWS * sizeof(float)), "an index moved to the end of its axis", way);
  memory_free(x);
  memory_free(at);
  memory_free(y);
}

void test_host(void) {
  static const icl_dtype floating[] = {ICL_F32, ICL_BF16, ICL_F16, ICL_F64};
  for (int way = 0; set_order(way); way++) {
    for (int i = 0; i < (ONCE ? 1 : PAIRS); i++)
      test_transposes(pairs[i][0], pairs[i][1], way);
    test_index_outside(way);
    test_bind(0, 0, way);
    test_bind(3, 5, way);
    test_bind(ICL__CUDA_BIND_NUMBERS, ONCE ? 6 : ICL__CUDA_BIND_PIECES, way);
    for (int i = 0; i < (ONCE ? 1 : 4); i++)
      test_nan(floating[i], way);
  }
  set_order(0);
}
