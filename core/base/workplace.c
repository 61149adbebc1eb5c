/* workplace.c - see workplace.h. */
#include "base/workplace.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/memory.h"

struct icl__workplace {
  char target[ICL__PATH], parent[ICL__PATH], path[ICL__PATH];
  size_t there; /* bytes of the parent that were there before */
  int fd;       /* of the folder; holds the lock; -1: none */
};

const char *icl__workplace_path(const icl__workplace *w) { return w->path; }

/* Cuts the last name off a path of `length` bytes; -> how many are left. */
static size_t cut_name(char *path, size_t length) {
  while (length > 0 && path[--length] != '/')
    ;
  path[length] = 0;
  return length;
}

/* Bytes of the part of a path that is there. */
static size_t bytes_there(const char *path) {
  char part[ICL__PATH];
  size_t length = (size_t)snprintf(part, sizeof part, "%s", path);
  while (length > 0 && access(part, F_OK) != 0)
    length = cut_name(part, length);
  return length;
}

/* Folders that were made survive unless they are empty. */
void icl__workplace_close(icl__workplace *w) {
  if (!w)
    return;
  if (w->fd >= 0)
    close(w->fd);
  rmdir(w->path);
  for (size_t length = strlen(w->parent); length > w->there; length = cut_name(w->parent, length))
    if (w->parent[length - 1] != '/' && rmdir(w->parent) != 0)
      break;
  icl__free(w);
}

/* ---- folders ---- */

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *where) {
  (void)about, (void)kind, (void)where;
  return remove(path);
}

/* Removes a folder with all that is in it; links are not followed. */
static icl_status remove_folder(const char *path) {
  if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 || errno == ENOENT)
    return ICL_OK;
  return icl__file_fail(path, "remove it");
}

static icl_status sync_folder(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return icl__file_fail(path, "open it");
  /* Some file systems cannot make a folder durable and say EINVAL. */
  icl_status status = fsync(fd) == 0 || errno == EINVAL ? ICL_OK : icl__file_fail(path, "write it to the disk");
  close(fd);
  return status;
}

/* ---- a workplace ---- */

static icl_status too_long(const char *path) {
  return icl__fail(ICL_ENOTSUP, "%.64s...: a path of %d bytes or more", path, ICL__PATH);
}

static icl_status name_paths(icl__workplace *w, const char *target) {
  size_t length = strlen(target);
  while (length > 1 && target[length - 1] == '/')
    length--;
  if (length >= ICL__PATH)
    return too_long(target);
  memcpy(w->target, target, length);
  const char *slash = strrchr(w->target, '/'), *name = slash ? slash + 1 : w->target;
  int parent = (int)(name - w->target);
  snprintf(w->parent, ICL__PATH, "%.*s", parent ? parent : 2, parent ? w->target : "./");
  if (snprintf(w->path, ICL__PATH, "%.*s.%s.part", parent, w->target, name) >= ICL__PATH)
    return too_long(target);
  return ICL_OK;
}

static icl_status lock(icl__workplace *w) {
  w->fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (w->fd < 0)
    return icl__file_fail(w->path, "open it");
  if (flock(w->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) /* where there are no locks, nobody is asked */
    return ICL_OK;
  return icl__fail(ICL_EIO, "%s: another process works on it; wait until it is done", w->target);
}

static icl_status open_place(icl__workplace *w, const char *target) {
  w->fd = -1;
  ICL__TRY(name_paths(w, target));
  w->there = bytes_there(w->parent);
  ICL__TRY(icl__folder_make(w->parent));
  if (access(w->target, F_OK) == 0)
    return icl__fail(ICL_EEXIST, "%s: it is there already; move it away, or choose another place", w->target);
  if (mkdir(w->path, 0777) != 0 && errno != EEXIST)
    return icl__file_fail(w->path, "make this folder");
  return lock(w);
}

icl_status icl__workplace_open(const char *target, icl__workplace **result) {
  icl__workplace *w = icl__calloc(1, sizeof *w);
  if (!w)
    return icl__wrap(ICL_ENOMEM, "%s", target);
  icl_status status = open_place(w, target);
  if (status == ICL_OK)
    *result = w;
  else
    icl__workplace_close(w);
  return status;
}

static icl_status name_inside(const icl__workplace *w, const char *name, char path[ICL__PATH]) {
  return snprintf(path, ICL__PATH, "%s/%s", w->path, name) < ICL__PATH ? ICL_OK : too_long(w->path);
}

icl_status icl__workplace_folder(const icl__workplace *w, const char *name) {
  char path[ICL__PATH];
  ICL__TRY(name_inside(w, name, path));
  ICL__TRY(remove_folder(path));
  return mkdir(path, 0777) == 0 ? ICL_OK : icl__file_fail(path, "make this folder");
}

icl_status icl__workplace_publish(icl__workplace *w, const char *name) {
  char path[ICL__PATH];
  ICL__TRY(name_inside(w, name, path));
  ICL__TRY(sync_folder(path));
  if (rename(path, w->target) != 0)
    return icl__file_fail(w->target, "put the new folder in its place");
  ICL__TRY(sync_folder(w->parent));
  return remove_folder(w->path);
}
