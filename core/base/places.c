/* places.c - further names of a file that was written. Each appears in one step, by way of a name that writers remove
 * when a process was killed in the middle. */
#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- links ---- */

/* A link under a name that nobody else has. */
static icl_status make_link(const char *path, const char *beside, char **name, int *error) {
  do {
    *name = icl__temporary_name(beside);
    if (!*name)
      return ICL_ENOMEM;
    *error = link(path, *name) == 0 ? 0 : errno;
    if (*error)
      icl__free(*name);
  } while (*error == EEXIST);
  return ICL_OK;
}

/* Lets `name` be the file as well. *error tells why not, 0: it does. The file system may have no links, or no more of
 * them. */
static icl_status try_link(const char *path, const char *name, int *error) {
  char *temporary;
  icl__remove_left_files(name);
  ICL__TRY(make_link(path, name, &temporary, error));
  if (*error)
    return ICL_OK;
  bool renamed = rename(temporary, name) == 0;
  if (!renamed)
    *error = errno == ENOENT ? EAGAIN : errno; /* another process took it for a left one: the file itself is there */
  unlink(temporary);                           /* it is still there also if both were one file already */
  icl__free(temporary);
  return ICL_OK;
}

icl_status icl__file_keep(const char *path, const char *keep) {
  int error;
  ICL__TRY(try_link(path, keep, &error));
  bool is_there = error != ENOENT || access(path, F_OK) == 0; /* it could also be the folder of `keep` that is not */
  if (!error || !is_there || rename(path, keep) == 0)
    return ICL_OK;
  return icl__fail(icl__status_of_errno(errno), "%s: cannot keep the old file as %s: %s", path, keep, strerror(errno));
}

static icl_status copy(const char *path, const char *to) {
  icl__map map;
  ICL__TRY(icl__map_open(path, &map));
  icl_status status = icl__file_write(to, map.data, map.bytes);
  icl__map_close(&map);
  return status;
}

icl_status icl__file_link(const char *path, const char *link) {
  int error;
  ICL__TRY(try_link(path, link, &error));
  return error ? copy(path, link) : ICL_OK;
}

/* ---- folders ---- */

/* Opens the folder of a file; where that may not be read, the file. */
static int open_to_sync(const char *path, bool *is_folder) {
  char folder[ICL__PATH] = ".";
  size_t bytes = icl__folder_bytes(path);
  if (bytes)
    snprintf(folder, sizeof folder, "%.*s", (int)bytes, path);
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  *is_folder = fd >= 0 || errno != EACCES;
  return *is_folder ? fd : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Some file systems cannot make a folder durable and say EINVAL; what they promise then has to do. Where it cannot be
 * opened, all of its file system is made durable. */
icl_status icl__folder_sync(const char *path) {
  bool is_folder;
  if (icl__folder_bytes(path) >= ICL__PATH)
    return icl__path_too_long(path);
  int fd = open_to_sync(path, &is_folder), result = -1;
  if (fd < 0)
    return icl__file_fail(path, "open its folder");
  do
    result = is_folder ? fsync(fd) : syncfs(fd);
  while (result != 0 && errno == EINTR);
  int error = result == 0 || errno == EINVAL ? 0 : errno;
  close(fd);
  if (!error)
    return ICL_OK;
  return icl__fail(ICL_EIO, "%s: it is written, but may be lost if the power fails now: %s", path, strerror(error));
}
