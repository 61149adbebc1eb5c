/* folder.h - what an image folder is made of, and what its names are tested for. */
#ifndef ICL_DATA_FOLDER_H
#define ICL_DATA_FOLDER_H

#include "base/file.h"

/* All names lie in one text, to which entries point by offsets, since it moves while it grows; sets of a million images
 * are ordinary. */
typedef struct {
  size_t folder, name; /* offsets into the text; the folder's path begins with that of the whole */
} icl__entry;

/* A list of entries that grows. */
typedef struct {
  icl__entry *item;
  size_t count, capacity;
} icl__entries;

/* What icl_image_folder_open() returns is the first member of this. */
typedef struct {
  icl_image_folder set;
  char *text;
  size_t text_bytes, text_capacity;
  icl__entries images, classes;
  int64_t *labels;
  size_t label_capacity;
  const char **names;
} icl__folder;

/* ---- names.c ---- */

/* Folders that systems and programs make for themselves: previews, thrown away files, what an archive of another system
 * brings. Names that begin with a dot are left out as well, and are not asked for here. */
bool icl__is_system_folder(const char *name);

/* The end of a file's name says that it is an image of a set: the names are those that torchvision takes. Other images
 * that can be read are left out, as torchvision leaves them out, so that a folder is the same set for both. */
bool icl__is_image_name(const char *name);
bool icl__is_other_image_name(const char *name);

/* Is it what the parts of a set are called: train, val, test? */
bool icl__is_part_name(const char *name);

/* Are these two forms of one name in Unicode, "e-acute" as one character or as a letter and an accent? Looked at are
 * the letters of U+00C0 to U+017F with one accent, thus the languages of Europe; letters with two accents and other
 * scripts are not. */
bool icl__is_same_name(const char *a, const char *b);

/* EINVAL if two classes have names that are one name in Unicode. */
icl_status icl__class_names_check(const char *path, int classes, const char *const *names);

/* ---- near.c: where something was looked for in vain, what is there instead ---- */

/* The first folder in `folder`, by name, of which `fits` says that it is what was meant. */
bool icl__near_folder(const char *folder, bool (*fits)(const char *path, const void *context), const void *context,
                      char result[ICL__PATH]);
/* The first archive in it. */
bool icl__near_archive(const char *folder, char result[ICL__PATH]);
bool icl__is_archive(const char *path);

#endif
