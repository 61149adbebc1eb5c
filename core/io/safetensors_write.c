/* safetensors_write.c - writes safetensors files in the order and form of the reference implementation. */
#include "io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/shape.h"

static const icl_dtype order_of_dtypes[] = {
#define X(type, text) ICL_##type,
    ICL__SAFETENSORS_DTYPES(X)
#undef X
};

static int place_of_dtype(icl_dtype dtype) {
  int place = 0;
  while (order_of_dtypes[place] != dtype)
    place++;
  return place;
}

static const char *name_of_dtype(icl_dtype dtype) {
  static const char *const names[] = {
#define X(type, text) [ICL_##type] = text,
      ICL__SAFETENSORS_DTYPES(X)
#undef X
  };
  return names[dtype];
}

static int by_dtype_and_name(const void *a, const void *b) {
  const icl_array *x = *(const icl_array *const *)a, *y = *(const icl_array *const *)b;
  int difference = place_of_dtype(x->dtype) - place_of_dtype(y->dtype);
  return difference ? difference : strcmp(x->name, y->name);
}

/* NULL without memory. */
static json_t *make_shape(const icl_array *array) {
  json_t *shape = json_array();
  for (int i = 0; i < array->rank; i++) {
    if (json_array_append_new(shape, json_integer(array->shape[i])) != 0) {
      json_decref(shape);
      return NULL;
    }
  }
  return shape;
}

/* Adds the entry of an array whose data begins at *offset, and moves that to its end. */
static icl_status add_entry(json_t *header, const icl_array *array, size_t *offset) {
  if (strcmp(array->name, ICL__SAFETENSORS_METADATA) == 0 || json_object_get(header, array->name))
    return icl__fail(ICL_EEXIST, "two tensors are called '%s', or the format itself uses that name", array->name);
  if (array->problem)
    return icl__fail(ICL_EINVAL, "tensor '%s' was not read: %s", array->name, array->problem);
  size_t end = *offset + icl__array_bytes(array);
  json_t *entry = json_pack("{s:s, s:o, s:[I,I]}", "dtype", name_of_dtype(array->dtype), "shape", make_shape(array),
                            "data_offsets", (json_int_t)*offset, (json_int_t)end);
  if (!entry)
    return icl__fail(ICL_ENOMEM, "out of memory for the header");
  if (json_object_set_new(header, array->name, entry) != 0)
    return icl__fail(ICL_EINVAL, "a tensor has a name that is not UTF-8: '%s'", array->name);
  *offset = end;
  return ICL_OK;
}

/* Stands for one that is computed while the file is written. */
static const char unknown_checksum[] = ICL__SAFETENSORS_CRC ":00000000";

static bool is_checksum(const icl_metadata *pair) {
  return strcmp(pair->key, ICL__SAFETENSORS_CHECKSUM) == 0 &&
         strncmp(pair->value, ICL__SAFETENSORS_CRC, strlen(ICL__SAFETENSORS_CRC)) == 0;
}

static icl_status add_metadata(json_t *header, const icl_safetensors *contents) {
  if (contents->metadata_count == 0)
    return ICL_OK;
  json_t *pairs = json_object();
  if (json_object_set_new(header, ICL__SAFETENSORS_METADATA, pairs) != 0)
    return icl__fail(ICL_ENOMEM, "out of memory for the header");
  for (int i = 0; i < contents->metadata_count; i++) {
    const icl_metadata *pair = &contents->metadata[i];
    if (json_object_get(pairs, pair->key))
      return icl__fail(ICL_EEXIST, "the metadata has '%s' twice", pair->key);
    if (json_object_set_new(pairs, pair->key, json_string(is_checksum(pair) ? unknown_checksum : pair->value)) != 0)
      return icl__fail(ICL_EINVAL, "the metadata '%s' is not UTF-8", pair->key);
  }
  return ICL_OK;
}

static icl_status add_entries(json_t *header, const icl_safetensors *contents, const icl_array **order) {
  for (int i = 0; i < contents->count; i++) {
    const icl_array *array = order[i] = &contents->arrays[i];
    char what[128];
    snprintf(what, sizeof what, "tensor '%s'", array->name);
    ICL__TRY(icl__check_dtype(what, array->dtype));
    ICL__TRY(icl__check_shape(what, array->dtype, array->rank, array->shape));
  }
  qsort(order, (size_t)contents->count, sizeof *order, by_dtype_and_name);
  size_t offset = 0;
  for (int i = 0; i < contents->count; i++)
    ICL__TRY(add_entry(header, order[i], &offset));
  return ICL_OK;
}

/* Length and text, padded with spaces so that the data begins at a multiple of 8. */
static icl_status frame_text(const char *text, size_t used, char **start, size_t *bytes) {
  const uint64_t length = (used + 7) / 8 * 8;
  if (length > ICL__SAFETENSORS_MAX_HEADER)
    return icl__fail(ICL_EINVAL, "names and metadata take %zu bytes; the format allows %d", used,
                     ICL__SAFETENSORS_MAX_HEADER);
  *start = icl__alloc(sizeof length + length, 1);
  if (!*start)
    return ICL_ENOMEM;
  *bytes = sizeof length + length;
  memcpy(*start, &length, sizeof length);
  memset(*start + sizeof length, ' ', length);
  memcpy(*start + sizeof length, text, used);
  return ICL_OK;
}

static icl_status frame(const json_t *header, char **start, size_t *bytes) {
  char *text;
  size_t used;
  if (icl__json_text(header, JSON_COMPACT, &text, &used) != ICL_OK)
    return icl__fail(ICL_ENOMEM, "out of memory for the header");
  icl_status status = frame_text(text, used, start, bytes);
  icl__free(text);
  return status;
}

icl_status icl__safetensors_start(const icl_safetensors *contents, const icl_array **order, char **start,
                                  size_t *bytes) {
  json_t *header = json_object();
  icl_status status = header ? add_metadata(header, contents) : icl__fail(ICL_ENOMEM, "out of memory for the header");
  if (status == ICL_OK)
    status = add_entries(header, contents, order);
  if (status == ICL_OK)
    status = frame(header, start, bytes);
  json_decref(header);
  return status;
}

icl_status icl_safetensors_write(const char *path, const icl_safetensors *contents) {
  icl__save *save;
  ICL__TRY(icl__save_new(path, contents, &(icl__places){0}, &save));
  icl_status status = icl__save_finish(save);
  icl__save_free(save);
  return status;
}
