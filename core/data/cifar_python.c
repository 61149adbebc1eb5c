/* cifar_python.c - reads the files of CIFAR-10 and CIFAR-100 for Python, as torchvision leaves them: pickles of
 * dictionaries. */
#include "data/cifar.h"

#include "base/memory.h"
#include "base/text.h"
#include "data/pickle.h"

/* Rows of red, green and blue planes -> the channels of a pixel side by side. */
static void copy_images(const icl__set *set, const icl__pickle_matrix *m, uint8_t *images) {
  int pixels = set->height * set->width;
  for (int64_t n = 0; n < m->rows; n++)
    for (int c = 0; c < set->channels; c++) {
      const unsigned char *plane = m->data + n * m->row_step + (int64_t)c * pixels * m->column_step;
      for (int i = 0; i < pixels; i++)
        images[(n * pixels + i) * set->channels + c] = plane[i * m->column_step];
    }
}

static icl_status read_images(const icl__set *set, const char *path, const icl__pickle *p, int records,
                              uint8_t *images) {
  icl__pickle_matrix m;
  int columns = set->height * set->width * set->channels;
  if (!icl__pickle_array(p, icl__pickle_get(p, icl__pickle_root(p), "data"), &m))
    return icl__fail(ICL_EFORMAT, "%s: its pickle has no array of images, 'data'", path);
  if (m.rows != records || m.columns != columns)
    return icl__fail(ICL_EFORMAT, "%s: 'data' is %lld x %lld; this file of %s is %d images of %d bytes", path,
                     (long long)m.rows, (long long)m.columns, set->name, records, columns);
  copy_images(set, &m, images);
  return ICL_OK;
}

static icl_status read_labels(const icl__set *set, const char *path, const icl__pickle *p, int records,
                              int64_t *labels) {
  icl__pickle_value list = icl__pickle_get(p, icl__pickle_root(p), set->labels_key), item = icl__pickle_first(p, list);
  int count = icl__pickle_count(p, list);
  if (count < 0)
    return icl__fail(ICL_EFORMAT, "%s: its pickle has no list of labels, '%s'", path, set->labels_key);
  if (count != records)
    return icl__fail(ICL_EFORMAT, "%s: it has %d labels, but there are %d images", path, count, records);
  for (int n = 0; n < count; n++, item = icl__pickle_next(p, item)) {
    if (!icl__pickle_integer(p, item, &labels[n]))
      return icl__fail(ICL_EFORMAT, "%s: the label of image %d is no integer", path, n);
    if (labels[n] < 0 || labels[n] >= set->classes)
      return icl__fail(ICL_EFORMAT, "%s: image %d has the label %lld; they go from 0 to %d", path, n,
                       (long long)labels[n], set->classes - 1);
  }
  return ICL_OK;
}

icl_status icl__cifar_python_read(const icl__set *set, const char *path, int records, uint8_t *images,
                                  int64_t *labels) {
  icl__map map;
  icl__pickle *p = NULL;
  ICL__TRY(icl__map_open(path, &map));
  icl_status status = icl__pickle_read(path, map.data, map.bytes, &p);
  if (status == ICL_OK)
    status = read_images(set, path, p, records, images);
  if (status == ICL_OK)
    status = read_labels(set, path, p, records, labels);
  icl__pickle_free(p);
  icl__map_close(&map);
  return status;
}

/* ---- class names ---- */

/* A name a line, which is the form of the binary version. */
static icl_status write_lines(const icl__set *set, const char *path, const icl__pickle *p, icl__text *lines) {
  icl__pickle_value list = icl__pickle_get(p, icl__pickle_root(p), set->names_key), item = icl__pickle_first(p, list);
  if (icl__pickle_count(p, list) < 0)
    return icl__fail(ICL_EFORMAT, "%s: its pickle has no list of class names, '%s'", path, set->names_key);
  for (; item >= 0; item = icl__pickle_next(p, item)) {
    const unsigned char *name;
    size_t bytes;
    if (!icl__pickle_text(p, item, &name, &bytes))
      return icl__fail(ICL_EFORMAT, "%s: the name of a class is no text", path);
    icl__say(lines, "%.*s\n", (int)bytes, (const char *)name);
  }
  return lines->status;
}

icl_status icl__cifar_python_names(const icl__set *set, const char *path, char **names) {
  icl__map map;
  icl__pickle *p = NULL;
  icl__text lines = {0};
  ICL__TRY(icl__map_open(path, &map));
  icl_status status = icl__pickle_read(path, map.data, map.bytes, &p);
  if (status == ICL_OK)
    status = write_lines(set, path, p, &lines);
  icl__pickle_free(p);
  icl__map_close(&map);
  if (status == ICL_OK)
    *names = lines.text;
  else
    icl__free(lines.text);
  return status;
}
