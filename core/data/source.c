/* source.c - plain and compressed files as one thing. */
#include "data/source.h"

#include <string.h>

#include "base/memory.h"

/* zlib counts in unsigned int; and no byte of deflate stands for more than this many. */
enum { MOST_AT_ONCE = 1 << 30, MOST_EXPANSION = 1032 };

static const unsigned char gzip_magic[2] = {0x1f, 0x8b};

static bool starts_with_gzip(const unsigned char *data, size_t bytes) {
  return bytes >= sizeof gzip_magic && memcmp(data, gzip_magic, sizeof gzip_magic) == 0;
}

icl_status icl__source_open(const char *path, icl__source *s) {
  *s = (icl__source){.path = path};
  ICL__TRY(icl__map_open(path, &s->map));
  if (!starts_with_gzip(s->map.data, s->map.bytes))
    return ICL_OK;
  if (inflateInit2(&s->stream, MAX_WBITS + 16) != Z_OK) { /* + 16: with gzip's header and check sum */
    icl__map_close(&s->map);
    return icl__fail(ICL_ENOMEM, "%s: out of memory to decompress it", path);
  }
  s->compressed = true;
  s->stream.next_in = (z_const Bytef *)(uintptr_t)s->map.data;
  return ICL_OK;
}

void icl__source_close(icl__source *s) {
  if (s->compressed)
    inflateEnd(&s->stream);
  icl__free(s->block);
  icl__map_close(&s->map);
  *s = (icl__source){0};
}

/* Bytes of the compressed file that were not looked at. */
static size_t left(const icl__source *s) { return (size_t)(s->map.data + s->map.bytes - s->stream.next_in); }

/* What follows the end of compressed data is more of the same, or the end of the file, maybe with zeros before it:
 * tapes and some programs fill a file up with them, and gzip passes over them as well. */
static icl_status next_member(icl__source *s) {
  if (starts_with_gzip(s->stream.next_in, left(s))) {
    inflateReset(&s->stream);
    return ICL_OK;
  }
  s->ended = true;
  size_t zeros = 0;
  while (zeros < left(s) && s->stream.next_in[zeros] == 0)
    zeros++;
  if (zeros == left(s))
    return ICL_OK;
  return icl__fail(ICL_EFORMAT, "%s: the compressed file ends at byte %zu, but %zu bytes follow", s->path,
                   s->map.bytes - left(s), left(s));
}

/* Decompresses up to `bytes` bytes; fewer only at the end. */
static icl_status decompress(icl__source *s, unsigned char *data, size_t bytes, size_t *got) {
  z_stream *z = &s->stream;
  for (*got = 0; *got < bytes && !s->ended;) {
    size_t room = bytes - *got;
    z->avail_in = (uInt)(left(s) < MOST_AT_ONCE ? left(s) : MOST_AT_ONCE);
    z->avail_out = (uInt)(room < MOST_AT_ONCE ? room : MOST_AT_ONCE);
    z->next_out = data + *got;
    int code = inflate(z, Z_NO_FLUSH);
    *got = (size_t)(z->next_out - data);
    if (code == Z_STREAM_END)
      ICL__TRY(next_member(s));
    else if (code == Z_MEM_ERROR)
      return icl__fail(ICL_ENOMEM, "%s: out of memory to decompress it", s->path);
    else if (code == Z_BUF_ERROR)
      return icl__fail(ICL_EFORMAT, "%s: the compressed file is cut at byte %zu", s->path, s->map.bytes);
    else if (code != Z_OK)
      return icl__fail(ICL_EFORMAT, "%s: the compressed file is damaged at byte %zu: %s", s->path,
                       s->map.bytes - left(s), z->msg ? z->msg : "it needs a dictionary");
  }
  return ICL_OK;
}

static icl_status too_short(const icl__source *s, size_t there, size_t bytes) {
  return icl__fail(ICL_EFORMAT, "%s: it is cut: its contents%s end at byte %zu; %zu bytes should follow", s->path,
                   s->compressed ? ", decompressed," : "", s->position + there, bytes - there);
}

/* Bytes of a plain file that were not read. */
static size_t rest(const icl__source *s) { return s->map.bytes - s->position; }

icl_status icl__source_read(icl__source *s, void *data, size_t bytes) {
  size_t got = bytes;
  if (s->compressed)
    ICL__TRY(decompress(s, data, bytes, &got));
  else if (rest(s) < bytes)
    got = rest(s);
  else
    memcpy(data, s->map.data + s->position, bytes);
  if (got < bytes)
    return too_short(s, got, bytes);
  s->position += bytes;
  return ICL_OK;
}

icl_status icl__source_block(icl__source *s, size_t bytes, const unsigned char **data) {
  if (!s->compressed) {
    if (rest(s) < bytes)
      return too_short(s, rest(s), bytes);
    *data = s->map.data + s->position;
    s->position += bytes;
    return ICL_OK;
  }
  if (bytes / MOST_EXPANSION > s->map.bytes)
    return icl__fail(ICL_EFORMAT, "%s: it is cut: %zu compressed bytes cannot hold %zu", s->path, s->map.bytes, bytes);
  s->block = icl__alloc(bytes, 1);
  if (!s->block)
    return icl__wrap(ICL_ENOMEM, "%s", s->path);
  *data = s->block;
  return icl__source_read(s, s->block, bytes);
}

icl_status icl__source_end(icl__source *s) {
  size_t more = 0;
  unsigned char byte;
  if (s->compressed)
    ICL__TRY(decompress(s, &byte, 1, &more));
  else
    more = rest(s);
  if (more == 0)
    return ICL_OK;
  return icl__fail(ICL_EFORMAT, "%s: its contents%s should end at byte %zu, but bytes follow", s->path,
                   s->compressed ? ", decompressed," : "", s->position);
}
