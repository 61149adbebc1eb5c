/* locate.c - finds the folder and the files of an image set. */
#include "data/sets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/folder.h"

/* "folder/name" and the suffix; false if that is too long for a path. */
static bool join(char path[ICL__PATH], const char *folder, const char *name, const char *suffix) {
  int length = snprintf(path, ICL__PATH, "%s/%s%s", folder, name, suffix);
  return length >= 0 && length < ICL__PATH;
}

/* The name as programs for Windows write it, which turn what is behind the last dash into a suffix:
 * train-images.idx3-ubyte. */
static bool with_dot(const char *name, char dotted[64]) {
  const char *dash = strstr(name, "-idx");
  if (!dash || strlen(name) >= 64)
    return false;
  strcpy(dotted, name);
  dotted[dash - name] = '.';
  return true;
}

static bool is_file(const char *path) {
  struct stat about;
  return stat(path, &about) == 0 && !S_ISDIR(about.st_mode);
}

/* A folder of the file's name does not count: one archive of MNIST has both. */
static bool find_file(const char *folder, const char *name, char path[ICL__PATH]) {
  char dotted[64];
  const char *const names[] = {name, with_dot(name, dotted) ? dotted : NULL};
  for (int i = 0; i < 2 && names[i]; i++)
    if ((join(path, folder, names[i], "") && is_file(path)) || (join(path, folder, names[i], ".gz") && is_file(path)))
      return true;
  return false;
}

icl_status icl__set_file(const icl__set *set, const char *folder, const char *name, char result[ICL__PATH]) {
  if (find_file(folder, name, result))
    return ICL_OK;
  return icl__fail(ICL_ENOENT, "%s/%s is missing%s, and %s needs it; %s has it", folder, name,
                   set->format == ICL__SET_IDX ? ", also with .gz behind its name" : "", set->name, set->origin);
}

/* Whether a folder has any file of a part, so that a set with a missing file is found and the file is named. */
static bool holds(const icl__set *set, icl_part part, const char *folder) {
  char path[ICL__PATH];
  for (int i = 0; i < ICL__SET_FILES && set->files[part][i]; i++)
    if (find_file(folder, set->files[part][i], path))
      return true;
  return false;
}

/* Below `root`: a folder named like the set, or the folder of an unpacked archive, maybe inside of it. */
static bool search_form(const icl__set *set, icl_part part, const char *root, char result[ICL__PATH]) {
  char own[ICL__PATH];
  for (int i = 0; i < ICL__SET_FOLDERS && set->folders[i]; i++)
    if (join(result, root, set->folders[i], "") && holds(set, part, result))
      return true;
  for (int i = 1; i < ICL__SET_FOLDERS && set->folders[i]; i++)
    if (join(own, root, set->name, "") && join(result, own, set->folders[i], "") && holds(set, part, result))
      return true;
  return false;
}

/* The form of the set that is below `root`; NULL: none is. */
static const icl__set *search(const icl__set *set, icl_part part, const char *root, char result[ICL__PATH]) {
  while (set && !search_form(set, part, root, result))
    set = set->other;
  return set;
}

/* The form of the set whose files lie in a folder; NULL: none does. */
static const icl__set *held_form(const icl__set *set, icl_part part, const char *folder) {
  while (set && !holds(set, part, folder))
    set = set->other;
  return set;
}

/* ---- what is searched ---- */

enum { LIST = 384 };

/* Adds an entry to a list; one that is too long ends in dots. */
static void append(char text[LIST], const char *entry) {
  size_t used = strlen(text);
  if (snprintf(text + used, LIST - used, "%s%s", used ? ", " : "", entry) >= (int)(LIST - used))
    strcpy(text + LIST - 4, "...");
}

static const char *list(const char *const *names, int most, char text[LIST]) {
  text[0] = 0;
  for (int i = 0; i < most && names[i]; i++)
    append(text, names[i]);
  return text;
}

/* A folder of the user by the XDG base directory specification: `variable`, which must be absolute, or
 * $HOME/`fallback`; in it the folder icl. */
static bool user_folder(const char *variable, const char *fallback, char path[ICL__PATH]) {
  const char *value = getenv(variable), *home = getenv("HOME");
  char folder[ICL__PATH];
  if (value && value[0] == '/')
    return join(path, value, "icl", "");
  return home && home[0] && join(folder, home, fallback, "") && join(path, folder, "icl", "");
}

bool icl__set_home(char path[ICL__PATH]) { return user_folder("XDG_DATA_HOME", ".local/share", path); }

bool icl__set_cache(char path[ICL__PATH]) { return user_folder("XDG_CACHE_HOME", ".cache", path); }

enum { PLACES = 5 };

/* The standard places, in order of preference; -> how many. */
static int standard_places(char places[PLACES][ICL__PATH]) {
  static const char *const system[] = {"/usr/local/share/icl", "/usr/share/icl", "/usr/share/datasets"};
  int count = 0;
  count += icl__set_home(places[count]);
  count += icl__set_cache(places[count]);
  for (int i = 0; i < 3; i++)
    strcpy(places[count++], system[i]);
  return count;
}

static icl_status locate_standard(const icl__set *set, icl_part part, const icl__set **form, char result[ICL__PATH]) {
  char places[PLACES][ICL__PATH], searched[LIST] = "", folders[LIST], files[LIST];
  int count = standard_places(places);
  for (int i = 0; i < count; i++) {
    if ((*form = search(set, part, places[i], result)))
      return ICL_OK;
    append(searched, places[i]);
  }
  return icl__fail(
      ICL_ENOENT,
      "%s is not on this machine: none of %s has a folder %s with the files %s; %s has them, `icl data fetch %s` gets "
      "them, and --data DIR names another place",
      set->name, searched, list(set->folders, ICL__SET_FOLDERS, folders), list(set->files[part], ICL__SET_FILES, files),
      set->origin, set->name);
}

/* ---- a folder that somebody named ---- */

/* What icl__near_folder() is asked for. */
typedef struct {
  const icl__set *set;
  icl_part part;
} wanted;

static bool has_set(const char *path, const void *context) {
  const wanted *w = context;
  char found[ICL__PATH];
  return held_form(w->set, w->part, path) || search(w->set, w->part, path, found);
}

/* What is there in place of the set, and what to do. */
static const char *advise(const icl__set *set, icl_part part, const char *folder, char text[LIST + ICL__PATH]) {
  wanted w = {set, part};
  char near[ICL__PATH];
  if (icl__near_folder(folder, has_set, &w, near))
    snprintf(text, LIST + ICL__PATH, "; it is one level further down: give %s", near);
  else if (icl__near_archive(folder, near))
    snprintf(text, LIST + ICL__PATH, "; there is %s: if that is the set, unpack it", near);
  else
    snprintf(text, LIST + ICL__PATH, "; `icl data fetch %s --data %s` gets them", set->name, folder);
  return text;
}

/* errno says why not. */
static bool can_enter(const char *folder) {
  char inside[ICL__PATH];
  if (join(inside, folder, ".", ""))
    return access(inside, X_OK) == 0;
  errno = ENAMETOOLONG;
  return false;
}

static icl_status locate_below(const icl__set *set, icl_part part, const char *folder, const icl__set **form,
                               char result[ICL__PATH]) {
  char folders[LIST], files[LIST], advice[LIST + ICL__PATH];
  if (is_file(folder))
    return icl__fail(ICL_ENOENT, "%s: it is %s, and %s is read from a folder; %s", folder,
                     icl__is_archive(folder) ? "an archive" : "a file", set->name,
                     icl__is_archive(folder) ? "unpack it and give the folder that comes out"
                                             : "give the one that it lies in");
  if (!can_enter(folder))
    return icl__fail(icl__status_of_errno(errno), "%s: cannot open it to read %s: %s", folder, set->name,
                     strerror(errno));
  if ((*form = search(set, part, folder, result)))
    return ICL_OK;
  if ((*form = held_form(set, part, folder))) {
    strcpy(result, folder);
    return ICL_OK;
  }
  return icl__fail(ICL_ENOENT, "%s: %s is not there: the files %s should be in it or in its folder %s; %s has them%s",
                   folder, set->name, list(set->files[part], ICL__SET_FILES, files),
                   list(set->folders, ICL__SET_FOLDERS, folders), set->origin, advise(set, part, folder, advice));
}

icl_status icl__set_locate(const icl__set *set, icl_part part, const char *folder, const icl__set **form,
                           char result[ICL__PATH]) {
  return folder ? locate_below(set, part, folder, form, result) : locate_standard(set, part, form, result);
}
