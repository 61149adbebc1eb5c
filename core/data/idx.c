/* idx.c - reads IDX files. */
#include "data/idx.h"

enum { TYPE_U8 = 8 };

static icl_status check_magic(const char *path, const unsigned char magic[4], int axes) {
  if (magic[0] != 0 || magic[1] != 0)
    return icl__fail(ICL_EFORMAT, "%s: not an IDX file: it begins with the bytes %02x %02x %02x %02x", path, magic[0],
                     magic[1], magic[2], magic[3]);
  if (magic[2] != TYPE_U8)
    return icl__fail(ICL_EFORMAT, "%s: the IDX type in byte 2 is 0x%02x; images and labels are bytes, 0x%02x", path,
                     magic[2], TYPE_U8);
  if (magic[3] != axes)
    return icl__fail(ICL_EFORMAT, "%s: byte 3 says %d axes; images have 3, labels 1, and here %d should be", path,
                     magic[3], axes);
  return ICL_OK;
}

static icl_status read_shape(icl__idx *idx, int axes, size_t *bytes) {
  *bytes = 1;
  for (int i = 0; i < axes; i++) {
    unsigned char b[4];
    ICL__TRY(icl__source_read(&idx->source, b, sizeof b));
    uint32_t size = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    if (size > INT32_MAX || __builtin_mul_overflow(*bytes, (size_t)size, bytes))
      return icl__fail(ICL_EFORMAT, "%s: the size in bytes %d to %d, %u, is too large", idx->source.path, 4 + 4 * i,
                       7 + 4 * i, size);
    idx->shape[i] = (int32_t)size;
  }
  return ICL_OK;
}

static icl_status read_file(icl__idx *idx, int axes) {
  unsigned char magic[4];
  size_t bytes;
  ICL__TRY(icl__source_read(&idx->source, magic, sizeof magic));
  ICL__TRY(check_magic(idx->source.path, magic, axes));
  ICL__TRY(read_shape(idx, axes, &bytes));
  ICL__TRY(icl__source_block(&idx->source, bytes, &idx->data));
  return icl__source_end(&idx->source);
}

icl_status icl__idx_open(const char *path, int axes, icl__idx *result) {
  *result = (icl__idx){0};
  ICL__TRY(icl__source_open(path, &result->source));
  icl_status status = read_file(result, axes);
  if (status != ICL_OK)
    icl__idx_close(result);
  return status;
}

void icl__idx_close(icl__idx *idx) { icl__source_close(&idx->source); }
