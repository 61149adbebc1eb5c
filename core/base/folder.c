/* folder.c - making folders, and files that say by a lock that someone is at work. */
#include "base/folder.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* ---- folders ---- */

icl_status icl__folder_new(const char *path) {
  char expanded[ICL__PATH];
  ICL__TRY(icl__path_expand(&path, expanded));
  return mkdir(path, 0777) == 0 ? ICL_OK : icl__file_fail(path, "make it a folder");
}

/* Leaves errno as it is. */
static bool is_folder(const char *path) {
  struct stat about;
  int error = errno;
  bool is_one = stat(path, &about) == 0 && S_ISDIR(about.st_mode);
  errno = error;
  return is_one;
}

icl_status icl__folder_make(const char *path) {
  char expanded[ICL__PATH], part[ICL__PATH];
  ICL__TRY(icl__path_expand(&path, expanded));
  if (snprintf(part, sizeof part, "%s", path) >= ICL__PATH)
    return icl__path_too_long(path);
  for (char *end = part; *end;) {
    end += strspn(end, "/");
    end += strcspn(end, "/");
    char kept = *end;
    *end = 0;
    if (mkdir(part, 0777) != 0 && !is_folder(part))
      return icl__file_fail(part, "make it a folder");
    *end = kept;
  }
  return *path ? ICL_OK : icl__fail(ICL_EINVAL, "a folder cannot have an empty name");
}

/* ---- locks ---- */

/* The process that has the lock, as the kernel lists it; 0: it cannot be known. */
static long holder(int fd) {
  struct stat about;
  char line[256];
  long found = 0;
  FILE *file = fstat(fd, &about) == 0 ? fopen("/proc/locks", "re") : NULL;
  while (file && !found && fgets(line, sizeof line, file)) { /* 1: FLOCK ADVISORY WRITE 4711 fe:01:1234 0 EOF */
    long process;
    unsigned major_number, minor_number;
    unsigned long long inode;
    if (sscanf(line, "%*d: FLOCK ADVISORY WRITE %ld %x:%x:%llu", &process, &major_number, &minor_number, &inode) == 4 &&
        major_number == major(about.st_dev) && minor_number == minor(about.st_dev) && inode == about.st_ino)
      found = process > 0 ? process : 0;
  }
  if (file)
    fclose(file);
  return found;
}

static icl_status fail_locked(const char *path, int fd) {
  long process = holder(fd);
  if (process)
    return icl__fail(ICL_EEXIST, "%s: it is locked by process %ld", path, process);
  return icl__fail(ICL_EEXIST, "%s: it is locked by another process", path);
}

/* Who only looks has a lock as well, for a moment. */
static icl_status lock(const char *path, int fd) {
  enum { TRIES = 20 };
  const struct timespec pause = {0, 10000000};
  for (int i = 0; i < TRIES; i++) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
      return ICL_OK;
    if (errno != EWOULDBLOCK && errno != EINTR)
      return icl__file_fail(path, "lock it");
    nanosleep(&pause, NULL);
  }
  return fail_locked(path, fd);
}

icl_status icl__lock_open(const char *path, int *fd) {
  char expanded[ICL__PATH];
  ICL__TRY(icl__path_expand(&path, expanded));
  *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
  if (*fd < 0)
    return icl__file_fail(path, "open it");
  icl_status status = lock(path, *fd);
  if (status != ICL_OK)
    close(*fd);
  return status;
}

bool icl__is_locked(const char *path) {
  char expanded[ICL__PATH];
  int fd;
  size_t bytes;
  if (icl__path_expand(&path, expanded) != ICL_OK || icl__file_open(path, &fd, &bytes) != ICL_OK)
    return false;
  bool is_free = flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  close(fd);
  return !is_free;
}
