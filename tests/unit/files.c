/* files.c - see files.h. */
#include "files.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static char *paths[4096]; /* kept until the end, so that a leak checker stays quiet */
static int path_count;

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *place) {
  (void)about, (void)kind, (void)place;
  return remove(path);
}

static void remove_folder(void) { nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

static const char *test_folder(void) {
  if (folder[0])
    return folder;
  snprintf(folder, sizeof folder, "/tmp/icl-test-XXXXXX");
  if (!mkdtemp(folder))
    unit_fail(__FILE__, __LINE__, "%s: %s", folder, strerror(errno));
  atexit(remove_folder);
  return folder;
}

const char *file_path(const char *format, ...) {
  char name[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(name, sizeof name, format, arguments);
  va_end(arguments);
  if (path_count == sizeof paths / sizeof *paths || asprintf(&paths[path_count], "%s/%s", test_folder(), name) < 0)
    unit_fail(__FILE__, __LINE__, "too many paths");
  return paths[path_count++];
}

void file_make_folder(const char *name) {
  for (size_t length = 1; length <= strlen(name); length++) {
    const char *path = file_path("%.*s", (int)length, name);
    if ((name[length] == '/' || !name[length]) && mkdir(path, 0777) != 0 && errno != EEXIST)
      unit_fail(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
  }
}

const char *file_put(const char *name, const void *data, size_t bytes) {
  const char *path = file_path("%s", name);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0)
    unit_fail(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
  return path;
}

int file_count(void) {
  int count = 0;
  DIR *entries = opendir(test_folder());
  for (struct dirent *entry; entries && (entry = readdir(entries));)
    count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  closedir(entries);
  return count;
}
