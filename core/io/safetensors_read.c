/* safetensors_read.c - reads safetensors files, and refuses whatever the format does not allow. */
#include "io/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/show.h"

/* An array and where it lies in the file. */
typedef struct {
  icl_array array;
  const icl__foreign_dtype *foreign; /* NULL: icl has the dtype, or does not know it */
  size_t element;                    /* bytes in the file; 0: of a dtype that is not known */
  size_t count, bytes;               /* elements; bytes in the file */
  const unsigned char *start;
  void *converted; /* the data of the array, if they are not those of the file */
  char *problem;   /* that of the array */
} place;

/* What icl_safetensors_read() returns is the first member of this. */
typedef struct {
  icl_safetensors contents;
  icl_array *arrays;
  place *places;
  icl_metadata *metadata;
  icl__json *header; /* names and strings lie in it */
  icl__map map;      /* of zeros when the file is the caller's memory */
} open_file;

/* What is known while the header is read. */
typedef struct {
  const char *path;
  size_t bytes;              /* of the file */
  const unsigned char *data; /* where data_offsets count from */
  size_t data_start, data_bytes;
} layout;

enum { SHOWN = 127 }; /* bytes of a text from a file that messages repeat; icl__fail() makes them harmless */

/* ---- the frame: length, header, data ---- */

/* PyTorch's own checkpoints are zip archives or pickles. */
static const char *hint(const unsigned char *file) {
  bool pytorch = memcmp(file, "PK\3\4", 4) == 0 || memcmp(file, "\x80\2", 2) == 0;
  return pytorch ? " (this looks like a checkpoint of PyTorch; safetensors.torch.save_file writes what icl reads)" : "";
}

static icl_status find_header(const unsigned char *file, layout *l) {
  uint64_t length;
  if (l->bytes < sizeof length)
    return icl__fail(ICL_EFORMAT, "%s: not a safetensors file: it has %zu bytes, and the header's length takes %zu",
                     l->path, l->bytes, sizeof length);
  memcpy(&length, file, sizeof length);
  if (length > ICL__SAFETENSORS_MAX_HEADER)
    return icl__fail(ICL_EFORMAT,
                     "%s: not a safetensors file: bytes 0 to 7 give the header %" PRIu64 " bytes; at most %d are "
                     "allowed%s",
                     l->path, length, ICL__SAFETENSORS_MAX_HEADER, hint(file));
  l->data_start = sizeof length + (size_t)length;
  if (l->data_start > l->bytes)
    return icl__fail(ICL_EFORMAT, "%s: it is cut at byte %zu, inside the header, which ends at byte %zu%s", l->path,
                     l->bytes, l->data_start, hint(file));
  if (length == 0 || file[sizeof length] != '{')
    return icl__fail(ICL_EFORMAT, "%s: not a safetensors file: the header at byte 8 does not begin with {", l->path);
  l->data = file + l->data_start;
  l->data_bytes = l->bytes - l->data_start;
  return ICL_OK;
}

static icl_status parse_json(const unsigned char *file, const layout *l, icl__json **header) {
  json_error_t error;
  icl_status status = icl__json_parse((const char *)file + ICL__SAFETENSORS_LENGTH,
                                      l->data_start - ICL__SAFETENSORS_LENGTH, JSON_REJECT_DUPLICATES, &error, header);
  if (status == ICL_EFORMAT)
    return icl__fail(ICL_EFORMAT, "%s: the header is damaged at byte %d: %.*s", l->path,
                     ICL__SAFETENSORS_LENGTH + error.position, SHOWN, error.text);
  return status == ICL_OK ? ICL_OK : icl__wrap(status, "%s: its header of %zu bytes", l->path, l->data_start);
}

/* ---- entries ---- */

/* Notes why an array cannot be read, if that is not noted yet. */
static icl_status set_problem(place *p, const char *problem) {
  if (!p->problem)
    p->problem = icl__strdup(problem);
  return p->problem ? ICL_OK : ICL_ENOMEM;
}

static icl_status unknown_dtype(const char *name, place *p) {
  char text[512], shown[SHOWN + 1];
  icl__show(name, shown, sizeof shown);
#define X(type, text) " " text
  int used = snprintf(text, sizeof text, "its dtype is %s; icl reads" ICL__SAFETENSORS_DTYPES(X), shown);
#undef X
  const icl__foreign_dtype *foreign;
  for (int i = 0; (foreign = icl__safetensors_foreign(i)); i++)
    used += snprintf(text + used, sizeof text - (size_t)used, " %s", foreign->name);
  return set_problem(p, text);
}

static icl_status read_dtype(const json_t *entry, place *p) {
  const char *name = json_string_value(json_object_get(entry, "dtype"));
  if (!name)
    return icl__fail(ICL_EFORMAT, "its dtype is missing or not a string");
#define X(type, text)                                                                                                  \
  if (strcmp(name, text) == 0) {                                                                                       \
    p->array.dtype = ICL_##type;                                                                                       \
    p->element = icl_dtype_bytes(ICL_##type);                                                                          \
    return ICL_OK;                                                                                                     \
  }
  ICL__SAFETENSORS_DTYPES(X)
#undef X
  const icl__foreign_dtype *foreign;
  for (int i = 0; (foreign = icl__safetensors_foreign(i)); i++)
    if (strcmp(name, foreign->name) == 0) {
      p->foreign = foreign;
      p->array.dtype = foreign->becomes;
      p->element = foreign->bytes;
      return ICL_OK;
    }
  return unknown_dtype(name, p);
}

/* Also tests that the bytes of the whole can be counted, in the file and here. */
static icl_status read_shape(const json_t *entry, place *p) {
  const json_t *shape = json_object_get(entry, "shape");
  if (!json_is_array(shape))
    return icl__fail(ICL_EFORMAT, "its shape is missing or not a list");
  size_t rank = json_array_size(shape), bytes = sizeof(int64_t); /* of the largest element */
  char text[128];
  if (rank > ICL_MAX_RANK) {
    snprintf(text, sizeof text, "it has %zu axes; icl reads up to %d", rank, ICL_MAX_RANK);
    ICL__TRY(set_problem(p, text));
  }
  p->count = 1;
  for (size_t i = 0; i < rank; i++) {
    const json_t *size = json_array_get(shape, i);
    json_int_t value = json_integer_value(size);
    if (!json_is_integer(size) || value < 0)
      return icl__fail(ICL_EFORMAT, "size %zu of its shape is not an integer from 0", i + 1);
    if (value > INT32_MAX) {
      snprintf(text, sizeof text, "size %zu of its shape is %" JSON_INTEGER_FORMAT "; icl reads up to %d", i + 1, value,
               INT32_MAX);
      ICL__TRY(set_problem(p, text));
    }
    if (__builtin_mul_overflow(bytes, (size_t)value, &bytes))
      return icl__fail(ICL_EFORMAT, "its shape has more elements than can be counted");
    p->count *= (size_t)value;
    if (i < ICL_MAX_RANK)
      p->array.shape[i] = (int32_t)value;
  }
  p->array.rank = p->problem ? 0 : (int)rank;
  return ICL_OK;
}

static icl_status read_offsets(const json_t *entry, const layout *l, place *p) {
  const json_t *offsets = json_object_get(entry, "data_offsets");
  const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
  if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
    return icl__fail(ICL_EFORMAT, "its data_offsets are missing or not two integers");
  json_int_t begin = json_integer_value(first), end = json_integer_value(last);
  if (begin < 0 || end < begin)
    return icl__fail(ICL_EFORMAT, "its data_offsets %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " are no range",
                     begin, end);
  if ((uint64_t)end > l->data_bytes)
    return icl__fail(ICL_EFORMAT,
                     "its data ends %" JSON_INTEGER_FORMAT " bytes after byte %zu of the file, which is "
                     "cut at byte %zu",
                     end, l->data_start, l->bytes);
  p->start = l->data + begin;
  p->bytes = (size_t)(end - begin);
  if (p->element && p->bytes != p->element * p->count)
    return icl__fail(ICL_EFORMAT, "its data, from byte %zu of the file, has %zu bytes; dtype and shape need %zu",
                     l->data_start + (size_t)begin, p->bytes, p->element * p->count);
  return ICL_OK;
}

static icl_status read_truths(const layout *l, const place *p) {
  for (size_t i = 0; i < p->bytes; i++)
    if (p->start[i] > 1)
      return icl__fail(ICL_EFORMAT, "byte %zu of the file is %d; a BOOL is 0 or 1",
                       (size_t)(p->start + i - l->data) + l->data_start, p->start[i]);
  return ICL_OK;
}

static icl_status convert(place *p) {
  p->converted = icl__alloc(p->count, icl_dtype_bytes(p->array.dtype));
  if (!p->converted)
    return ICL_ENOMEM;
  icl_status status = p->foreign->convert(p->start, p->count, p->converted);
  return status == ICL_ENOTSUP ? set_problem(p, icl_message()) : status;
}

static icl_status read_entry(const json_t *entry, const layout *l, place *p) {
  if (!json_is_object(entry))
    return icl__fail(ICL_EFORMAT, "its entry in the header is not an object");
  ICL__TRY(read_dtype(entry, p));
  ICL__TRY(read_shape(entry, p));
  ICL__TRY(read_offsets(entry, l, p));
  if (p->array.dtype == ICL_BOOL && p->element)
    ICL__TRY(read_truths(l, p));
  if (p->foreign && !p->problem)
    ICL__TRY(convert(p));
  if (p->problem)
    p->array = (icl_array){.name = p->array.name, .problem = p->problem};
  else
    p->array.data = p->foreign ? p->converted : p->start;
  return ICL_OK;
}

static icl_status read_entries(open_file *f, const layout *l) {
  json_t *header = icl__json_value(f->header);
  f->places = icl__calloc(json_object_size(header), sizeof *f->places);
  f->arrays = icl__calloc(json_object_size(header), sizeof *f->arrays);
  if (!f->places || !f->arrays)
    return icl__wrap(ICL_ENOMEM, "%s", l->path);
  const char *name;
  json_t *entry;
  json_object_foreach(header, name, entry) {
    if (strcmp(name, ICL__SAFETENSORS_METADATA) == 0)
      continue;
    place *p = &f->places[f->contents.count++];
    p->array.name = name;
    icl_status status = read_entry(entry, l, p);
    if (status != ICL_OK)
      return icl__wrap(status, "%s: tensor '%.*s'", l->path, SHOWN, name);
  }
  f->contents.arrays = f->arrays;
  return ICL_OK;
}

static icl_status read_metadata(open_file *f, const layout *l) {
  json_t *pairs = json_object_get(icl__json_value(f->header), ICL__SAFETENSORS_METADATA), *value;
  if (!pairs)
    return ICL_OK;
  if (!json_is_object(pairs))
    return icl__fail(ICL_EFORMAT, "%s: " ICL__SAFETENSORS_METADATA " in the header is not an object", l->path);
  f->metadata = icl__alloc(json_object_size(pairs), sizeof *f->metadata);
  if (!f->metadata)
    return icl__wrap(ICL_ENOMEM, "%s", l->path);
  const char *key;
  json_object_foreach(pairs, key, value) {
    if (!json_is_string(value))
      return icl__fail(ICL_EFORMAT, "%s: '%.*s' of " ICL__SAFETENSORS_METADATA " is not a string", l->path, SHOWN, key);
    f->metadata[f->contents.metadata_count++] = (icl_metadata){key, json_string_value(value)};
  }
  f->contents.metadata = f->metadata;
  return ICL_OK;
}

/* ---- the data as a whole ---- */

static int by_position(const void *a, const void *b) {
  const place *x = a, *y = b;
  if (x->start != y->start)
    return x->start < y->start ? -1 : 1;
  return x->bytes != y->bytes ? (x->bytes < y->bytes ? -1 : 1) : strcmp(x->array.name, y->array.name);
}

/* Every byte of the data belongs to one tensor. Sorts them. */
static icl_status check_cover(open_file *f, const layout *l) {
  const unsigned char *end = l->data;
  qsort(f->places, (size_t)f->contents.count, sizeof *f->places, by_position);
  for (int i = 0; i < f->contents.count; i++) {
    const place *p = &f->places[i];
    if (p->start != end)
      return icl__fail(ICL_EFORMAT,
                       "%s: tensor '%.*s': its data begins at byte %zu of the file, where byte %zu should follow: "
                       "tensors leave no hole and do not overlap",
                       l->path, SHOWN, p->array.name, (size_t)(p->start - l->data) + l->data_start,
                       (size_t)(end - l->data) + l->data_start);
    end += p->bytes;
    f->arrays[i] = p->array;
  }
  if (end != l->data + l->data_bytes)
    return icl__fail(ICL_EFORMAT, "%s: its tensors end at byte %zu, the file at byte %zu", l->path,
                     (size_t)(end - l->data) + l->data_start, l->bytes);
  return ICL_OK;
}

/* ---- a file ---- */

static icl_status parse(const char *path, const unsigned char *file, size_t bytes, open_file *f) {
  layout l = {.path = path, .bytes = bytes};
  ICL__TRY(find_header(file, &l));
  ICL__TRY(parse_json(file, &l, &f->header));
  ICL__TRY(read_metadata(f, &l));
  ICL__TRY(read_entries(f, &l));
  return check_cover(f, &l);
}

void icl_safetensors_free(icl_safetensors *contents) {
  open_file *f = (open_file *)contents;
  if (!f)
    return;
  for (int i = 0; i < f->contents.count; i++) {
    icl__free(f->places[i].converted);
    icl__free(f->places[i].problem);
  }
  icl__json_free(f->header);
  icl__free(f->places);
  icl__free(f->arrays);
  icl__free(f->metadata);
  icl__map_close(&f->map);
  icl__free(f);
}

icl_status icl__safetensors_parse(const char *path, const unsigned char *file, size_t bytes, icl_safetensors **result) {
  open_file *f = icl__calloc(1, sizeof *f);
  if (!f)
    return icl__wrap(ICL_ENOMEM, "%s", path);
  icl_status status = parse(path, file, bytes, f);
  if (status == ICL_OK)
    *result = &f->contents;
  else
    icl_safetensors_free(&f->contents);
  return status;
}

icl_status icl_safetensors_read(const char *path, icl_safetensors **result) {
  icl__map map;
  char expanded[ICL__PATH];
  ICL__TRY(icl__path_expand(&path, expanded));
  ICL__TRY(icl__map_open(path, &map));
  icl_status status = icl__safetensors_parse(path, map.data, map.bytes, result);
  if (status == ICL_OK)
    ((open_file *)*result)->map = map;
  else
    icl__map_close(&map);
  return status;
}
