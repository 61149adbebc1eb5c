/* folder.c - lists an image folder. All names lie in one text, to which entries point by offsets, since it moves while
 * it grows; sets of a million images are ordinary. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"

enum { PATH = 4096, DEEPEST = 16 };

typedef struct {
  size_t folder, name; /* offsets into the text; the folder's path begins with that of the whole */
} entry;

/* A list of entries that grows. */
typedef struct {
  entry *item;
  size_t count, capacity;
} entries;

/* What icl_image_folder_open() returns is the first member of this. */
typedef struct {
  icl_image_folder set;
  char *text;
  size_t text_bytes, text_capacity;
  entries images, classes;
  int64_t *labels;
  size_t label_capacity;
  const char **names;
} folder;

/* Adds a text; -> its offset. */
static icl_status add_text(folder *f, const char *text, size_t *offset) {
  size_t bytes = strlen(text) + 1;
  char *grown = icl__grow(f->text, &f->text_capacity, f->text_bytes + bytes, 1);
  if (!grown)
    return ICL_ENOMEM;
  f->text = grown;
  memcpy(grown + f->text_bytes, text, bytes);
  *offset = f->text_bytes;
  f->text_bytes += bytes;
  return ICL_OK;
}

static icl_status add_entry(folder *f, entries *list, size_t place, const char *name) {
  entry *grown = icl__grow(list->item, &list->capacity, list->count + 1, sizeof *grown);
  if (!grown)
    return ICL_ENOMEM;
  list->item = grown;
  grown[list->count].folder = place;
  ICL__TRY(add_text(f, name, &grown[list->count].name));
  list->count++;
  return ICL_OK;
}

/* By folder, then by name, each byte by byte, as Python sorts. */
static int compare(const void *a, const void *b, void *context) {
  const entry *x = a, *y = b;
  const char *text = ((const folder *)context)->text;
  int order = x->folder == y->folder ? 0 : strcmp(text + x->folder, text + y->folder);
  return order ? order : strcmp(text + x->name, text + y->name);
}

static void sort(folder *f, entries *list, size_t first) {
  if (list->count > first)
    qsort_r(list->item + first, list->count - first, sizeof *list->item, compare, f);
}

/* ---- which files are images ---- */

/* Where in a list of suffixes that of the name is, capitals aside; -1: nowhere. */
static int find_suffix(const char *name, const char *const *suffixes) {
  size_t length = strlen(name);
  for (int i = 0; suffixes[i]; i++) {
    size_t bytes = strlen(suffixes[i]);
    if (length > bytes && strcasecmp(name + length - bytes, suffixes[i]) == 0)
      return i;
  }
  return -1;
}

static icl_status add_image(folder *f, const char *path, size_t place, const char *name) {
  static const char *const read[] = {".jpg", ".jpeg", ".png", NULL};
  static const char *const others[] = {".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", NULL};
  if (find_suffix(name, read) >= 0)
    return add_entry(f, &f->images, place, name);
  if (find_suffix(name, others) >= 0)
    return icl__fail(ICL_ENOTSUP,
                     "%s/%s: JPEG and PNG are read; convert it (`mogrify -format png FILES` does) or remove "
                     "it",
                     path, name);
  return ICL_OK; /* a list, a licence */
}

/* ---- walking ---- */

/* Is the entry a folder, or a link to one? */
static bool is_folder(DIR *place, const struct dirent *item) {
  struct stat about;
  if (item->d_type != DT_UNKNOWN && item->d_type != DT_LNK)
    return item->d_type == DT_DIR;
  return fstatat(dirfd(place), item->d_name, &about, 0) == 0 && S_ISDIR(about.st_mode);
}

static icl_status join(char path[PATH], const char *place, const char *name) {
  if (snprintf(path, PATH, "%s/%s", place, name) < PATH)
    return ICL_OK;
  return icl__fail(ICL_ENOTSUP, "%s/%s: a path of %d bytes or more", place, name, PATH);
}

static icl_status fail(const char *path, const char *tried) {
  int error = errno;
  return icl__fail(icl__status_of_errno(error), "%s: cannot %s: %s", path, tried, strerror(error));
}

/* Calls visit for each entry of a folder whose name does not begin with a dot. */
static icl_status for_each(folder *f, const char *path, int depth,
                           icl_status (*visit)(folder *f, const char *path, int depth, size_t place, const char *name,
                                               bool is_folder)) {
  DIR *place = opendir(path);
  size_t offset;
  if (!place)
    return fail(path, "open the folder");
  icl_status status = add_text(f, path, &offset);
  while (status == ICL_OK) {
    errno = 0;
    const struct dirent *item = readdir(place);
    if (!item) {
      status = errno ? fail(path, "list the folder") : ICL_OK;
      break;
    }
    if (item->d_name[0] != '.')
      status = visit(f, path, depth, offset, item->d_name, is_folder(place, item));
  }
  closedir(place);
  return status;
}

static icl_status visit_class(folder *f, const char *path, int depth, size_t place, const char *name, bool is_folder) {
  char below[PATH];
  if (!is_folder)
    return add_image(f, path, place, name);
  ICL__TRY(join(below, path, name));
  if (depth == DEEPEST)
    return icl__fail(ICL_ENOTSUP, "%s: more than %d folders deep; does a link lead back?", below, DEEPEST);
  return for_each(f, below, depth + 1, visit_class);
}

static icl_status visit_root(folder *f, const char *path, int depth, size_t place, const char *name, bool is_folder) {
  (void)path, (void)depth;
  return is_folder ? add_entry(f, &f->classes, place, name) : ICL_OK;
}

#define LAYOUT "; images lie in a folder for each class: %s/cat/1.jpg, %s/dog/1.jpg"

static icl_status list_classes(folder *f, const char *root) {
  struct stat about;
  if (stat(root, &about) != 0)
    return icl__fail(icl__status_of_errno(errno), "%s: %s" LAYOUT, root, strerror(errno), root, root);
  if (!S_ISDIR(about.st_mode))
    return icl__fail(ICL_ENOENT, "%s: it is a file, not a folder" LAYOUT, root, root, root);
  ICL__TRY(for_each(f, root, 0, visit_root));
  if (f->classes.count == 0)
    return icl__fail(ICL_ENOENT, "%s: there is no folder in it" LAYOUT, root, root, root);
  sort(f, &f->classes, 0);
  return ICL_OK;
}

static icl_status list_images(folder *f, const char *root, size_t k) {
  char path[PATH];
  size_t first = f->images.count;
  ICL__TRY(join(path, root, f->text + f->classes.item[k].name));
  ICL__TRY(for_each(f, path, 1, visit_class));
  if (f->images.count == first)
    return icl__fail(ICL_ENOENT,
                     "%s: no image is in the folder of this class (names end in .jpg, .jpeg or .png); "
                     "remove the folder if it is none",
                     path);
  if (f->images.count > INT32_MAX)
    return icl__fail(ICL_ENOTSUP, "%s: more than 2^31 - 1 images", root);
  sort(f, &f->images, first);
  int64_t *grown = icl__grow(f->labels, &f->label_capacity, f->images.count, sizeof *grown);
  if (!grown)
    return ICL_ENOMEM;
  f->labels = grown;
  for (size_t i = first; i < f->images.count; i++)
    f->labels[i] = (int64_t)k;
  return ICL_OK;
}

static icl_status list(folder *f, const char *root) {
  size_t classes, path;
  ICL__TRY(add_text(f, root, &path));
  ICL__TRY(list_classes(f, root));
  classes = f->classes.count;
  for (size_t k = 0; k < classes; k++)
    ICL__TRY(list_images(f, root, k));
  f->names = icl__alloc(classes, sizeof *f->names);
  if (!f->names)
    return ICL_ENOMEM;
  for (size_t k = 0; k < classes; k++)
    f->names[k] = f->text + f->classes.item[k].name;
  f->set = (icl_image_folder){.path = f->text + path,
                              .count = (int)f->images.count,
                              .classes = (int)classes,
                              .class_names = f->names,
                              .labels = f->labels};
  return ICL_OK;
}

icl_status icl_image_folder_open(const char *path, icl_image_folder **result) {
  char expanded[ICL__PATH];
  ICL__TRY(icl__path_expand(&path, expanded));
  folder *f = icl__calloc(1, sizeof *f);
  icl_status status = f ? list(f, path) : ICL_ENOMEM;
  if (status == ICL_OK)
    *result = &f->set;
  else if (f)
    icl_image_folder_free(&f->set);
  return status == ICL_ENOMEM ? icl__wrap(status, "%s", path) : status;
}

void icl_image_folder_free(icl_image_folder *set) {
  folder *f = (folder *)set;
  if (!f)
    return;
  icl__free(f->text);
  icl__free(f->images.item);
  icl__free(f->classes.item);
  icl__free(f->labels);
  icl__free(f->names);
  icl__free(f);
}

icl_status icl_image_folder_file(const icl_image_folder *set, int image, char *path, size_t room) {
  const folder *f = (const folder *)set;
  if (image < 0 || image >= set->count)
    return icl__fail(ICL_EINVAL, "%s: there is no image %d; they go from 0 to %d", set->path, image, set->count - 1);
  const entry *e = &f->images.item[image];
  if ((size_t)snprintf(path, room, "%s/%s", f->text + e->folder, f->text + e->name) >= room)
    return icl__fail(ICL_ENOTSUP, "%s/%s: a path of %zu bytes or more", f->text + e->folder, f->text + e->name, room);
  return ICL_OK;
}
