/* folder.c - lists an image folder. */
#include "data/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

enum { DEEPEST = 16 };

typedef icl__folder folder;
typedef icl__entry entry;
typedef icl__entries entries;

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

/* ---- walking ---- */

static icl_status add_image(folder *f, size_t place, const char *name) {
  if (icl__is_image_name(name))
    return add_entry(f, &f->images, place, name);
  f->set.skipped += icl__is_other_image_name(name);
  return ICL_OK; /* what is not counted is a list, a licence */
}

/* Is the entry a folder, or a link to one? */
static bool is_folder(DIR *place, const struct dirent *item) {
  struct stat about;
  if (item->d_type != DT_UNKNOWN && item->d_type != DT_LNK)
    return item->d_type == DT_DIR;
  return fstatat(dirfd(place), item->d_name, &about, 0) == 0 && S_ISDIR(about.st_mode);
}

static icl_status join(char path[ICL__PATH], const char *place, const char *name) {
  if (snprintf(path, ICL__PATH, "%s/%s", place, name) < ICL__PATH)
    return ICL_OK;
  return icl__fail(ICL_ENOTSUP, "%s/%s: a path of %d bytes or more", place, name, ICL__PATH);
}

/* Is the entry one that is left out? Those that would not be listed anyway are not counted. */
static bool skip(folder *f, const char *name, bool is_folder) {
  bool left_out = name[0] == '.' || (is_folder && icl__is_system_folder(name));
  if (left_out && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
    f->set.skipped += is_folder || icl__is_image_name(name);
  return left_out;
}

/* Calls visit for each entry of a folder that is not left out. */
static icl_status for_each(folder *f, const char *path, int depth,
                           icl_status (*visit)(folder *f, const char *path, int depth, size_t place, const char *name,
                                               bool is_folder)) {
  DIR *place = opendir(path);
  size_t offset;
  if (!place)
    return icl__file_fail(path, "open the folder");
  icl_status status = add_text(f, path, &offset);
  while (status == ICL_OK) {
    errno = 0;
    const struct dirent *item = readdir(place);
    if (!item) {
      status = errno ? icl__file_fail(path, "list the folder") : ICL_OK;
      break;
    }
    bool below = is_folder(place, item);
    if (!skip(f, item->d_name, below))
      status = visit(f, path, depth, offset, item->d_name, below);
  }
  closedir(place);
  return status;
}

static icl_status visit_class(folder *f, const char *path, int depth, size_t place, const char *name, bool is_folder) {
  char below[ICL__PATH];
  if (!is_folder)
    return add_image(f, place, name);
  ICL__TRY(join(below, path, name));
  if (depth == DEEPEST)
    return icl__fail(ICL_ENOTSUP, "%s: more than %d folders deep; does a link lead back?", below, DEEPEST);
  return for_each(f, below, depth + 1, visit_class);
}

static icl_status visit_root(folder *f, const char *path, int depth, size_t place, const char *name, bool is_folder) {
  (void)path, (void)depth;
  if (is_folder)
    return add_entry(f, &f->classes, place, name);
  f->set.skipped += icl__is_image_name(name); /* it lies beside the classes */
  return ICL_OK;
}

/* ---- a folder that is not there ---- */

#define LAYOUT "; images lie in a folder for each class: %s/cat/1.jpg, %s/dog/1.jpg"

static bool has_folder(const char *path, const void *name) {
  char below[ICL__PATH];
  struct stat about;
  return snprintf(below, sizeof below, "%s/%s", path, (const char *)name) < ICL__PATH && stat(below, &about) == 0 &&
         S_ISDIR(about.st_mode);
}

/* Another name of the part of a set that was looked for: many sets say "validation" where icl reads val. */
static bool find_other_name(const char *above, const char *name, char near[ICL__PATH]) {
  static const char *const others[][2] = {
      {"train", "training"}, {"val", "validation"}, {"val", "valid"}, {"val", "test"}, {"val", "testing"}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (strcmp(name, others[i][0]) == 0 && has_folder(above, others[i][1]))
      return join(near, above, others[i][1]) == ICL_OK;
  return false;
}

/* The one above it may have it under another name, one level further down, or as an archive. */
static icl_status is_missing(const char *root, int error) {
  char above[ICL__PATH] = ".", near[ICL__PATH];
  const char *slash = strrchr(root, '/'), *name = slash ? slash + 1 : root;
  if (slash)
    snprintf(above, sizeof above, "%.*s", (int)(slash - root), root);
  icl_status status = icl__status_of_errno(error);
  if (*name && icl__near_folder(above, has_folder, name, near))
    return icl__fail(status, "%s: %s; it is one level further down: %s/%s", root, strerror(error), near, name);
  if (find_other_name(above, name, near))
    return icl__fail(status, "%s: %s; there is %s: if that is meant, rename it or make a link to it", root,
                     strerror(error), near);
  if (icl__near_archive(above, near))
    return icl__fail(status, "%s: %s; there is %s: if that is the set, unpack it" LAYOUT, root, strerror(error), near,
                     root, root);
  return icl__fail(status, "%s: %s" LAYOUT, root, strerror(error), root, root);
}

/* ---- classes and their images ---- */

static icl_status list_classes(folder *f, const char *root) {
  struct stat about;
  if (stat(root, &about) != 0)
    return is_missing(root, errno);
  if (!S_ISDIR(about.st_mode) && icl__is_archive(root))
    return icl__fail(ICL_ENOENT, "%s: it is an archive; unpack it and give the folder that comes out" LAYOUT, root,
                     root, root);
  if (!S_ISDIR(about.st_mode))
    return icl__fail(ICL_ENOENT, "%s: it is a file, not a folder" LAYOUT, root, root, root);
  ICL__TRY(for_each(f, root, 0, visit_root));
  char archive[ICL__PATH];
  if (f->classes.count == 0 && icl__near_archive(root, archive))
    return icl__fail(ICL_ENOENT, "%s: there is no folder in it, but %s: if that is the set, unpack it", root, archive);
  if (f->classes.count == 0)
    return icl__fail(ICL_ENOENT, "%s: there is no folder in it%s" LAYOUT, root,
                     f->set.skipped ? ", but images of which nothing says the class" : "", root, root);
  sort(f, &f->classes, 0);
  return ICL_OK;
}

static const char *class_name(const folder *f, size_t k) { return f->text + f->classes.item[k].name; }

static icl_status list_images(folder *f, const char *root, size_t k) {
  char path[ICL__PATH];
  size_t first = f->images.count;
  ICL__TRY(join(path, root, class_name(f, k)));
  ICL__TRY(for_each(f, path, 1, visit_class));
  if (f->images.count == first)
    return icl__fail(ICL_ENOENT,
                     "%s: no image is in the folder of this class (names end in .jpg, .jpeg, .png, .webp, "
                     ".tif, .tiff, .bmp, .ppm or .pgm); "
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

/* Does every image lie in a folder below that of its class? */
static bool all_are_deeper(const folder *f, const char *root) {
  for (size_t i = 0; i < f->images.count; i++) {
    const char *name = class_name(f, (size_t)f->labels[i]), *below = f->text + f->images.item[i].folder + strlen(root);
    if (strcmp(below + 1, name) == 0)
      return false;
  }
  return true;
}

/* An archive that was unpacked into a folder of its name, and a folder above the parts of a set, look like classes. */
static icl_status check_level(const folder *f, const char *root) {
  size_t classes = f->classes.count, parts = 0;
  if (!all_are_deeper(f, root))
    return ICL_OK;
  if (classes == 1)
    return icl__fail(ICL_EINVAL,
                     "%s: its only folder is %s, and all images lie in folders below that; if those are the classes, "
                     "give %s/%s, one level down, or move what is in it up",
                     root, class_name(f, 0), root, class_name(f, 0));
  for (size_t k = 0; k < classes; k++)
    parts += icl__is_part_name(class_name(f, k));
  if (parts < classes)
    return ICL_OK;
  return icl__fail(ICL_EINVAL, "%s: %s, %s are the parts of a set, not its classes; give one of them: %s/%s", root,
                   class_name(f, 0), class_name(f, 1), root, class_name(f, 0));
}

/* What users see of a folder whose text no longer moves; `path` is where that of the whole is in it. */
static icl_status finish(folder *f, size_t path) {
  size_t classes = f->classes.count;
  f->names = icl__alloc(classes, sizeof *f->names);
  if (!f->names)
    return ICL_ENOMEM;
  for (size_t k = 0; k < classes; k++)
    f->names[k] = class_name(f, k);
  f->set.path = f->text + path;
  f->set.count = (int)f->images.count;
  f->set.classes = (int)classes;
  f->set.class_names = f->names;
  f->set.labels = f->labels;
  return ICL_OK;
}

static icl_status list(folder *f, const char *root) {
  size_t path;
  ICL__TRY(add_text(f, root, &path));
  ICL__TRY(list_classes(f, root));
  for (size_t k = 0; k < f->classes.count; k++)
    ICL__TRY(list_images(f, root, k));
  ICL__TRY(check_level(f, root));
  ICL__TRY(finish(f, path));
  return icl__class_names_check(root, f->set.classes, f->names);
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

/* ---- folders one after another ---- */

static icl_status append(folder *to, const folder *from) {
  size_t text = to->text_bytes, count = (size_t)from->set.count, total = to->images.count + count;
  if (total > INT32_MAX)
    return icl__fail(ICL_ENOTSUP, "%s: more than 2^31 - 1 images with those of other folders", from->set.path);
  char *grown_text = icl__grow(to->text, &to->text_capacity, text + from->text_bytes, 1);
  to->text = grown_text ? grown_text : to->text;
  entry *grown = icl__grow(to->images.item, &to->images.capacity, total, sizeof *grown);
  to->images.item = grown ? grown : to->images.item;
  int64_t *grown_labels = icl__grow(to->labels, &to->label_capacity, total, sizeof *grown_labels);
  to->labels = grown_labels ? grown_labels : to->labels;
  if (!grown_text || !grown || !grown_labels)
    return ICL_ENOMEM;
  memcpy(to->text + text, from->text, from->text_bytes);
  memcpy(to->labels + to->images.count, from->labels, count * sizeof *to->labels);
  for (size_t i = 0; i < count; i++) {
    entry e = from->images.item[i];
    to->images.item[to->images.count++] = (entry){text + e.folder, text + e.name};
  }
  to->text_bytes += from->text_bytes;
  to->set.skipped += from->set.skipped;
  to->set.dropped += from->set.dropped;
  return ICL_OK;
}

static icl_status concat(folder *f, int count, const icl_image_folder *const *folders) {
  const folder *first = (const folder *)folders[0];
  for (int k = 0; k < count; k++) {
    ICL__TRY(icl_image_folder_compare(folders[0], folders[k]));
    ICL__TRY(append(f, (const folder *)folders[k]));
  }
  for (size_t k = 0; k < first->classes.count; k++)
    ICL__TRY(add_entry(f, &f->classes, 0, class_name(first, k)));
  return finish(f, (size_t)(first->set.path - first->text)); /* its text came first */
}

icl_status icl_image_folder_concat(int count, const icl_image_folder *const *folders, icl_image_folder **result) {
  if (count < 1)
    return icl__fail(ICL_EINVAL, "image folders: there are none to put together");
  folder *f = icl__calloc(1, sizeof *f);
  icl_status status = f ? concat(f, count, folders) : ICL_ENOMEM;
  if (status == ICL_OK)
    *result = &f->set;
  else if (f)
    icl_image_folder_free(&f->set);
  return status == ICL_ENOMEM ? icl__wrap(status, "%s", folders[0]->path) : status;
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
