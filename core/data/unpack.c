/* unpack.c - reads tar archives: a header of 512 bytes for each entry, and its contents, filled up to 512. */
#include "data/unpack.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/source.h"

enum { BLOCK = 512, CHUNK = 1 << 16, MOST_FILES = 2 * ICL__SET_FILES + 1 };

/* Where the fields of a header lie (POSIX, ustar). */
enum { SIZE = 124, SIZE_DIGITS = 12, CHECK_SUM = 148, CHECK_DIGITS = 8, TYPE = 156 };

typedef struct {
  icl__source source;
  const char *folder;
  const char *wanted[MOST_FILES]; /* names; NULL where one was written */
  int count;
} unpacker;

/* An octal number; false if it is none. */
static bool read_octal(const unsigned char *digits, int most, uint64_t *number) {
  int i = 0;
  *number = 0;
  while (i < most && digits[i] == ' ')
    i++;
  int first = i;
  for (; i < most && digits[i] >= '0' && digits[i] <= '7'; i++)
    *number = *number * 8 + (uint64_t)(digits[i] - '0');
  return i > first && (i == most || digits[i] == 0 || digits[i] == ' ');
}

/* The sum of its bytes, those of the sum itself counted as spaces, is in the header. */
static icl_status check_header(const unpacker *u, const unsigned char *header, uint64_t *bytes) {
  uint64_t sum = 0, expected;
  for (int i = 0; i < BLOCK; i++)
    sum += i >= CHECK_SUM && i < CHECK_SUM + CHECK_DIGITS ? ' ' : header[i];
  if (!read_octal(header + CHECK_SUM, CHECK_DIGITS, &expected) || sum != expected ||
      !read_octal(header + SIZE, SIZE_DIGITS, bytes))
    return icl__fail(ICL_EFORMAT, "%s: byte %zu of its contents should begin an entry of a tar archive", u->source.path,
                     u->source.position - BLOCK);
  return ICL_OK;
}

static bool is_end(const unsigned char *header) {
  for (int i = 0; i < BLOCK; i++)
    if (header[i])
      return false;
  return true;
}

/* The place in `wanted` of the file that an entry holds; -1: it is another thing. */
static int find_wanted(const unpacker *u, const unsigned char *header) {
  char name[101] = "";
  memcpy(name, header, 100);
  const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
  bool is_file = header[TYPE] == '0' || header[TYPE] == 0;
  for (int i = 0; is_file && i < u->count; i++)
    if (u->wanted[i] && strcmp(u->wanted[i], base) == 0)
      return i;
  return -1;
}

/* The contents of an entry go to the writer, or nowhere if that is NULL. */
static icl_status copy(unpacker *u, uint64_t bytes, icl__writer *writer) {
  unsigned char chunk[CHUNK];
  for (uint64_t left = (bytes + BLOCK - 1) / BLOCK * BLOCK, data = bytes; left > 0;) {
    size_t count = left < CHUNK ? (size_t)left : CHUNK;
    size_t written = data < count ? (size_t)data : count;
    ICL__TRY(icl__source_read(&u->source, chunk, count));
    if (writer && written)
      ICL__TRY(icl__writer_write(writer, chunk, written));
    left -= count;
    data -= written;
  }
  return ICL_OK;
}

static icl_status write_file(unpacker *u, const char *name, uint64_t bytes) {
  char path[ICL__PATH];
  icl__writer *writer;
  if (snprintf(path, sizeof path, "%s/%s", u->folder, name) >= ICL__PATH)
    return icl__fail(ICL_ENOTSUP, "%.64s...: a path of %d bytes or more", path, ICL__PATH);
  ICL__TRY(icl__writer_open(path, &writer));
  icl_status status = copy(u, bytes, writer);
  if (status == ICL_OK)
    return icl__writer_commit(writer);
  icl__writer_cancel(writer);
  return status;
}

static icl_status unpack(unpacker *u) {
  unsigned char header[BLOCK];
  for (int left = u->count; left > 0;) {
    uint64_t bytes = 0;
    ICL__TRY(icl__source_read(&u->source, header, BLOCK));
    if (is_end(header))
      break;
    ICL__TRY(check_header(u, header, &bytes));
    int i = find_wanted(u, header);
    ICL__TRY(i < 0 ? copy(u, bytes, NULL) : write_file(u, u->wanted[i], bytes));
    if (i >= 0) {
      u->wanted[i] = NULL;
      left--;
    }
  }
  for (int i = 0; i < u->count; i++)
    if (u->wanted[i])
      return icl__fail(ICL_EFORMAT, "%s: there is no file %s in this archive", u->source.path, u->wanted[i]);
  return ICL_OK;
}

icl_status icl__unpack(const icl__set *set, const char *archive, const char *folder) {
  unpacker u = {.folder = folder};
  for (int part = 0; part < 2; part++)
    for (int i = 0; i < ICL__SET_FILES && set->files[part][i]; i++)
      u.wanted[u.count++] = set->files[part][i];
  if (set->names_file)
    u.wanted[u.count++] = set->names_file;
  ICL__TRY(icl__source_open(archive, &u.source));
  icl_status status = unpack(&u);
  icl__source_close(&u.source);
  return status;
}
