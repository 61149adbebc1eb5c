/* file.h - whole files in memory, and files that appear complete or not at all.
 *
 * Every error names the path, what was tried, and what the system said. */
#ifndef ICL_BASE_FILE_H
#define ICL_BASE_FILE_H

#include "base/status.h"

/* The status of an errno value: ENOENT, EEXIST, ENOMEM, else EIO. */
icl_status icl__status_of_errno(int error);

/* Fails with the reason in errno: "PATH: cannot open it: No such file or directory". */
icl_status icl__file_fail(const char *path, const char *tried);

enum { ICL__PATH = 4096 };
icl_status icl__path_too_long(const char *path); /* fails */

/* Lets *path begin with the home folder of the user if it is ~ or begins with ~/, as a shell does where it sees it; the
 * text is then in `expanded`. Every function of icl.h that takes a path begins with this. A folder that is really
 * called ~ is ./~, and ~name is not looked up. */
icl_status icl__path_expand(const char **path, char expanded[ICL__PATH]);

/* Opens a regular file to read it. Nothing else is: a pipe or a device could keep its reader waiting for ever. */
icl_status icl__file_open(const char *path, int *fd, size_t *bytes);

/* Reads a regular file of up to `most` bytes. *data gets a 0 after the last byte; the caller frees it with
 * icl__free(). EFORMAT: it is larger. */
icl_status icl__file_read_all(const char *path, size_t most, char **data, size_t *bytes);

/* A regular file in read-only memory. It must not be cut while it is open; files written by icl__writer never are. */
typedef struct {
  const unsigned char *data;
  size_t bytes;
} icl__map;

icl_status icl__map_open(const char *path, icl__map *result);
void icl__map_close(icl__map *map); /* a map of zeros is allowed */

/* ---- writer.c ---- */

/* Writes a new file beside `path`, or beside the file that a symbolic link at `path` leads to. Commit makes it durable
 * and puts it in the place of the old one in one step, which other programs see either before or after, never between.
 * Until then the old file is as it was.
 *
 * The new file is called NAME.icl-HOST-PID-COUNTER.tmp and locked as long as its writer lives. Opening a writer removes
 * files of such names in that folder which belong to this user and host and which nobody has locked: their writers were
 * killed. */
typedef struct icl__writer icl__writer;

icl_status icl__writer_open(const char *path, icl__writer **result);
icl_status icl__writer_write(icl__writer *writer, const void *data, size_t bytes);
/* Writes over what was written from byte `at` on. */
icl_status icl__writer_correct(icl__writer *writer, size_t at, const void *data, size_t bytes);
icl_status icl__writer_commit(icl__writer *writer); /* frees the writer, whatever it returns */
/* The same, with what places.c does: in one step each, so that there is a whole file at the path at every moment (under
 * `keep` where the file system has no links), and in the order of the members. */
typedef struct {
  const char *keep;         /* NULL, or the name that the old file gets, if there is one */
  int link_count;           /* names that the new file gets beside its own; */
  const char *const *links; /* copies of it where the file system has no links */
} icl__places;
icl_status icl__writer_commit_to(icl__writer *writer, const icl__places *places);
void icl__writer_cancel(icl__writer *writer); /* removes the new file, frees the writer; NULL is allowed */

/* Bytes of a path up to its last slash, that included. */
size_t icl__folder_bytes(const char *path);
/* A name for a new file that shall replace this one, to be freed with icl__free(); NULL without memory. One that a
 * killed process leaves is removed as said above. */
char *icl__temporary_name(const char *target);
/* Removes those in the folder of this path. False, and errno: the folder cannot be read. */
bool icl__remove_left_files(const char *path);

/* All of the above for contents that are at hand. */
icl_status icl__file_write(const char *path, const void *data, size_t bytes);
/* ---- places.c ---- */

/* Gives the file, if there is one, a second name; what had that name is replaced. Without links the file is renamed. */
icl_status icl__file_keep(const char *path, const char *keep);
/* Makes `link` a second name of the file, in place of what is there; without links a copy. */
icl_status icl__file_link(const char *path, const char *link);
/* Makes the names in the folder of this path durable. */
icl_status icl__folder_sync(const char *path);

#endif
