/* npz.c - archives of arrays: ZIP through libzip. */
#include <stdio.h>
#include <string.h>

#include <zip.h>

#include "base/file.h"
#include "base/memory.h"
#include "io/npz.h"
#include "io/safetensors.h"

static const char suffix[] = ".npy";
enum { SUFFIX = sizeof suffix - 1 };

static icl_status fail_zip(const char *path, const char *tried, zip_error_t *error) {
  icl_status status = zip_error_code_zip(error) == ZIP_ER_MEMORY ? ICL_ENOMEM : ICL_EFORMAT;
  return icl__fail(status, "%s: %s: %s", path, tried, zip_error_strerror(error));
}

/* ---- reading ---- */

/* Arrays, and the bytes and names that they point into. */
typedef struct {
  icl__npz contents;
  int count;
  icl__npy *arrays;
  struct entry {
    unsigned char *bytes;
    char *name;
  } * entries;
} open_archive;

void icl__npz_free(icl__npz *contents) {
  open_archive *a = (open_archive *)contents;
  if (!a)
    return;
  for (int i = 0; a->arrays && a->entries && i < a->count; i++) {
    icl__npy_release(&a->arrays[i]);
    icl__free(a->entries[i].bytes);
    icl__free(a->entries[i].name);
  }
  icl__free(a->arrays);
  icl__free(a->entries);
  icl__free(a);
}

/* The bytes of an entry. Its size, which it says itself, is believed as far as what is there can become that much:
 * deflate makes at most 1032 bytes of one. */
static icl_status unpack(const char *what, zip_t *zip, const zip_stat_t *about, unsigned char **bytes) {
  zip_uint64_t known = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_INDEX;
  if ((about->valid & known) != known || about->size / 1032 > about->comp_size)
    return icl__fail(ICL_EFORMAT, "%s: the archive says an impossible size", what);
  *bytes = icl__alloc((size_t)about->size + 1, 1);
  if (!*bytes)
    return icl__wrap(ICL_ENOMEM, "%s", what);
  zip_file_t *file = zip_fopen_index(zip, about->index, 0);
  if (!file)
    return fail_zip(what, "cannot be unpacked", zip_get_error(zip));
  zip_int64_t have = zip_fread(file, *bytes, about->size);
  /* reading on to the end lets libzip compare the checksum */
  bool whole = have == (zip_int64_t)about->size && zip_fread(file, *bytes + about->size, 1) == 0;
  icl_status status =
      whole ? ICL_OK : icl__fail(ICL_EFORMAT, "%s: damaged: %s", what, zip_error_strerror(zip_file_get_error(file)));
  zip_fclose(file);
  return status;
}

static icl_status read_entry(const char *path, zip_t *zip, int index, open_archive *a) {
  zip_stat_t about;
  char what[512];
  if (zip_stat_index(zip, (zip_uint64_t)index, 0, &about) != 0 || !(about.valid & ZIP_STAT_NAME))
    return fail_zip(path, "an entry cannot be read", zip_get_error(zip));
  size_t length = strlen(about.name);
  snprintf(what, sizeof what, "%.300s: '%.150s'", path, about.name);
  if (length <= SUFFIX || strcmp(about.name + length - SUFFIX, suffix) != 0)
    return icl__fail(ICL_EFORMAT, "%s is no array: its name does not end in %s", what, suffix);
  if (!(a->entries[index].name = icl__strdup(about.name)))
    return icl__wrap(ICL_ENOMEM, "%s", what);
  a->entries[index].name[length - SUFFIX] = '\0';
  ICL__TRY(unpack(what, zip, &about, &a->entries[index].bytes));
  ICL__TRY(icl__npy_parse(what, a->entries[index].bytes, (size_t)about.size, &a->arrays[index]));
  a->arrays[index].array.name = a->entries[index].name;
  return ICL_OK;
}

static icl_status read_entries(const char *path, zip_t *zip, open_archive *a) {
  zip_int64_t count = zip_get_num_entries(zip, 0);
  if (count < 0 || count > 1 << 16)
    return icl__fail(ICL_EFORMAT, "%s: an archive of %lld entries", path, (long long)count);
  a->count = (int)count;
  a->arrays = icl__calloc((size_t)count, sizeof *a->arrays);
  a->entries = icl__calloc((size_t)count, sizeof *a->entries);
  if (!a->arrays || !a->entries)
    return icl__wrap(ICL_ENOMEM, "%s", path);
  for (int i = 0; i < a->count; i++)
    ICL__TRY(read_entry(path, zip, i, a));
  a->contents = (icl__npz){a->count, a->arrays};
  return ICL_OK;
}

/* With ZIP_CHECKCONS libzip opens none that has two entries of one name. */
icl_status icl__npz_parse(const char *path, const unsigned char *file, size_t bytes, icl__npz **result) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = zip_source_buffer_create(file, bytes, 0, &error);
  zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) : NULL;
  if (!zip) {
    icl_status status = fail_zip(path, "no archive of arrays", &error);
    zip_source_free(source);
    zip_error_fini(&error);
    return status;
  }
  open_archive *a = icl__calloc(1, sizeof *a);
  icl_status status = a ? read_entries(path, zip, a) : icl__wrap(ICL_ENOMEM, "%s", path);
  zip_discard(zip);
  if (status == ICL_OK)
    *result = &a->contents;
  else
    icl__npz_free((icl__npz *)a);
  return status;
}

icl_status icl__npz_read(const char *path, icl__npz **result) {
  icl__map map;
  char expanded[ICL__PATH];
  ICL__TRY(icl__path_expand(&path, expanded));
  ICL__TRY(icl__map_open(path, &map));
  icl_status status = icl__npz_parse(path, map.data, map.bytes, result);
  icl__map_close(&map);
  return status;
}

/* ---- writing ---- */

/* Adds an array without copying its data: it is read when the archive is closed. *start holds what comes before it. */
static icl_status add_array(zip_t *zip, const icl__npy *array, char **start) {
  size_t bytes;
  char name[512];
  if ((size_t)snprintf(name, sizeof name, "%s%s", array->array.name, suffix) >= sizeof name)
    return icl__fail(ICL_EINVAL, "the name is longer than %d bytes", (int)(sizeof name - SUFFIX - 1));
  if (zip_name_locate(zip, name, 0) >= 0)
    return icl__fail(ICL_EEXIST, "two arrays have this name");
  ICL__TRY(icl__npy_start(array, start, &bytes));
  zip_buffer_fragment_t parts[] = {
      {(zip_uint8_t *)*start, bytes},
      {(zip_uint8_t *)array->array.data, array->texts ? 0 : icl__array_bytes(&array->array)}};
  zip_source_t *source = zip_source_buffer_fragment(zip, parts, parts[1].length ? 2 : 1, 0);
  zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
  if (index < 0) {
    zip_source_free(source);
    return icl__fail(ICL_EINVAL, "%s", zip_strerror(zip));
  }
  enum { JANUARY_1980 = 1 << 5 | 1 }; /* the first date that ZIP has: equal contents are equal files */
  if (zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(zip, (zip_uint64_t)index, 0, JANUARY_1980, 0) != 0)
    return icl__fail(ICL_ENOMEM, "%s", zip_strerror(zip));
  return ICL_OK;
}

static icl_status copy_archive(const char *path, zip_source_t *archive, icl__writer *writer) {
  enum { BLOCK = 1 << 16 };
  char *block = icl__alloc(BLOCK, 1);
  icl_status status = block ? ICL_OK : icl__wrap(ICL_ENOMEM, "%s: not written", path);
  zip_int64_t have = 0;
  while (status == ICL_OK && (have = zip_source_read(archive, block, BLOCK)) > 0)
    status = icl__writer_write(writer, block, (size_t)have);
  icl__free(block);
  return have < 0 ? fail_zip(path, "not written", zip_source_error(archive)) : status;
}

static icl_status write_file(const char *path, zip_source_t *archive) {
  icl__writer *writer;
  if (zip_source_open(archive) != 0)
    return fail_zip(path, "not written", zip_source_error(archive));
  icl_status status = icl__writer_open(path, &writer);
  if (status == ICL_OK) {
    status = copy_archive(path, archive, writer);
    if (status == ICL_OK)
      status = icl__writer_commit(writer);
    else
      icl__writer_cancel(writer);
  }
  zip_source_close(archive);
  return status;
}

/* Lets `archive` hold the ZIP file. */
static icl_status pack(const char *path, const icl__npz *contents, char **starts, zip_source_t *archive) {
  zip_error_t error;
  zip_error_init(&error);
  zip_t *zip = zip_open_from_source(archive, ZIP_TRUNCATE, &error);
  if (!zip)
    return fail_zip(path, "not written", &error);
  zip_source_keep(archive); /* closing the archive lets go of it */
  icl_status status = ICL_OK;
  for (int i = 0; i < contents->count && status == ICL_OK; i++) {
    status = add_array(zip, &contents->arrays[i], &starts[i]);
    if (status != ICL_OK)
      icl__wrap(status, "%s: not written: array '%.150s'", path, contents->arrays[i].array.name);
  }
  if (status == ICL_OK && zip_close(zip) == 0)
    return ICL_OK;
  if (status == ICL_OK)
    status = fail_zip(path, "not written", zip_get_error(zip));
  zip_discard(zip);
  return status;
}

icl_status icl__npz_write(const char *path, const icl__npz *contents) {
  char expanded[ICL__PATH];
  ICL__TRY(icl__path_expand(&path, expanded));
  zip_error_t error;
  zip_error_init(&error);
  char **starts = icl__calloc((size_t)contents->count, sizeof *starts);
  zip_source_t *archive = zip_source_buffer_create(NULL, 0, 0, &error);
  icl_status status = starts && archive ? pack(path, contents, starts, archive) : icl__fail(ICL_ENOMEM, "%s", path);
  if (status == ICL_OK)
    status = write_file(path, archive);
  zip_source_free(archive);
  for (int i = 0; starts && i < contents->count; i++)
    icl__free(starts[i]);
  icl__free(starts);
  return status;
}
