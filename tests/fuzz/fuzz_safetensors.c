/* fuzz_safetensors.c - whatever bytes are read as a safetensors file: an error, or contents that survive being written.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/safetensors.h"

static const char *const headers[] = {
    "{\"conv.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}",
    "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[4,7]},"
    "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}",
    "{\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},\"e\":{\"dtype\":\"F64\",\"shape\":[0,5],"
    "\"data_offsets\":[8,8]},\"t\":{\"dtype\":\"BOOL\",\"shape\":[2,1],\"data_offsets\":[8,10]}}    ",
    "{}",
    "{\"__metadata__\":{\"checksum\":\"crc32:11d268c4\"},\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}"
    "}",
    "{\"a\":{\"dtype\":\"F8_E5M2\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"F4\",\"shape\":[4],"
    "\"data_offsets\":[2,4]}}",
};
enum { HEADERS = sizeof headers / sizeof *headers };
static const size_t data_bytes[HEADERS] = {8, 7, 10, 0, 2, 4};

const char *const fuzz_words[] = {"\"dtype\"",
                                  "\"shape\"",
                                  "\"data_offsets\"",
                                  "\"__metadata__\"",
                                  "\"F16\"",
                                  "\"BOOL\"",
                                  "\"F8_E4M3\"",
                                  "\"U16\"",
                                  "\"U64\"",
                                  "\"checksum\"",
                                  "\"crc32:01234567\"",
                                  "\"F4\"",
                                  "\"U8\"",
                                  "[0,0]",
                                  "[]",
                                  "{}",
                                  "{\"",
                                  "\":{",
                                  "\\u0000",
                                  "\\ud800",
                                  "\\n",
                                  "\xc3\xa9",
                                  "\xff",
                                  "-1",
                                  "0",
                                  "1",
                                  "2147483647",
                                  "4294967296",
                                  "9223372036854775807",
                                  "18446744073709551616",
                                  "1.0",
                                  "1e9",
                                  "null",
                                  "true",
                                  "PK\3\4",
                                  "\x80\2",
                                  NULL};

size_t fuzz_seed(int index, uint8_t data[FUZZ_MOST]) {
  if (index >= HEADERS)
    return 0;
  uint64_t length = strlen(headers[index]);
  memcpy(data, &length, 8);
  memcpy(data + 8, headers[index], length);
  memset(data + 8 + length, 1, data_bytes[index]);
  return 8 + length + data_bytes[index];
}

static void require_same(const icl_array *a, const icl_array *b) {
  FUZZ_REQUIRE(strcmp(a->name, b->name) == 0 && a->dtype == b->dtype && a->rank == b->rank);
  FUZZ_REQUIRE(memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0);
  FUZZ_REQUIRE(memcmp(a->data, b->data, icl__array_bytes(a)) == 0);
}

/* Is its value computed when it is written? */
static bool is_summed(const icl_metadata *pair) {
  return strcmp(pair->key, ICL__SAFETENSORS_CHECKSUM) == 0 && strncmp(pair->value, ICL__SAFETENSORS_CRC, 5) == 0;
}

/* Writes the contents into memory, reads them, and compares. */
static void round_trip(const icl_safetensors *contents) {
  const icl_array **order = icl__alloc((size_t)contents->count, sizeof *order);
  char *start, *file;
  size_t used, bytes;
  FUZZ_REQUIRE(order && icl__safetensors_start(contents, order, &start, &used) == ICL_OK);
  bytes = used;
  for (int i = 0; i < contents->count; i++)
    bytes += icl__array_bytes(order[i]);
  FUZZ_REQUIRE(file = icl__alloc(bytes, 1));
  memcpy(file, start, used);
  for (int i = 0; i < contents->count; i++) {
    memcpy(file + used, order[i]->data, icl__array_bytes(order[i]));
    used += icl__array_bytes(order[i]);
  }
  icl_safetensors *again;
  FUZZ_REQUIRE(icl__safetensors_parse("output", (unsigned char *)file, bytes, &again) == ICL_OK);
  FUZZ_REQUIRE(again->count == contents->count && again->metadata_count == contents->metadata_count);
  for (int i = 0; i < contents->count; i++)
    require_same(order[i], &again->arrays[i]);
  for (int i = 0; i < contents->metadata_count; i++)
    FUZZ_REQUIRE(is_summed(&contents->metadata[i]) ||
                 strcmp(contents->metadata[i].value, again->metadata[i].value) == 0);
  icl_safetensors_free(again);
  icl__free(file);
  icl__free(start);
  icl__free(order);
}

static void read_one(const uint8_t *data, size_t bytes) {
  icl_safetensors *contents;
  icl_status status = icl__safetensors_parse("input", data, bytes, &contents);
  FUZZ_REQUIRE(status == ICL_OK || status == ICL_EFORMAT);
  icl_status checked = icl__safetensors_check("input", data, bytes);
  FUZZ_REQUIRE(checked == ICL_EFORMAT || (checked == ICL_OK && status == ICL_OK));
  if (status != ICL_OK)
    FUZZ_REQUIRE(strncmp(icl_message(), "input: ", 7) == 0);
  if (status == ICL_OK) {
    bool whole = true;
    for (int i = 0; i < contents->count; i++)
      whole &= !contents->arrays[i].problem;
    if (whole)
      round_trip(contents);
    icl_safetensors_free(contents);
  }
}

/* Few changed headers have the length that the file says, so each input is read a second time with the right one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  read_one(data, bytes);
  const uint8_t *last = bytes > 8 ? memrchr(data + 8, '}', bytes - 8) : NULL;
  if (!last)
    return 0;
  uint8_t *corrected = malloc(bytes);
  if (!corrected)
    return 0;
  uint64_t length = (uint64_t)(last + 1 - data) - 8;
  memcpy(corrected, data, bytes);
  memcpy(corrected, &length, 8);
  read_one(corrected, bytes);
  free(corrected);
  return 0;
}
