/* fuzz_tar.c - whatever bytes are unpacked as an archive: an error, or exactly the files of the set. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "data/unpack.h"

enum { BLOCK = 512, CHECK_SUM = 148 };

static const icl__set set = {.name = "two", .files = {{"one.bin"}, {"two.bin"}}};

const char *const fuzz_words[] = {"one.bin", "two.bin", "a/one.bin", "../one.bin",   "/",        "00000000000",
                                  "0",       "5",       "ustar",     "77777777777 ", "00000001", NULL};

/* Writes the sum of a header's bytes into it, as it would be in a whole archive. */
static void correct(uint8_t *header) {
  unsigned sum = 0;
  char digits[8];
  memset(header + CHECK_SUM, ' ', sizeof digits);
  for (int i = 0; i < BLOCK; i++)
    sum += header[i];
  snprintf(digits, sizeof digits, "%06o", sum);
  memcpy(header + CHECK_SUM, digits, sizeof digits);
}

static size_t put_entry(uint8_t *data, const char *name, char type, const char *contents) {
  memset(data, 0, 2 * BLOCK);
  strcpy((char *)data, name);
  snprintf((char *)data + 124, 12, "%011o", (unsigned)strlen(contents));
  data[156] = (uint8_t)type;
  memcpy(data + 257, "ustar", 6);
  memcpy(data + BLOCK, contents, strlen(contents));
  correct(data);
  return contents[0] ? 2 * BLOCK : BLOCK;
}

static size_t compress_into(uint8_t out[FUZZ_MOST], uint8_t *data, size_t bytes) {
  z_stream z = {.next_in = data, .avail_in = (uInt)bytes, .next_out = out, .avail_out = FUZZ_MOST};
  FUZZ_REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  FUZZ_REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  deflateEnd(&z);
  return z.total_out;
}

/* Plain and compressed. */
size_t fuzz_seed(int index, uint8_t data[FUZZ_MOST]) {
  uint8_t archive[FUZZ_MOST];
  size_t bytes = put_entry(archive, "set/", '5', "");
  if (index > 1)
    return 0;
  bytes += put_entry(archive + bytes, "set/one.bin", '0', "first");
  bytes += put_entry(archive + bytes, "two.bin", 0, "second file");
  memset(archive + bytes, 0, BLOCK);
  bytes += BLOCK;
  if (index == 1)
    return compress_into(data, archive, bytes);
  memcpy(data, archive, bytes);
  return bytes;
}

/* How many files are in the folder, which is emptied. */
static int take_files(const char *folder) {
  int count = 0;
  DIR *entries = opendir(folder);
  FUZZ_REQUIRE(entries);
  for (const struct dirent *entry; (entry = readdir(entries));) {
    bool is_wanted = strcmp(entry->d_name, "one.bin") == 0 || strcmp(entry->d_name, "two.bin") == 0;
    FUZZ_REQUIRE(is_wanted || entry->d_name[0] == '.');
    count += is_wanted;
    if (is_wanted)
      FUZZ_REQUIRE(unlinkat(dirfd(entries), entry->d_name, 0) == 0);
  }
  closedir(entries);
  return count;
}

/* In memory, where files are on the disk at once. */
static char place[] = "/dev/shm/icl-fuzz-XXXXXX";
static void remove_place(void) { rmdir(place); }

static void unpack(int file, const uint8_t *data, size_t bytes) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  FUZZ_REQUIRE(ftruncate(file, 0) == 0 && pwrite(file, data, bytes, 0) == (ssize_t)bytes);
  icl_status status = icl__unpack(&set, path, place);
  FUZZ_REQUIRE(status == ICL_OK || status == ICL_EFORMAT);
  int files = take_files(place);
  FUZZ_REQUIRE(files == 2 || status != ICL_OK);
  FUZZ_REQUIRE(status == ICL_OK || strncmp(icl_message(), path, strlen(path)) == 0);
}

/* Few changed headers have the right sum, so each input is unpacked a second time with right ones. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static int file = -1;
  if (file < 0) {
    file = memfd_create("input", MFD_CLOEXEC);
    FUZZ_REQUIRE(mkdtemp(place));
    atexit(remove_place);
  }
  unpack(file, data, bytes);
  uint8_t *corrected = malloc(bytes ? bytes : 1);
  FUZZ_REQUIRE(corrected);
  memcpy(corrected, data, bytes);
  for (size_t at = 0; at + BLOCK <= bytes; at += BLOCK)
    if (memcmp(corrected + at + 257, "ustar", 5) == 0)
      correct(corrected + at);
  unpack(file, corrected, bytes);
  free(corrected);
  return 0;
}
