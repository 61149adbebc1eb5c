/* near.c - what lies in a folder where something else was looked for. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "data/folder.h"

/* The first entry of a folder, by name, for which `fits` holds; hidden ones do not count. */
static bool find_first(const char *folder, bool (*fits)(const char *path, const void *context), const void *context,
                       char result[ICL__PATH]) {
  char path[ICL__PATH];
  bool found = false;
  DIR *entries = opendir(folder);
  if (!entries)
    return false;
  for (const struct dirent *entry; (entry = readdir(entries));) {
    if (entry->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= ICL__PATH)
      continue;
    if ((!found || strcmp(path, result) < 0) && fits(path, context)) {
      found = true;
      strcpy(result, path);
    }
  }
  closedir(entries);
  return found;
}

typedef struct {
  bool (*fits)(const char *path, const void *context);
  const void *context;
} question;

static bool is_fitting_folder(const char *path, const void *context) {
  const question *q = context;
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode) && q->fits(path, q->context);
}

bool icl__near_folder(const char *folder, bool (*fits)(const char *path, const void *context), const void *context,
                      char result[ICL__PATH]) {
  question q = {fits, context};
  return find_first(folder, is_fitting_folder, &q, result);
}

static bool is_archive_file(const char *path, const void *context) {
  (void)context;
  struct stat about;
  return icl__is_archive(path) && stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

bool icl__near_archive(const char *folder, char result[ICL__PATH]) {
  return find_first(folder, is_archive_file, NULL, result);
}
