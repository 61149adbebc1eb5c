/* cifar.c - reads the binary files of CIFAR-10 and CIFAR-100. */
#include "data/cifar.h"

#include "base/file.h"

/* Planes one after another -> the channels of a pixel side by side. */
static void interleave(const unsigned char *planes, int pixels, int channels, uint8_t *image) {
  for (int c = 0; c < channels; c++)
    for (int i = 0; i < pixels; i++)
      image[i * channels + c] = planes[c * pixels + i];
}

static icl_status read_records(const icl__set *set, const char *path, const icl__map *map, int records, uint8_t *images,
                               int64_t *labels) {
  int pixels = set->height * set->width;
  size_t image = (size_t)(pixels * set->channels), record = (size_t)set->label_bytes + image;
  if (map->bytes != (size_t)records * record)
    return icl__fail(ICL_EFORMAT, "%s: it has %zu bytes, but this file of %s is %d records of %zu: %zu bytes", path,
                     map->bytes, set->name, records, record, (size_t)records * record);
  for (int n = 0; n < records; n++) {
    const unsigned char *start = map->data + (size_t)n * record;
    int label = start[set->label_bytes - 1];
    if (label >= set->classes)
      return icl__fail(ICL_EFORMAT, "%s: byte %zu gives image %d the label %d; they go from 0 to %d", path,
                       (size_t)n * record + (size_t)set->label_bytes - 1, n, label, set->classes - 1);
    labels[n] = label;
    interleave(start + set->label_bytes, pixels, set->channels, images + (size_t)n * image);
  }
  return ICL_OK;
}

icl_status icl__cifar_read(const icl__set *set, const char *path, int records, uint8_t *images, int64_t *labels) {
  icl__map map;
  ICL__TRY(icl__map_open(path, &map));
  icl_status status = read_records(set, path, &map, records, images, labels);
  icl__map_close(&map);
  return status;
}
