/* file.c - reads, maps and atomically replaces files. */
#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
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

/* Fails with the reason in errno: "PATH: cannot read: No such file or directory". */
static icl_status fail(const char *path, const char *tried) {
  int error = errno;
  return icl__fail(icl__status_of_errno(error), "%s: cannot %s: %s", path, tried, strerror(error));
}

/* ---- reading ---- */

icl_status icl__file_read_all(const char *path, char **data, size_t *bytes) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail(path, "open it");
  icl_status status = ICL_OK;
  char *buffer = NULL;
  size_t used = 0, capacity = 0;
  for (ssize_t got = 1; got != 0;) {
    char *grown = icl__grow(buffer, &capacity, used + 4096, 1);
    if (!grown) {
      status = icl__wrap(ICL_ENOMEM, "%s", path);
      break;
    }
    buffer = grown;
    got = read(fd, buffer + used, capacity - used - 1);
    if (got < 0 && errno != EINTR) {
      status = fail(path, "read it");
      break;
    }
    if (got > 0)
      used += (size_t)got;
  }
  close(fd);
  if (status != ICL_OK) {
    icl__free(buffer);
    return status;
  }
  buffer[used] = 0;
  *data = buffer;
  *bytes = used;
  return ICL_OK;
}

icl_status icl__map_open(const char *path, icl__map *result) {
  *result = (icl__map){0};
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* so that a pipe without a writer is an error, no wait */
  if (fd < 0)
    return fail(path, "open it");
  icl_status status = ICL_OK;
  struct stat about;
  if (fstat(fd, &about) != 0) {
    status = fail(path, "read its size");
  } else if (!S_ISREG(about.st_mode)) {
    status = icl__fail(ICL_EIO, "%s: cannot read it: not a regular file", path);
  } else if (about.st_size > 0) {
    void *data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
      status = fail(path, "map it into memory");
    else
      *result = (icl__map){data, (size_t)about.st_size};
  }
  close(fd);
  return status;
}

void icl__map_close(icl__map *map) {
  if (map->data)
    munmap((void *)(uintptr_t)map->data, map->bytes);
  *map = (icl__map){0};
}

/* ---- writing ---- */

struct icl__writer {
  char *path, *temporary;
  int fd, folder; /* -1: not open */
};

static void free_writer(icl__writer *w) {
  if (w->fd >= 0)
    close(w->fd);
  if (w->folder >= 0)
    close(w->folder);
  icl__free(w->path);
  icl__free(w->temporary);
  icl__free(w);
}

void icl__writer_cancel(icl__writer *w) {
  if (!w)
    return;
  if (w->temporary)
    unlink(w->temporary);
  free_writer(w);
}

/* Creates the temporary file under a name that nobody else has. */
static icl_status create_temporary(icl__writer *w) {
  static atomic_uint counter;
  size_t bytes = strlen(w->path) + 64;
  char *name = icl__alloc(bytes, 1);
  if (!name)
    return ICL_ENOMEM;
  do {
    snprintf(name, bytes, "%s.%ld-%u.tmp", w->path, (long)getpid(), atomic_fetch_add(&counter, 1));
    w->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (w->fd < 0 && errno == EEXIST);
  if (w->fd < 0) {
    icl_status status = fail(w->path, "create a file beside it");
    icl__free(name);
    return status;
  }
  w->temporary = name;
  return ICL_OK;
}

static icl_status open_folder(icl__writer *w) {
  char *slash = strrchr(w->path, '/');
  if (!slash) {
    w->folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } else {
    char kept = slash[1]; /* the path up to the slash */
    slash[1] = 0;
    w->folder = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    slash[1] = kept;
  }
  return w->folder < 0 ? fail(w->path, "open its folder") : ICL_OK;
}

/* Only a regular file may be replaced, and the new one keeps its permissions. */
static icl_status adopt_mode(icl__writer *w) {
  struct stat old;
  if (stat(w->path, &old) != 0)
    return errno == ENOENT ? ICL_OK : fail(w->path, "look at it");
  if (!S_ISREG(old.st_mode))
    return icl__fail(ICL_EIO, "%s: cannot replace it: not a regular file", w->path);
  return fchmod(w->fd, old.st_mode & 07777) != 0 ? fail(w->path, "keep its permissions") : ICL_OK;
}

icl_status icl__writer_open(const char *path, icl__writer **result) {
  icl__writer *w = icl__calloc(1, sizeof *w);
  if (!w)
    return ICL_ENOMEM;
  w->fd = w->folder = -1;
  w->path = icl__strdup(path);
  icl_status status = w->path ? open_folder(w) : ICL_ENOMEM;
  if (status == ICL_OK)
    status = create_temporary(w);
  if (status == ICL_OK)
    status = adopt_mode(w);
  if (status != ICL_OK) {
    icl__writer_cancel(w);
    return status;
  }
  *result = w;
  return ICL_OK;
}

icl_status icl__writer_write(icl__writer *w, const void *data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    ssize_t written = write(w->fd, (const char *)data + done, bytes - done);
    if (written < 0 && errno != EINTR)
      return fail(w->path, "write it");
    if (written > 0)
      done += (size_t)written;
  }
  return ICL_OK;
}

/* Some file systems cannot make a folder durable and say EINVAL; what they promise then has to do. */
static icl_status sync_folder(icl__writer *w) {
  if (fsync(w->folder) == 0 || errno == EINVAL)
    return ICL_OK;
  return icl__fail(ICL_EIO, "%s: it is written, but may be lost if the power fails now: %s", w->path, strerror(errno));
}

icl_status icl__writer_commit(icl__writer *w) {
  icl_status status = fsync(w->fd) == 0 ? ICL_OK : fail(w->path, "write it to the disk");
  int closed = close(w->fd);
  w->fd = -1;
  if (status == ICL_OK && closed != 0)
    status = fail(w->path, "write it");
  if (status == ICL_OK && rename(w->temporary, w->path) != 0)
    status = fail(w->path, "put the new file in its place");
  if (status != ICL_OK) {
    icl__writer_cancel(w);
    return status;
  }
  status = sync_folder(w);
  free_writer(w);
  return status;
}

icl_status icl__file_write(const char *path, const void *data, size_t bytes) {
  icl__writer *w;
  ICL__TRY(icl__writer_open(path, &w));
  icl_status status = icl__writer_write(w, data, bytes);
  if (status == ICL_OK)
    return icl__writer_commit(w);
  icl__writer_cancel(w);
  return status;
}
