/* safetensors_checksum.c - the checksum of a file: where it is, and whether it holds. */
#include "io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "base/file.h"

static const char *skip_spaces(const char *at, const char *end) {
  while (at < end && strchr(" \t\r\n", *at) && *at)
    at++;
  return at;
}

/* Behind `word`, if that is here; else NULL. */
static const char *behind(const char *at, const char *end, const char *word) {
  size_t bytes = strlen(word);
  return (size_t)(end - at) >= bytes && memcmp(at, word, bytes) == 0 ? at + bytes : NULL;
}

/* The digits of the value, if `at` is the key. A quote inside of a string of JSON has a backslash before it, so that
 * nothing but a key looks like this. */
static const char *digits_of(const char *at, const char *end) {
  at = behind(at, end, "\"" ICL__SAFETENSORS_CHECKSUM "\"");
  if (at && (at = behind(skip_spaces(at, end), end, ":")))
    at = behind(skip_spaces(at, end), end, "\"" ICL__SAFETENSORS_CRC ":");
  if (!at || end - at <= ICL__SAFETENSORS_DIGITS || at[ICL__SAFETENSORS_DIGITS] != '"')
    return NULL;
  for (int i = 0; i < ICL__SAFETENSORS_DIGITS; i++)
    if (!at[i] || !strchr("0123456789abcdef", at[i]))
      return NULL;
  return at;
}

size_t icl__safetensors_digits(const unsigned char *start, size_t bytes) {
  const char *first = (const char *)start, *end = first + bytes, *at = first + ICL__SAFETENSORS_LENGTH, *digits;
  for (; at < end && (at = memchr(at, '"', (size_t)(end - at))); at++)
    if ((digits = digits_of(at, end)))
      return (size_t)(digits - first);
  return 0;
}

uint32_t icl__safetensors_sum(uint32_t sum, const void *data, size_t bytes) {
  return libdeflate_crc32(sum, data, bytes);
}

icl_status icl__safetensors_check(const char *path, const unsigned char *file, size_t bytes) {
  icl_safetensors *contents;
  ICL__TRY(icl__safetensors_parse(path, file, bytes, &contents));
  icl_safetensors_free(contents);
  uint64_t header;
  memcpy(&header, file, sizeof header);
  size_t at = icl__safetensors_digits(file, ICL__SAFETENSORS_LENGTH + (size_t)header);
  if (!at)
    return ICL_OK;
  char said[ICL__SAFETENSORS_DIGITS + 1] = "";
  memcpy(said, file + at, ICL__SAFETENSORS_DIGITS);
  size_t rest = at + ICL__SAFETENSORS_DIGITS;
  uint32_t sum = icl__safetensors_sum(0, file, at);
  sum = icl__safetensors_sum(sum, "00000000", ICL__SAFETENSORS_DIGITS);
  sum = icl__safetensors_sum(sum, file + rest, bytes - rest);
  if (sum == strtoul(said, NULL, 16))
    return ICL_OK;
  return icl__fail(ICL_EFORMAT, "%s is damaged: its checksum is " ICL__SAFETENSORS_CRC ":%08x, the file says %s:%s",
                   path, sum, ICL__SAFETENSORS_CRC, said);
}

icl_status icl_safetensors_verify(const char *path) {
  icl__map map;
  char expanded[ICL__PATH];
  ICL__TRY(icl__path_expand(&path, expanded));
  ICL__TRY(icl__map_open(path, &map));
  icl_status status = icl__safetensors_check(path, map.data, map.bytes);
  icl__map_close(&map);
  return status;
}
