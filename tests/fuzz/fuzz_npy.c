/* fuzz_npy.c - whatever bytes are read as a .npy or .npz file: an error, or arrays that survive being written. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/npz.h"
#include "io/safetensors.h"

static const char *const headers[] = {
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }",
    "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '<U3', 'fortran_order': False, 'shape': (2,), }  \n",
    "{'descr': '<i8', 'fortran_order': True, 'shape': (), }",
};
enum { HEADERS = sizeof headers / sizeof *headers };
static const char data[HEADERS][25] = {"\0\0\x80\x3f\0\0\0\x40", "\1\0\1", "a\0\0\0b\0\0\0\0\0\0\0\xe9\0\0\0",
                                       "\1\2\3\4\5\6\7\0"};
static const size_t data_bytes[HEADERS] = {8, 3, 24, 8};

/* An archive of one stored entry, a.npy, of 12 bytes: CRC 0, so it is damaged; deflated ones come from changes. */
static const char zipped[] =
    "PK\3\4\x14\0\0\0\0\0\0\0\x21\0\0\0\0\0\x0c\0\0\0\x0c\0\0\0\5\0\0\0a.npy\x93NUMPY\1\0\2\0{}"
    "PK\1\2\x14\0\x14\0\0\0\0\0\0\0\x21\0\0\0\0\0\x0c\0\0\0\x0c\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0a.npyPK\5\6\0\0\0\0\1\0\1\0\x33\0\0\0\x2f\0\0\0\0";

const char *const fuzz_words[] = {"'descr'",    "'fortran_order'",
                                  "'shape'",    "'<f4'",
                                  "'|b1'",      "'<U1'",
                                  "'<U9'",      "'|O'",
                                  "'>f8'",      "[('a'",
                                  "True",       "False",
                                  "(",          ")",
                                  "(0,)",       ",",
                                  "()",         "{",
                                  "}",          ", }",
                                  "-1",         "0",
                                  "2147483648", "1048576",
                                  "\x93NUMPY",  "PK\3\4",
                                  "PK\1\2",     "PK\5\6",
                                  "a.npy",      "\xff\xff\xff\xff",
                                  NULL};

size_t fuzz_seed(int index, uint8_t seed[FUZZ_MOST]) {
  if (index > HEADERS)
    return 0;
  if (index == HEADERS) {
    memcpy(seed, zipped, sizeof zipped);
    return sizeof zipped;
  }
  size_t length = strlen(headers[index]), start = index % 2 ? 10 : 12;
  memcpy(seed, "\x93NUMPY\0\0\0\0\0\0", 12);
  seed[6] = (uint8_t)(index % 2 ? 1 : 2);
  seed[8] = (uint8_t)length;
  memcpy(seed + start, headers[index], length);
  memcpy(seed + start + length, data[index], data_bytes[index]);
  return start + length + data_bytes[index];
}

/* Writes the array into memory, reads it, and compares. */
static void round_trip(const icl__npy *array) {
  char *start, *file;
  size_t used, bytes = array->texts ? 0 : icl__array_bytes(&array->array);
  FUZZ_REQUIRE(icl__npy_start(array, &start, &used) == ICL_OK);
  FUZZ_REQUIRE(file = icl__alloc(used + bytes + 1, 1));
  memcpy(file, start, used);
  if (bytes)
    memcpy(file + used, array->array.data, bytes);
  icl__npy again;
  FUZZ_REQUIRE(icl__npy_parse("output", (unsigned char *)file, used + bytes, &again) == ICL_OK);
  FUZZ_REQUIRE(again.array.rank == array->array.rank && !again.texts == !array->texts);
  FUZZ_REQUIRE(!memcmp(again.array.shape, array->array.shape, (size_t)again.array.rank * sizeof(int32_t)));
  if (array->texts) {
    for (int i = 0; i < (again.array.rank ? again.array.shape[0] : 1); i++)
      FUZZ_REQUIRE(!strcmp(again.texts[i], array->texts[i]));
  } else {
    FUZZ_REQUIRE(again.array.dtype == array->array.dtype);
    FUZZ_REQUIRE(!bytes || !memcmp(again.array.data, array->array.data, bytes));
  }
  icl__npy_release(&again);
  icl__free(file);
  icl__free(start);
}

static void require_expected(icl_status status) {
  FUZZ_REQUIRE(status == ICL_OK || status == ICL_EFORMAT || status == ICL_ENOTSUP);
  FUZZ_REQUIRE(status == ICL_OK || !strncmp(icl_message(), "input: ", 7));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes) {
  icl__npy array;
  icl_status status = icl__npy_parse("input", input, bytes, &array);
  require_expected(status);
  if (status == ICL_OK) {
    round_trip(&array);
    icl__npy_release(&array);
  }
  icl__npz *archive;
  status = icl__npz_parse("input", input, bytes, &archive);
  require_expected(status);
  if (status == ICL_OK)
    icl__npz_free(archive);
  return 0;
}
