/* dataset.c - one part of an image set, read from its files. */
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/cifar.h"
#include "data/idx.h"
#include "data/sets.h"

/* What icl_dataset_read() returns is the first member of this. */
typedef struct {
  icl_dataset set;
  char folder[ICL__PATH];
  int64_t *labels;
  uint8_t *images;    /* of CIFAR */
  icl__idx idx;       /* of IDX: the images */
  char *names;        /* the class names, a line each */
  const char **class; /* into names */
} open_set;

/* ---- IDX: a file of images and one of labels ---- */

static icl_status check_images(const icl__set *set, const char *path, const icl__idx *idx) {
  const int32_t *shape = idx->shape;
  if (shape[0] == 0)
    return icl__fail(ICL_EFORMAT, "%s: there is no image in it", path);
  if (shape[1] != set->height || shape[2] != set->width)
    return icl__fail(ICL_EFORMAT, "%s: its images are %d x %d; those of %s are %d x %d", path, shape[1], shape[2],
                     set->name, set->height, set->width);
  return ICL_OK;
}

static icl_status copy_labels(open_set *s, const icl__set *set, const char *path, const icl__idx *idx) {
  int count = s->set.count, first = 8; /* first: the byte of the file after magic and size */
  if (idx->shape[0] != count)
    return icl__fail(ICL_EFORMAT, "%s: it has %d labels, but there are %d images", path, idx->shape[0], count);
  s->labels = icl__alloc((size_t)count, sizeof *s->labels);
  if (!s->labels)
    return icl__wrap(ICL_ENOMEM, "%s", path);
  for (int n = 0; n < count; n++) {
    if (idx->data[n] >= set->classes)
      return icl__fail(ICL_EFORMAT, "%s: byte %d of its contents gives image %d the label %d; they go from 0 to %d",
                       path, first + n, n, idx->data[n], set->classes - 1);
    s->labels[n] = idx->data[n];
  }
  return ICL_OK;
}

static icl_status read_idx(open_set *s, const icl__set *set, icl_part part) {
  char path[ICL__PATH];
  icl__idx labels;
  ICL__TRY(icl__set_file(set, s->folder, set->files[part][0], path));
  ICL__TRY(icl__idx_open(path, 3, &s->idx));
  ICL__TRY(check_images(set, path, &s->idx));
  s->set.count = s->idx.shape[0];
  s->set.images = s->idx.data;
  ICL__TRY(icl__set_file(set, s->folder, set->files[part][1], path));
  ICL__TRY(icl__idx_open(path, 1, &labels));
  icl_status status = copy_labels(s, set, path, &labels);
  icl__idx_close(&labels);
  return status;
}

/* ---- CIFAR: files of records ---- */

static icl_status read_cifar(open_set *s, const icl__set *set, icl_part part) {
  int files = 0, records = set->records[part];
  while (files < ICL__SET_FILES && set->files[part][files])
    files++;
  size_t image = (size_t)(set->height * set->width * set->channels);
  s->set.count = files * records;
  s->images = icl__alloc((size_t)s->set.count, image);
  s->labels = icl__alloc((size_t)s->set.count, sizeof *s->labels);
  if (!s->images || !s->labels)
    return icl__wrap(ICL_ENOMEM, "%s", set->name);
  for (int i = 0; i < files; i++) {
    char path[ICL__PATH];
    size_t first = (size_t)i * (size_t)records;
    ICL__TRY(icl__set_file(set, s->folder, set->files[part][i], path));
    ICL__TRY((set->format == ICL__SET_CIFAR ? icl__cifar_read : icl__cifar_python_read)(
        set, path, records, s->images + first * image, s->labels + first));
  }
  s->set.images = s->images;
  return ICL_OK;
}

/* ---- class names ---- */

enum { MOST_NAMES = 1 << 20 }; /* bytes of their file: a thousand names of a thousand letters */

/* The lines of a text that are not empty, at most `most` of them; -> how many there are. */
static int split_lines(char *text, int most, const char **lines) {
  int count = 0;
  char *rest = text;
  for (char *line; (line = strsep(&rest, "\r\n"));)
    if (*line && ++count <= most)
      lines[count - 1] = line;
  return count;
}

/* From the file where that is there, else from the table. */
static icl_status read_names(open_set *s, const icl__set *set) {
  char path[ICL__PATH];
  s->set.class_names = set->class_names;
  if (!set->names_file || icl__set_file(set, s->folder, set->names_file, path) != ICL_OK)
    return ICL_OK;
  size_t bytes;
  if (set->format == ICL__SET_CIFAR_PYTHON)
    ICL__TRY(icl__cifar_python_names(set, path, &s->names));
  else
    ICL__TRY(icl__file_read_all(path, MOST_NAMES, &s->names, &bytes));
  s->class = icl__alloc((size_t)set->classes, sizeof *s->class);
  if (!s->class)
    return icl__wrap(ICL_ENOMEM, "%s", path);
  int count = split_lines(s->names, set->classes, s->class);
  if (count != set->classes)
    return icl__fail(ICL_EFORMAT, "%s: it has the names of %d classes; %s has %d", path, count, set->name,
                     set->classes);
  s->set.class_names = s->class;
  return ICL_OK;
}

/* ---- a part of a set ---- */

static icl_status read_part(open_set *s, const icl__set *set, icl_part part, const char *folder) {
  s->set = (icl_dataset){.name = set->name,
                         .folder = s->folder,
                         .height = set->height,
                         .width = set->width,
                         .channels = set->channels,
                         .classes = set->classes,
                         .mean = set->mean,
                         .std = set->std};
  ICL__TRY(icl__set_locate(set, part, folder, &set, s->folder));
  ICL__TRY(set->format == ICL__SET_IDX ? read_idx(s, set, part) : read_cifar(s, set, part));
  s->set.labels = s->labels;
  return read_names(s, set);
}

icl_status icl_dataset_read(const char *name, const char *folder, icl_part part, icl_dataset **result) {
  const icl__set *set;
  char expanded[ICL__PATH];
  ICL__TRY(icl__set_find(name, &set));
  if (part != ICL_TRAIN && part != ICL_TEST)
    return icl__fail(ICL_EINVAL, "%s: there is no part of number %d", name, (int)part);
  if (folder)
    ICL__TRY(icl__path_expand(&folder, expanded));
  open_set *s = icl__calloc(1, sizeof *s);
  if (!s)
    return icl__wrap(ICL_ENOMEM, "%s", name);
  icl_status status = read_part(s, set, part, folder);
  if (status == ICL_OK)
    *result = &s->set;
  else
    icl_dataset_free(&s->set);
  return status;
}

void icl_dataset_free(icl_dataset *dataset) {
  open_set *s = (open_set *)dataset;
  if (!s)
    return;
  icl__idx_close(&s->idx);
  icl__free(s->labels);
  icl__free(s->images);
  icl__free(s->names);
  icl__free(s->class);
  icl__free(s);
}
