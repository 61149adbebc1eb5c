/* fuzz_idx.c - whatever bytes are read as an IDX file, compressed or not: an error, or as many bytes as it promises. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "data/idx.h"

static const char labels[] = "\0\0\10\1\0\0\0\5\0\1\2\3\4";
static const char images[] = "\0\0\10\3\0\0\0\2\0\0\0\3\0\0\0\2abcdefghijkl";

const char *const fuzz_words[] = {"\10\1",  "\10\3", "\x1f\x8b\10", "\x7f\xff\xff\xff", "\xff\xff\xff\xff",
                                  "\1\0\0", NULL};

static size_t compress_into(uint8_t data[FUZZ_MOST], const char *from, size_t bytes) {
  z_stream z = {.next_in = (Bytef *)(uintptr_t)from, .avail_in = (uInt)bytes, .next_out = data, .avail_out = FUZZ_MOST};
  FUZZ_REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  FUZZ_REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  deflateEnd(&z);
  return z.total_out;
}

/* Labels and images, plain and compressed. */
size_t fuzz_seed(int index, uint8_t data[FUZZ_MOST]) {
  const char *from = index % 2 ? images : labels;
  size_t bytes = index % 2 ? sizeof images - 1 : sizeof labels - 1;
  if (index >= 4)
    return 0;
  if (index >= 2)
    return compress_into(data, from, bytes);
  memcpy(data, from, bytes);
  return bytes;
}

static void read_one(const char *path, int axes) {
  icl__idx idx;
  icl_status status = icl__idx_open(path, axes, &idx);
  FUZZ_REQUIRE(status == ICL_OK || status == ICL_EFORMAT);
  if (status != ICL_OK) {
    FUZZ_REQUIRE(strncmp(icl_message(), path, strlen(path)) == 0);
    return;
  }
  size_t bytes = 1;
  for (int i = 0; i < axes; i++)
    bytes *= (size_t)idx.shape[i];
  unsigned char *copy = malloc(bytes ? bytes : 1);
  FUZZ_REQUIRE(copy);
  memcpy(copy, idx.data, bytes);
  free(copy);
  icl__idx_close(&idx);
}

/* The file lies in memory and is called by its descriptor. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static char path[64];
  static int file = -1;
  if (file < 0) {
    file = memfd_create("input", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  }
  FUZZ_REQUIRE(ftruncate(file, 0) == 0 && pwrite(file, data, bytes, 0) == (ssize_t)bytes);
  read_one(path, 1);
  read_one(path, 3);
  return 0;
}
