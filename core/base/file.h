/* file.h - whole files in memory, and files that appear complete or not at all.
 *
 * Every error names the path, what was tried, and what the system said. */
#ifndef ICL_BASE_FILE_H
#define ICL_BASE_FILE_H

#include "base/status.h"

/* The status of an errno value: ENOENT, EEXIST, ENOMEM, else EIO. */
icl_status icl__status_of_errno(int error);

/* Reads a file or a pipe to its end. *data gets a 0 after the last byte; the caller frees it with icl__free(). */
icl_status icl__file_read_all(const char *path, char **data, size_t *bytes);

/* A regular file in read-only memory. It must not be cut while it is open; files written by icl__writer never are. */
typedef struct {
  const unsigned char *data;
  size_t bytes;
} icl__map;

icl_status icl__map_open(const char *path, icl__map *result);
void icl__map_close(icl__map *map); /* a map of zeros is allowed */

/* Writes a new file beside `path`. Commit makes it durable and puts it in the place of the old one in one step, which
 * other programs see either before or after, never between. Until then the old file is as it was. */
typedef struct icl__writer icl__writer;

icl_status icl__writer_open(const char *path, icl__writer **result);
icl_status icl__writer_write(icl__writer *writer, const void *data, size_t bytes);
icl_status icl__writer_commit(icl__writer *writer); /* frees the writer, whatever it returns */
void icl__writer_cancel(icl__writer *writer);       /* removes the new file, frees the writer; NULL is allowed */

/* All of the above for contents that are at hand. */
icl_status icl__file_write(const char *path, const void *data, size_t bytes);

#endif
