/* file.c - reads and maps files. */
#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

icl_status icl__status_of_errno(int error) {
  switch (error) {
  case ENOENT:
    return ICL_ENOENT;
  case EEXIST:
    return ICL_EEXIST;
  case ENOMEM:
    return ICL_ENOMEM;
  default:
    return ICL_EIO;
  }
}

icl_status icl__file_fail(const char *path, const char *tried) {
  int error = errno;
  return icl__fail(icl__status_of_errno(error), "%s: cannot %s: %s", path, tried, strerror(error));
}

/* ---- paths ---- */

icl_status icl__path_too_long(const char *path) {
  return icl__fail(ICL_ENOTSUP, "%.64s...: a path of %d bytes or more", path, ICL__PATH);
}

icl_status icl__path_expand(const char **path, char expanded[ICL__PATH]) {
  const char *home = getenv("HOME"), *given = *path;
  if (given[0] != '~' || (given[1] != '/' && given[1]) || !home || !home[0])
    return ICL_OK;
  if (snprintf(expanded, ICL__PATH, "%s%s", home, given + 1) >= ICL__PATH)
    return icl__path_too_long(given);
  *path = expanded;
  return ICL_OK;
}

/* ---- reading ---- */

icl_status icl__file_open(const char *path, int *fd, size_t *bytes) {
  struct stat about;
  *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (*fd < 0)
    return icl__file_fail(path, "open it");
  icl_status status = ICL_OK;
  if (fstat(*fd, &about) != 0)
    status = icl__file_fail(path, "read its size");
  else if (!S_ISREG(about.st_mode))
    status = icl__fail(ICL_EIO, "%s: cannot read it: not a regular file", path);
  if (status != ICL_OK)
    close(*fd);
  else
    *bytes = (size_t)about.st_size;
  return status;
}

/* Reads to the end, which may have moved since the size was looked at. */
static icl_status read_all(const char *path, int fd, size_t most, char **data, size_t *bytes) {
  size_t used = 0, capacity = 0;
  for (ssize_t got = 1; got != 0;) {
    size_t known = used < *bytes ? *bytes : used;
    char *grown = icl__grow(*data, &capacity, known + 2, 1); /* the 0, and a byte that would show that it grew */
    if (!grown)
      return icl__wrap(ICL_ENOMEM, "%s", path);
    *data = grown;
    got = read(fd, grown + used, capacity - used - 1);
    if (got < 0 && errno != EINTR)
      return icl__file_fail(path, "read it");
    if (got > 0)
      used += (size_t)got;
    if (used > most)
      return icl__fail(ICL_EFORMAT, "%s: it grows while it is read", path);
  }
  (*data)[used] = 0;
  *bytes = used;
  return ICL_OK;
}

icl_status icl__file_read_all(const char *path, size_t most, char **data, size_t *bytes) {
  int fd;
  ICL__TRY(icl__file_open(path, &fd, bytes));
  icl_status status = ICL_OK;
  *data = NULL;
  if (*bytes > most)
    status = icl__fail(ICL_EFORMAT, "%s: it has %zu bytes; what is read here has at most %zu", path, *bytes, most);
  if (status == ICL_OK)
    status = read_all(path, fd, most, data, bytes);
  close(fd);
  if (status != ICL_OK) {
    icl__free(*data);
    *data = NULL;
  }
  return status;
}

icl_status icl__map_open(const char *path, icl__map *result) {
  *result = (icl__map){0};
  int fd;
  size_t bytes;
  ICL__TRY(icl__file_open(path, &fd, &bytes));
  icl_status status = ICL_OK;
  if (bytes > 0) {
    void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
      status = icl__file_fail(path, "map it into memory");
    else
      *result = (icl__map){data, bytes};
  }
  close(fd);
  return status;
}

void icl__map_close(icl__map *map) {
  if (map->data)
    munmap((void *)(uintptr_t)map->data, map->bytes);
  *map = (icl__map){0};
}
