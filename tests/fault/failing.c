/* failing.c - a library to preload that lets calls of the system fail.
 *
 *   FAIL_CALL=write       the kind of call: malloc (calloc, realloc, aligned_alloc, posix_memalign), write (pwrite),
 *                         fsync, rename, link, open (openat, fopen, opendir), mmap, thread, mkdir, flock
 *   FAIL_AT=3             the call that fails, from 1; 0 none
 *   FAIL_TIMES=1          how many fail from there on; 0: all
 *   FAIL_ARMED=1          count from the beginning; otherwise from when the program removes "/fault/arm" to when it
 *                         removes "/fault/disarm", which are no files
 *   FAIL_COUNT=FILE       at the end: how many calls were counted */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The C library's own, which need no dlsym(), for that allocates. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

typedef enum { NONE, MALLOC, WRITE, FSYNC, RENAME, LINK, OPEN, MMAP, THREAD, MKDIR, FLOCK, KINDS } kind;

static const struct {
  const char *name;
  int error;
} kinds[KINDS] = {[MALLOC] = {"malloc", ENOMEM}, [WRITE] = {"write", ENOSPC},   [FSYNC] = {"fsync", EIO},
                  [RENAME] = {"rename", EIO},    [LINK] = {"link", EPERM},      [OPEN] = {"open", EMFILE},
                  [MMAP] = {"mmap", ENOMEM},     [THREAD] = {"thread", EAGAIN}, [MKDIR] = {"mkdir", ENOSPC},
                  [FLOCK] = {"flock", ENOLCK}};

static kind failing;
static long first, times;
static atomic_long calls;
static atomic_bool armed;

static long number_of(const char *variable, long missing) {
  const char *text = getenv(variable);
  return text ? strtol(text, NULL, 10) : missing;
}

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("FAIL_CALL");
  for (kind k = MALLOC; name && k < KINDS; k++)
    if (strcmp(name, kinds[k].name) == 0)
      failing = k;
  first = number_of("FAIL_AT", 0);
  times = number_of("FAIL_TIMES", 1);
  armed = number_of("FAIL_ARMED", 0) != 0;
}

/* Counts a call; true: it fails, and errno says why. */
static bool fails(kind of) {
  if (of != failing || !armed)
    return false;
  long call = ++calls;
  if (!first || call < first || (times && call >= first + times))
    return false;
  errno = kinds[of].error;
  return true;
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("FAIL_COUNT");
  armed = false;
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file)
    return;
  fprintf(file, "%ld\n", (long)calls);
  fclose(file);
}

/* ---- memory ---- */

void *malloc(size_t bytes) { return fails(MALLOC) ? NULL : __libc_malloc(bytes); }
void *calloc(size_t count, size_t bytes) { return fails(MALLOC) ? NULL : __libc_calloc(count, bytes); }
void *realloc(void *memory, size_t bytes) { return fails(MALLOC) ? NULL : __libc_realloc(memory, bytes); }
void *aligned_alloc(size_t alignment, size_t bytes) { return fails(MALLOC) ? NULL : __libc_memalign(alignment, bytes); }

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  int before = errno;
  void *result = fails(MALLOC) ? NULL : __libc_memalign(alignment, bytes);
  errno = before;
  if (result)
    *memory = result;
  return result ? 0 : ENOMEM;
}

/* ---- files ---- */

/* What the program would have called. */
#define NEXT(type, name) ((type)next_of(name))
static void *next_of(const char *name) { return dlsym(RTLD_NEXT, name); }

ssize_t write(int fd, const void *data, size_t bytes) {
  return fails(WRITE) ? -1 : NEXT(ssize_t(*)(int, const void *, size_t), "write")(fd, data, bytes);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at) {
  return fails(WRITE) ? -1 : NEXT(ssize_t(*)(int, const void *, size_t, off_t), "pwrite")(fd, data, bytes, at);
}

int fsync(int fd) { return fails(FSYNC) ? -1 : NEXT(int (*)(int), "fsync")(fd); }

int rename(const char *from, const char *to) {
  return fails(RENAME) ? -1 : NEXT(int (*)(const char *, const char *), "rename")(from, to);
}

int link(const char *from, const char *to) {
  return fails(LINK) ? -1 : NEXT(int (*)(const char *, const char *), "link")(from, to);
}

int mkdir(const char *path, mode_t mode) {
  return fails(MKDIR) ? -1 : NEXT(int (*)(const char *, mode_t), "mkdir")(path, mode);
}

int flock(int fd, int operation) { return fails(FLOCK) ? -1 : NEXT(int (*)(int, int), "flock")(fd, operation); }

static mode_t mode_of(int flags, va_list arguments) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return fails(OPEN) ? -1 : NEXT(int (*)(const char *, int, ...), "open")(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return fails(OPEN) ? -1 : NEXT(int (*)(int, const char *, int, ...), "openat")(folder, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode) {
  return fails(OPEN) ? NULL : NEXT(FILE * (*)(const char *, const char *), "fopen")(path, mode);
}

DIR *opendir(const char *path) { return fails(OPEN) ? NULL : NEXT(DIR * (*)(const char *), "opendir")(path); }

void *mmap(void *place, size_t bytes, int protection, int flags, int fd, off_t at) {
  return fails(MMAP)
             ? MAP_FAILED
             : NEXT(void *(*)(void *, size_t, int, int, int, off_t), "mmap")(place, bytes, protection, flags, fd, at);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  typedef int function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  return fails(THREAD) ? errno : NEXT(function *, "pthread_create")(thread, attributes, body, argument);
}

/* The program says when. */
int remove(const char *path) {
  if (strcmp(path, "/fault/arm") == 0 || strcmp(path, "/fault/disarm") == 0) {
    armed = strcmp(path, "/fault/arm") == 0;
    return 0;
  }
  return NEXT(int (*)(const char *), "remove")(path);
}
