/* writer.c - replaces files as a whole or not at all. */
#include "base/file.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct icl__writer {
  char *path;             /* as the caller wrote it, for messages */
  char target[ICL__PATH]; /* behind links */
  char *temporary;        /* the new file */
  size_t bytes, begun;    /* written; of these, on their way to the disk */
  int fd;                 /* -1: not open; it holds the lock until all is done */
};

static void free_writer(icl__writer *w) {
  if (w->fd >= 0)
    close(w->fd);
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

/* ---- where the file lies ---- */

size_t icl__folder_bytes(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash + 1 - path) : 0;
}

/* Follows links, also to a file that is not there yet, so that it is their target that is replaced. */
static icl_status find_target(icl__writer *w) {
  enum { MOST_LINKS = 40 }; /* as the kernel has it */
  char link[ICL__PATH];
  if (snprintf(w->target, ICL__PATH, "%s", w->path) >= ICL__PATH)
    return icl__path_too_long(w->path);
  for (int i = 0; i < MOST_LINKS; i++) {
    ssize_t bytes = readlink(w->target, link, sizeof link);
    if (bytes < 0)
      return ICL_OK; /* no link; whatever else is wrong shows when the file is made */
    size_t kept = link[0] == '/' ? 0 : icl__folder_bytes(w->target);
    if (kept + (size_t)bytes >= ICL__PATH)
      return icl__path_too_long(w->path);
    memcpy(w->target + kept, link, (size_t)bytes);
    w->target[kept + (size_t)bytes] = 0;
  }
  errno = ELOOP;
  return icl__file_fail(w->path, "follow its links");
}

/* ---- the new file ---- */

#define MARK ".icl-"

/* A number for this host: folders may be shared, and locks may then hold on one host only (FNV-1a). */
static uint32_t host(void) {
  char name[HOST_NAME_MAX + 1] = "";
  uint32_t hash = 2166136261;
  gethostname(name, sizeof name - 1);
  for (const char *c = name; *c; c++)
    hash = (hash ^ (unsigned char)*c) * 16777619;
  return hash;
}

/* Is this the name of a new file that a process of this host made? */
static bool is_temporary(const char *name) {
  const char *mark = NULL;
  unsigned of, counter;
  long pid;
  int end = 0;
  for (const char *next = name; (next = strstr(next, MARK)); next++)
    mark = next;
  return mark && sscanf(mark, MARK "%8x-%ld-%u.tmp%n", &of, &pid, &counter, &end) == 3 && end && !mark[end] &&
         of == host();
}

/* Removes such a file if no living process holds its lock. */
static void remove_if_left(int folder, const char *name) {
  int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat about;
  if (fd < 0)
    return;
  if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == geteuid() &&
      flock(fd, LOCK_EX | LOCK_NB) == 0)
    unlinkat(folder, name, 0);
  close(fd);
}

/* What cannot be looked at stays: a write does not depend on it. */
bool icl__remove_left_files(const char *path) {
  char folder[ICL__PATH] = ".";
  size_t bytes = icl__folder_bytes(path);
  if (bytes)
    snprintf(folder, sizeof folder, "%.*s", (int)bytes, path);
  DIR *entries = opendir(folder);
  if (!entries)
    return false;
  for (const struct dirent *entry; (entry = readdir(entries));)
    if (is_temporary(entry->d_name))
      remove_if_left(dirfd(entries), entry->d_name);
  closedir(entries);
  return true;
}

/* Takes the lock of the new file. False if another process, which took it for a left one, was faster. Where there are
 * no locks nobody removes anything. */
static bool is_ours(int fd) {
  struct stat about;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0)
    return errno != EWOULDBLOCK;
  return fstat(fd, &about) == 0 && about.st_nlink > 0;
}

char *icl__temporary_name(const char *target) {
  static atomic_uint counter;
  size_t bytes = strlen(target) + 64;
  char *name = icl__alloc(bytes, 1);
  if (name)
    snprintf(name, bytes, "%s" MARK "%08x-%ld-%u.tmp", target, host(), (long)getpid(), atomic_fetch_add(&counter, 1));
  return name;
}

/* Creates the file under a name that nobody else has. */
static icl_status create_temporary(icl__writer *w) {
  for (;;) {
    w->temporary = icl__temporary_name(w->target);
    if (!w->temporary)
      return ICL_ENOMEM;
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd >= 0 && is_ours(w->fd))
      return ICL_OK;
    bool taken = w->fd >= 0 || errno == EEXIST;
    icl_status status = taken ? ICL_OK : icl__file_fail(w->path, "create a file beside it");
    if (w->fd >= 0)
      close(w->fd);
    w->fd = -1;
    icl__free(w->temporary);
    w->temporary = NULL; /* it is not there to be removed */
    ICL__TRY(status);
  }
}

/* Only a regular file may be replaced, and the new one keeps its permissions. */
static icl_status adopt_mode(icl__writer *w) {
  struct stat old;
  if (stat(w->target, &old) != 0)
    return errno == ENOENT ? ICL_OK : icl__file_fail(w->path, "look at it");
  if (!S_ISREG(old.st_mode))
    return icl__fail(ICL_EIO, "%s: cannot replace it: not a regular file", w->path);
  return fchmod(w->fd, old.st_mode & 07777) != 0 ? icl__file_fail(w->path, "keep its permissions") : ICL_OK;
}

static icl_status open_writer(icl__writer *w, const char *path) {
  w->fd = -1;
  w->path = icl__strdup(path);
  if (!w->path)
    return ICL_ENOMEM;
  ICL__TRY(find_target(w));
  if (!icl__remove_left_files(w->target) && errno != EACCES) /* one may write into a folder that one may not read */
    return icl__file_fail(w->path, "open its folder");
  ICL__TRY(create_temporary(w));
  return adopt_mode(w);
}

icl_status icl__writer_open(const char *path, icl__writer **result) {
  icl__writer *w = icl__calloc(1, sizeof *w);
  if (!w)
    return ICL_ENOMEM;
  icl_status status = open_writer(w, path);
  if (status == ICL_OK)
    *result = w;
  else
    icl__writer_cancel(w);
  return status;
}

static icl_status put(const icl__writer *w, size_t at, const char *data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    ssize_t written = pwrite(w->fd, data + done, bytes - done, (off_t)(at + done));
    if (written < 0 && errno != EINTR)
      return icl__file_fail(w->path, "write it");
    if (written > 0)
      done += (size_t)written;
  }
  return ICL_OK;
}

/* After each piece the disk is told to begin with it, so that little is left to wait for at the end; a file system that
 * cannot do so writes all of it then. */
icl_status icl__writer_write(icl__writer *w, const void *data, size_t bytes) {
  enum { PIECE = 1 << 23 };
  for (size_t done = 0, now; done < bytes; done += now) {
    now = bytes - done < PIECE ? bytes - done : PIECE;
    ICL__TRY(put(w, w->bytes, (const char *)data + done, now));
    w->bytes += now;
    if (w->bytes - w->begun >= PIECE) {
      sync_file_range(w->fd, (off_t)w->begun, (off_t)(w->bytes - w->begun), SYNC_FILE_RANGE_WRITE);
      w->begun = w->bytes;
    }
  }
  return ICL_OK;
}

icl_status icl__writer_correct(icl__writer *w, size_t at, const void *data, size_t bytes) {
  return put(w, at, data, bytes);
}

static icl_status sync_file(const icl__writer *w) {
  while (fsync(w->fd) != 0)
    if (errno != EINTR)
      return icl__file_fail(w->path, "write it to the disk");
  return ICL_OK;
}

/* The new file takes the place of the old one. */
static icl_status replace(const icl__writer *w, const icl__places *places) {
  ICL__TRY(sync_file(w));
  if (places->keep)
    ICL__TRY(icl__file_keep(w->target, places->keep));
  return rename(w->temporary, w->target) == 0 ? ICL_OK : icl__file_fail(w->path, "put the new file in its place");
}

/* Makes a name durable, unless it is in the folder of the target. */
static icl_status sync_name(const icl__writer *w, const char *path) {
  size_t bytes = icl__folder_bytes(path);
  if (bytes == icl__folder_bytes(w->target) && memcmp(path, w->target, bytes) == 0)
    return ICL_OK;
  return icl__folder_sync(path);
}

/* What follows; the file itself is written. */
static icl_status spread(const icl__writer *w, const icl__places *places) {
  for (int i = 0; i < places->link_count; i++)
    if (icl__file_link(w->target, places->links[i]) != ICL_OK)
      return icl__wrap(ICL_EIO, "%s: it is written, but has no second name", w->path);
  ICL__TRY(icl__folder_sync(w->target));
  if (places->keep)
    ICL__TRY(sync_name(w, places->keep));
  for (int i = 0; i < places->link_count; i++)
    ICL__TRY(sync_name(w, places->links[i]));
  return ICL_OK;
}

icl_status icl__writer_commit_to(icl__writer *w, const icl__places *places) {
  icl_status status = replace(w, places);
  if (status != ICL_OK) {
    icl__writer_cancel(w);
    return status;
  }
  status = spread(w, places);
  free_writer(w);
  return status;
}

icl_status icl__writer_commit(icl__writer *w) { return icl__writer_commit_to(w, &(icl__places){0}); }

icl_status icl__file_write(const char *path, const void *data, size_t bytes) {
  icl__writer *w;
  ICL__TRY(icl__writer_open(path, &w));
  icl_status status = icl__writer_write(w, data, bytes);
  if (status == ICL_OK)
    return icl__writer_commit(w);
  icl__writer_cancel(w);
  return status;
}
