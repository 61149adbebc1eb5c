/* plugin.c - see plugin.h. */
#include "base/plugin.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

/* ---- where they are looked for ---- */

enum { PLACES = 16 };

typedef struct {
  int count;
  char path[PLACES][ICL__PATH];
} places;

static void add_place(places *p, const char *path, size_t length) {
  if (length && length < ICL__PATH && p->count < PLACES)
    snprintf(p->path[p->count++], ICL__PATH, "%.*s", (int)length, path);
}

/* The folder of what this is part of. A program is known by the name that it was called by, which may be no path. */
static void add_own_folder(places *p) {
  static const char here;
  Dl_info own;
  char path[ICL__PATH];
  if (!dladdr(&here, &own) || !own.dli_fname)
    return;
  if (!realpath(strchr(own.dli_fname, '/') ? own.dli_fname : "/proc/self/exe", path))
    return;
  const char *slash = strrchr(path, '/');
  add_place(p, path, slash ? (size_t)(slash - path) : 0);
}

static places *find_places(void) {
  places *p = icl__calloc(1, sizeof *p);
  const char *at = getenv("ICL_PLUGINS");
  for (size_t length; p && at && *at; at += length + (at[length] == ':')) {
    length = strcspn(at, ":");
    add_place(p, at, length);
  }
  if (p) {
    add_own_folder(p);
    add_place(p, ICL_PLUGIN_FOLDER, strlen(ICL_PLUGIN_FOLDER));
  }
  return p;
}

/* ---- opening ---- */

static icl_status open_file(const char *path, const char *function, void **symbol) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return icl__fail(ICL_ENOTSUP, "%s", dlerror()); /* begins with the path */
  *symbol = dlsym(handle, function);
  return *symbol ? ICL_OK : icl__fail(ICL_ENOTSUP, "%s has no function %s", path, function);
}

static icl_status missing(const char *name, const places *p) {
  icl__text list = {0};
  for (int i = 0; i < p->count; i++)
    icl__say(&list, "%s%s", i ? ", " : "", p->path[i]);
  icl_status status = icl__fail(ICL_ENOENT, "there is no libicl_%s.so in %s; ICL_PLUGINS names other folders", name,
                                list.text ? list.text : "any folder");
  icl__free(list.text);
  return status;
}

icl_status icl__plugin_open(const char *name, const char *function, void **symbol) {
  places *p = find_places();
  if (!p)
    return ICL_ENOMEM;
  icl_status status = missing(name, p);
  for (int i = 0; i < p->count && status == ICL_ENOENT; i++) {
    char path[ICL__PATH + 64];
    int length = snprintf(path, sizeof path, "%s/libicl_%s.so", p->path[i], name);
    if (length < (int)sizeof path && access(path, F_OK) == 0)
      status = open_file(path, function, symbol);
  }
  icl__free(p);
  return status;
}

icl_status icl__plugin_outdated(const char *name) {
  return icl__fail(ICL_ENOTSUP, "libicl_%s.so was built for another version of icl; build both from one source", name);
}

/* ---- listing ---- */

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int is_plugin(const struct dirent *entry) {
  size_t length = strlen(entry->d_name), least = strlen("libicl_.so");
  return length > least && !strncmp(entry->d_name, "libicl_", 7) && !strcmp(entry->d_name + length - 3, ".so");
}

/* Is this line among the names? */
static bool is_there(const icl__text *names, const char *line) {
  size_t length = strlen(line);
  for (const char *at = names->text; at && *at; at += strcspn(at, "\n") + 1)
    if (!strncmp(at, line, length))
      return true;
  return false;
}

void icl__plugin_names(icl__text *names) {
  places *p = find_places();
  for (int i = 0; p && i < p->count; i++) {
    struct dirent **entry;
    int count = scandir(p->path[i], &entry, is_plugin, by_name);
    for (int k = 0; k < count; k++) {
      char line[sizeof entry[k]->d_name + 1];
      snprintf(line, sizeof line, "%.*s\n", (int)strlen(entry[k]->d_name) - 10, entry[k]->d_name + 7);
      if (!is_there(names, line))
        icl__say(names, "%s", line);
      free(entry[k]);
    }
    if (count >= 0)
      free(entry);
  }
  icl__free(p);
}
