/* choices.c - see choices.h. */
#include "backend/cuda/choices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/memory.h"
#include "base/text.h"

#define TITLE "icl choices 1\n"
enum { MOST = 1 << 20 };

/* False: there is no cache. */
static bool find_path(const char *name, char path[ICL__PATH]) {
  char expanded[ICL__PATH];
  const char *cache = getenv("XDG_CACHE_HOME");
  if (!cache || cache[0] != '/') /* others are to be ignored */
    cache = "~/.cache";
  if (icl__path_expand(&cache, expanded) != ICL_OK || cache[0] != '/')
    return false;
  return snprintf(path, ICL__PATH, "%s/icl/%s", cache, name) < ICL__PATH;
}

/* The lines, to be freed; NULL: there are none. */
static char *read_lines(const char *path) {
  char *text;
  size_t bytes;
  if (icl__file_read_all(path, MOST, &text, &bytes) != ICL_OK)
    return NULL;
  if (!strncmp(text, TITLE, strlen(TITLE)) && strlen(text) == bytes && text[bytes - 1] == '\n')
    return text;
  icl__free(text);
  return NULL;
}

static const char *next_line(const char *line) { return strchr(line, '\n') + 1; }

/* The value in the line that begins at `line`, up to its end; NULL: it is that of another key. */
static const char *value_of(const char *line, const char *key, size_t length) {
  return !strncmp(line, key, length) && !strncmp(line + length, ": ", 2) ? line + length + 2 : NULL;
}

bool icl__choice_read(const char *name, const char *key, char *value, size_t size) {
  char path[ICL__PATH];
  char *lines = find_path(name, path) ? read_lines(path) : NULL;
  bool found = false;
  for (const char *line = lines; line && *line && !found; line = next_line(line)) {
    const char *at = value_of(line, key, strlen(key));
    size_t length = at ? strcspn(at, "\n") : size;
    if (length >= size)
      continue;
    memcpy(value, at, length);
    value[length] = '\0';
    found = true;
  }
  icl__free(lines);
  return found;
}

/* Does one of the lines have the key of this one? */
static bool is_replaced(const char *line, const char *lines) {
  const char *end = strstr(line, ": ");
  for (const char *other = lines; end && *other; other = next_line(other))
    if (value_of(other, line, (size_t)(end - line)))
      return true;
  return false;
}

void icl__choices_add(const char *name, const char *lines) {
  char path[ICL__PATH], folder[ICL__PATH];
  if (!find_path(name, path))
    return;
  snprintf(folder, sizeof folder, "%.*s", (int)icl__folder_bytes(path) - 1, path);
  char *old = read_lines(path);
  icl__text text = {0};
  icl__say(&text, TITLE);
  for (const char *line = old ? next_line(old) : ""; *line; line = next_line(line))
    if (!is_replaced(line, lines))
      icl__say(&text, "%.*s\n", (int)strcspn(line, "\n"), line);
  icl__say(&text, "%s", lines);
  if (text.status == ICL_OK && icl__folder_make(folder) == ICL_OK)
    (void)icl__file_write(path, text.text, text.used);
  icl__free(text.text);
  icl__free(old);
}
