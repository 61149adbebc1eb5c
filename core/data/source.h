/* source.h - the bytes of a file from the first to the last; of a file that gzip compressed, the bytes it was made
 * from. Which of the two it is shows in its first bytes, not in its name. */
#ifndef ICL_DATA_SOURCE_H
#define ICL_DATA_SOURCE_H

#include <zlib.h>

#include "base/file.h"

typedef struct {
  const char *path; /* the caller's; for messages */
  icl__map map;
  size_t position; /* in the contents */
  bool compressed, ended;
  z_stream stream;
  unsigned char *block; /* what icl__source_block() returned, if it is not in the map */
} icl__source;

icl_status icl__source_open(const char *path, icl__source *result);
void icl__source_close(icl__source *source); /* a source of zeros is allowed */

/* The next `bytes` bytes; EFORMAT if the contents end before. */
icl_status icl__source_read(icl__source *source, void *data, size_t bytes);
/* The same, but where they lie until the source is closed: in the file itself if it is not compressed. Once a source.
 */
icl_status icl__source_block(icl__source *source, size_t bytes, const unsigned char **data);
/* EFORMAT unless everything was read; now it is certain that a compressed file is intact. */
icl_status icl__source_end(icl__source *source);

#endif
