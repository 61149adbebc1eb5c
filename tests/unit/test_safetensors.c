/* test_safetensors.c - what is written is read, and what the format does not allow is refused by name and place. */
#include "unit.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/memory.h"
#include "files.h"

/* A file with this header and `bytes` bytes of data: 0, 1, 2, ... */
static const char *make(const char *header, size_t bytes) {
  char file[4096];
  uint64_t length = strlen(header);
  CHECK(8 + length + bytes <= sizeof file);
  memcpy(file, &length, 8);
  memcpy(file + 8, header, length);
  for (size_t i = 0; i < bytes; i++)
    file[8 + length + i] = (char)i;
  return file_put("file", file, 8 + length + bytes);
}

static const icl_array *find(const icl_safetensors *contents, const char *name) {
  for (int i = 0; i < contents->count; i++)
    if (strcmp(contents->arrays[i].name, name) == 0)
      return &contents->arrays[i];
  unit_fail(__FILE__, __LINE__, "there is no %s", name);
}

/* ---- reading ---- */

TEST(a_file_by_hand_is_read) {
  icl_safetensors *file;
  CHECK_OK(icl_safetensors_read(make("{\"b\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[5,11]},"
                                     " \"scalar\" : {\"shape\":[],\"data_offsets\":[1, 5],\"dtype\":\"F32\"},"
                                     "\"__metadata__\":{\"format\":\"pt\",\"\":\"\"},"
                                     "\"flag\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]},"
                                     "\"n\\u006fne\":{\"dtype\":\"F64\",\"shape\":[3,0],\"data_offsets\":[5,5]}}  ",
                                     11),
                                &file));
  CHECK_EQ(file->count, 4);
  const char *names[] = {"flag", "scalar", "none", "b"};
  for (int i = 0; i < 4; i++)
    CHECK_STR(file->arrays[i].name, names[i]);
  const icl_array *b = find(file, "b"), *none = find(file, "none"), *scalar = find(file, "scalar");
  CHECK_EQ(b->dtype, ICL_U8);
  CHECK_EQ(b->rank, 2);
  CHECK_EQ(b->shape[0], 2);
  CHECK_EQ(b->shape[1], 3);
  CHECK(memcmp(b->data, (uint8_t[]){5, 6, 7, 8, 9, 10}, 6) == 0);
  CHECK_EQ(scalar->rank, 0);
  CHECK(memcmp(scalar->data, (uint8_t[]){1, 2, 3, 4}, 4) == 0);
  CHECK_EQ(none->dtype, ICL_F64);
  CHECK_EQ(none->shape[1], 0);
  CHECK_EQ(file->metadata_count, 2);
  CHECK_STR(file->metadata[0].key, "format");
  CHECK_STR(file->metadata[0].value, "pt");
  CHECK_STR(file->metadata[1].key, "");
  icl_safetensors_free(file);
}

TEST(a_file_without_tensors) {
  icl_safetensors *file;
  CHECK_OK(icl_safetensors_read(make("{}", 0), &file));
  CHECK_EQ(file->count, 0);
  CHECK_EQ(file->metadata_count, 0);
  icl_safetensors_free(file);
  icl_safetensors_free(NULL);
}

/* An entry of one tensor, and around it a header of nothing else. */
#define ENTRY(dtype, shape, offsets) "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(dtype, shape, offsets)   "{\"w\":" ENTRY(dtype, shape, offsets) "}"

static const struct {
  const char *header;
  size_t bytes;
  icl_status status;
  const char *message;
} refused[] = {
    {"", 0, ICL_EFORMAT, "byte 8 does not begin with {"},
    {" {}", 0, ICL_EFORMAT, "byte 8 does not begin with {"},
    {"[]", 0, ICL_EFORMAT, "byte 8 does not begin with {"},
    {"{", 0, ICL_EFORMAT, "damaged at byte 9: string or '}' expected"},
    {"{} x", 0, ICL_EFORMAT, "damaged at byte 12: end of file expected near 'x'"},
    {"{}{}", 0, ICL_EFORMAT, "end of file expected"},
    {"{\"w\":1,}", 0, ICL_EFORMAT, "string or '}' expected near '}'"},
    {"{\"w\":01}", 0, ICL_EFORMAT, "invalid token near '0'"},
    {"{\"w\":NaN}", 0, ICL_EFORMAT, "invalid token near 'NaN'"},
    {"{\"\xff\":1}", 0, ICL_EFORMAT, "unable to decode byte 0xff"},
    {"{\"\xc0\x80\":1}", 0, ICL_EFORMAT, "unable to decode byte 0xc0"},
    {"{\"\\ud800\":1}", 0, ICL_EFORMAT, "invalid Unicode"},
    {"{\"a\\u0000b\":1}", 0, ICL_EFORMAT, "NUL byte in object key"},
    {"{\"a\x1b[31m\":1}", 0, ICL_EFORMAT, "control character 0x1b near '\"a'"},
    {"{\"w\":{},\"v\":{},\"w\":{}}", 0, ICL_EFORMAT, "duplicate object key near '\"w\"'"},
    {"{\"w\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 0, ICL_EFORMAT, "duplicate object key near '\"dtype\"'"},
    {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}}", 0, ICL_EFORMAT, "duplicate object key near '\"a\"'"},
    {"{\"__metadata__\":[]}", 0, ICL_EFORMAT, "__metadata__ in the header is not an object"},
    {"{\"__metadata__\":{\"epoch\":3}}", 0, ICL_EFORMAT, "'epoch' of __metadata__ is not a string"},
    {"{\"w\":[]}", 0, ICL_EFORMAT, "tensor 'w': its entry in the header is not an object"},
    {"{\"a\\u001bb\":[]}", 0, ICL_EFORMAT, "tensor 'a\\x1bb': "},
    {"{\"w\":{\"shape\":[],\"data_offsets\":[0,1]}}", 1, ICL_EFORMAT, "tensor 'w': its dtype is missing"},
    {ONE("8", "[]", "[0,1]"), 1, ICL_EFORMAT, "tensor 'w': its dtype is missing or not a string"},
    {"{\"w\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, ICL_EFORMAT, "tensor 'w': its shape is missing"},
    {ONE("\"U8\"", "1", "[0,1]"), 1, ICL_EFORMAT, "its shape is missing or not a list"},
    {ONE("\"U8\"", "[1,-1]", "[0,1]"), 1, ICL_EFORMAT, "size 2 of its shape is not an integer from 0"},
    {ONE("\"U8\"", "[1.0]", "[0,1]"), 1, ICL_EFORMAT, "size 1 of its shape is not an integer from 0"},
    {ONE("\"U8\"", "[1e0]", "[0,1]"), 1, ICL_EFORMAT, "size 1 of its shape is not an integer from 0"},
    {ONE("\"U8\"", "[\"1\"]", "[0,1]"), 1, ICL_EFORMAT, "size 1 of its shape is not an integer from 0"},
    {ONE("\"U8\"", "[18446744073709551617]", "[0,1]"), 1, ICL_EFORMAT, "too big integer"},
    {ONE("\"U8\"", "[2147483647,2147483647,2147483647,0]", "[0,0]"), 0, ICL_EFORMAT, "more elements than can be"},
    {ONE("\"F64\"", "[2147483647,2147483647]", "[0,0]"), 0, ICL_EFORMAT, "more elements than can be counted"},
    {ONE("\"U8\"", "[1,1,1,1,1,1,2]", "[0,1]"), 1, ICL_EFORMAT, "has 1 bytes; dtype and shape need 2"},
    {ONE("\"I16\"", "[1]", "[0,1]"), 1, ICL_EFORMAT, "has 1 bytes; dtype and shape need 2"},
    {ONE("\"F4\"", "[1]", "[0,2]"), 1, ICL_EFORMAT, "which is cut at byte"},
    {ONE("\"F4\"", "[1]", "[1,2]"), 2, ICL_EFORMAT, "its data begins at byte"},
    {"{\"w\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, ICL_EFORMAT, "its data_offsets are missing"},
    {ONE("\"U8\"", "[1]", "[0]"), 1, ICL_EFORMAT, "its data_offsets are missing or not two integers"},
    {ONE("\"U8\"", "[1]", "[0,1,2]"), 1, ICL_EFORMAT, "its data_offsets are missing or not two integers"},
    {ONE("\"U8\"", "[1]", "[0,1.0]"), 1, ICL_EFORMAT, "its data_offsets are missing or not two integers"},
    {ONE("\"U8\"", "[1]", "{}"), 1, ICL_EFORMAT, "its data_offsets are missing or not two integers"},
    {ONE("\"U8\"", "[1]", "[1,0]"), 1, ICL_EFORMAT, "its data_offsets 1, 0 are no range"},
    {ONE("\"U8\"", "[1]", "[-1,0]"), 1, ICL_EFORMAT, "its data_offsets -1, 0 are no range"},
    {ONE("\"U8\"", "[4]", "[0,4]"), 3, ICL_EFORMAT,
     "its data ends 4 bytes after byte 61 of the file, which is cut at "
     "byte 64"},
    {ONE("\"U8\"", "[1]", "[9223372036854775806,9223372036854775807]"), 1, ICL_EFORMAT, "which is cut at byte"},
    {ONE("\"F32\"", "[2]", "[0,4]"), 4, ICL_EFORMAT,
     "tensor 'w': its data, from byte 62 of the file, has 4 bytes; "
     "dtype and shape need 8"},
    {ONE("\"U8\"", "[0]", "[0,1]"), 1, ICL_EFORMAT, "has 1 bytes; dtype and shape need 0"},
    {ONE("\"BOOL\"", "[3]", "[0,3]"), 3, ICL_EFORMAT, "tensor 'w': byte 65 of the file is 2; a BOOL is 0 or 1"},
    {ONE("\"U8\"", "[2]", "[1,3]"), 3, ICL_EFORMAT,
     "tensor 'w': its data begins at byte 62 of the file, where byte 61"},
    {ONE("\"U8\"", "[1]", "[0,1]"), 2, ICL_EFORMAT, "its tensors end at byte 62, the file at byte 63"},
    {"{}", 1, ICL_EFORMAT, "its tensors end at byte 10, the file at byte 11"},
    {"{\"a\":" ENTRY("\"U8\"", "[2]", "[0,2]") ",\"b\":" ENTRY("\"U8\"", "[2]", "[1,3]") "}", 3, ICL_EFORMAT,
     "tensor 'b': its data begins at byte 114 of the file, where byte 115"},
    {"{\"a\":" ENTRY("\"U8\"", "[1]", "[0,1]") ",\"b\":" ENTRY("\"U8\"", "[1]", "[0,1]") "}", 1, ICL_EFORMAT,
     "tensor 'b': its data begins at byte"},
    {"{\"a\":" ENTRY("\"U8\"", "[1]", "[0,1]") ",\"b\":" ENTRY("\"U8\"", "[1]", "[2,3]") "}", 3, ICL_EFORMAT,
     "tensor 'b': its data begins at byte"},
    {"{\"a\":" ENTRY("\"U8\"", "[0]", "[1,1]") ",\"b\":" ENTRY("\"U8\"", "[2]", "[0,2]") "}", 2, ICL_EFORMAT,
     "tensor 'a': its data begins at byte"},
};

TEST(damaged_headers_are_refused) {
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    const char *path = make(refused[i].header, refused[i].bytes);
    icl_safetensors *file;
    CHECK_ERROR(icl_safetensors_read(path, &file), refused[i].status, refused[i].message);
    CHECK_CONTAINS(icl_message(), path);
  }
}

/* What icl has not does not keep the others from being read. */
TEST(arrays_that_cannot_be_read_are_listed) {
  static const struct {
    const char *dtype, *shape, *offsets, *problem;
  } cases[] = {
      {"F4", "[3]", "[1,3]",
       "its dtype is F4; icl reads I64 F64 F32 I32 BF16 F16 U8 BOOL I8 I16 U16 U32 U64 F8_E4M3 F8_"},
      {"u8", "[2]", "[1,3]", "its dtype is u8; icl reads"},
      {"\\u001b[31m", "[2]", "[1,3]", "its dtype is \\x1b[31m; icl reads"},
      {"U8", "[1,1,1,1,1,1,2]", "[1,3]", "it has 7 axes; icl reads up to 6"},
      {"U8", "[2147483648,0]", "[1,1]", "size 1 of its shape is 2147483648; icl reads up to 2147483647"},
      {"I8", "[1,1,1,1,1,1,2]", "[1,3]", "it has 7 axes"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char header[512];
    int end = strcmp(cases[i].offsets, "[1,3]") == 0 ? 3 : 1;
    snprintf(header, sizeof header,
             "{\"a\":" ENTRY("\"U8\"", "[1]", "[0,1]") ",\"w\":" ENTRY("\"%s\"", "%s", "%s") ",\"z\":" ENTRY(
                 "\"U8\"", "[1]", "[%d,%d]") "}",
             cases[i].dtype, cases[i].shape, cases[i].offsets, end, end + 1);
    icl_safetensors *file;
    CHECK_OK(icl_safetensors_read(make(header, (size_t)end + 1), &file));
    CHECK_EQ(file->count, 3);
    CHECK(!find(file, "a")->problem && !find(file, "z")->problem);
    CHECK_EQ(*(const uint8_t *)find(file, "z")->data, end);
    const icl_array *w = find(file, "w");
    CHECK_CONTAINS(w->problem, cases[i].problem);
    CHECK(!w->data && w->rank == 0);
    CHECK_ERROR(icl_safetensors_write(file_path("copy"), file), ICL_EINVAL, "tensor 'w' was not read: ");
    CHECK_CONTAINS(icl_message(), cases[i].problem);
    icl_safetensors_free(file);
  }
}

/* A file with one array "w" of one axis. */
static icl_safetensors *read_one(const char *dtype, size_t count, const void *data, size_t bytes) {
  char file[2048];
  uint64_t length =
      (uint64_t)snprintf(file + 8, sizeof file - 8, ONE("\"%s\"", "[%zu]", "[0,%zu]"), dtype, count, bytes);
  memcpy(file, &length, 8);
  memcpy(file + 8 + length, data, bytes);
  icl_safetensors *result;
  CHECK_OK(icl_safetensors_read(file_put("file", file, 8 + length + bytes), &result));
  return result;
}

static void check_converted(const char *dtype, size_t count, const void *data, size_t bytes, icl_dtype becomes,
                            const void *expected) {
  icl_safetensors *file = read_one(dtype, count, data, bytes);
  CHECK_EQ(file->arrays[0].dtype, becomes);
  CHECK_EQ(file->arrays[0].shape[0], count);
  CHECK(memcmp(file->arrays[0].data, expected, count * icl_dtype_bytes(becomes)) == 0);
  icl_safetensors_free(file);
}

TEST(integers_that_icl_has_not_are_converted) {
  check_converted("I8", 3, "\x80\xff\x7f", 3, ICL_I32, (int32_t[]){-128, -1, 127});
  check_converted("I16", 2, "\x00\x80\xff\x7f", 4, ICL_I32, (int32_t[]){-32768, 32767});
  check_converted("U16", 2, "\x00\x80\xff\xff", 4, ICL_I32, (int32_t[]){32768, 65535});
  check_converted("U32", 2, "\xff\xff\xff\xff\1\0\0\0", 8, ICL_I64, (int64_t[]){4294967295, 1});
  check_converted("U64", 1, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8, ICL_I64, (int64_t[]){INT64_MAX});
  check_converted("U64", 0, "", 0, ICL_I64, "");
  icl_safetensors *file = read_one("U64", 2, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80", 16);
  CHECK_STR(file->arrays[0].problem, "its dtype is U64, and element 1, 9223372036854775808, is more than an i64 holds");
  CHECK(!file->arrays[0].data);
  icl_safetensors_free(file);
}

/* The values that the format's definition gives (Micikevicius et al., "FP8 formats for deep learning", 2022). */
TEST(floats_of_eight_bits_are_converted) {
  static const struct {
    const char *dtype;
    uint8_t byte;
    float value;
  } cases[] = {
      {"F8_E4M3", 0x00, 0},        {"F8_E4M3", 0x01, 0x1p-9f},    {"F8_E4M3", 0x07, 0x1.cp-7f},
      {"F8_E4M3", 0x08, 0x1p-6f},  {"F8_E4M3", 0x38, 1},          {"F8_E4M3", 0xb9, -1.125f},
      {"F8_E4M3", 0x7e, 448},      {"F8_E4M3", 0x7f, NAN},        {"F8_E4M3", 0xff, NAN},
      {"F8_E5M2", 0x01, 0x1p-16f}, {"F8_E5M2", 0x03, 0x1.8p-15f}, {"F8_E5M2", 0x04, 0x1p-14f},
      {"F8_E5M2", 0x3c, 1},        {"F8_E5M2", 0xbd, -1.25f},     {"F8_E5M2", 0x7b, 57344},
      {"F8_E5M2", 0x7c, INFINITY}, {"F8_E5M2", 0xfc, -INFINITY},  {"F8_E5M2", 0x7d, NAN},
      {"F8_E5M2", 0xff, NAN},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    icl_safetensors *file = read_one(cases[i].dtype, 1, &cases[i].byte, 1);
    CHECK_EQ(file->arrays[0].dtype, ICL_F32);
    float value = *(const float *)file->arrays[0].data;
    CHECK(isnan(cases[i].value) ? isnan(value) : value == cases[i].value);
    icl_safetensors_free(file);
  }
}

TEST(deep_nesting_is_refused) {
  enum { DEPTH = 1000000 };
  char *file = icl__alloc(8 + 5 + DEPTH, 1);
  memcpy(file, &(uint64_t){5 + DEPTH}, 8);
  memcpy(file + 8, "{\"w\":", 5);
  memset(file + 13, '[', DEPTH);
  icl_safetensors *result;
  CHECK_ERROR(icl_safetensors_read(file_put("deep", file, 13 + DEPTH), &result), ICL_EFORMAT, "maximum parsing depth");
  icl__free(file);
}

TEST(damaged_frames_are_refused) {
  icl_safetensors *file;
  CHECK_ERROR(icl_safetensors_read(file_path("absent"), &file), ICL_ENOENT, "/absent");
  CHECK_ERROR(icl_safetensors_read(file_path("."), &file), ICL_EIO, "not a regular file");
  CHECK_ERROR(icl_safetensors_read(file_put("f", "", 0), &file), ICL_EFORMAT, "it has 0 bytes");
  CHECK_ERROR(icl_safetensors_read(file_put("f", "\2\0\0\0\0\0\0", 7), &file), ICL_EFORMAT, "it has 7 bytes");
  CHECK_ERROR(icl_safetensors_read(file_put("f", "\0\0\0\0\0\0\0\0", 8), &file), ICL_EFORMAT, "does not begin with {");
  CHECK_ERROR(icl_safetensors_read(file_put("f", "\3\0\0\0\0\0\0\0{}", 10), &file), ICL_EFORMAT,
              "it is cut at byte 10, inside the header, which ends at byte 11");
  CHECK_ERROR(icl_safetensors_read(file_put("f", "\x01\xe1\xf5\x05\0\0\0\0{}", 10), &file), ICL_EFORMAT,
              "the header 100000001 bytes; at most 100000000 are allowed");
  CHECK_ERROR(icl_safetensors_read(file_put("f", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), &file), ICL_EFORMAT,
              "the header 18446744073709551615 bytes");
  CHECK_ERROR(icl_safetensors_read(file_put("f", "PK\3\4\0\0\10\10\0\0\0\0", 12), &file), ICL_EFORMAT, "PyTorch");
  CHECK_ERROR(icl_safetensors_read(file_put("f", "\x80\2\x8a\nl\xfc\x9c\x46\xf9\x20", 10), &file), ICL_EFORMAT,
              "PyTorch");
}

/* Every cut of a good file is refused. */
TEST(cut_files_are_refused) {
  make("{\"a\":" ENTRY("\"U8\"", "[2]", "[0,2]") ",\"b\":" ENTRY("\"F32\"", "[]", "[2,6]") "}", 6);
  char *bytes;
  size_t size;
  icl_safetensors *file;
  CHECK_OK(icl__file_read_all(file_path("file"), SIZE_MAX, &bytes, &size));
  for (size_t cut = 0; cut < size; cut++)
    CHECK_ERROR(icl_safetensors_read(file_put("cut", bytes, cut), &file), ICL_EFORMAT, "/cut: ");
  CHECK_OK(icl_safetensors_read(file_put("cut", bytes, size), &file));
  icl_safetensors_free(file);
  icl__free(bytes);
}

TEST(reading_without_memory) {
  const char *path = make("{\"__metadata__\":{\"a\":\"b\"},\"w\":" ENTRY("\"I8\"", "[2]", "[0,2]") ",\"v\":" ENTRY(
                              "\"F4\"", "[2]", "[2,3]") "}",
                          3);
  icl_safetensors *file;
  size_t before = icl__memory_in_use();
  enum { TAKES = 8 }; /* the result, the header and its contents, metadata, places, arrays, what w becomes, a problem */
  for (int allowed = 0; allowed < TAKES; allowed++) {
    icl__alloc_fail_after(allowed);
    CHECK_ERROR(icl_safetensors_read(path, &file), ICL_ENOMEM, "/file: ");
    CHECK_CONTAINS(icl_message(), "out of memory");
    CHECK_EQ(icl__memory_in_use(), before);
  }
  icl__alloc_fail_after(TAKES);
  CHECK_OK(icl_safetensors_read(path, &file));
  icl_safetensors_free(file);
}

/* ---- writing ---- */

static const icl_array everything[] = {
    {"u8", ICL_U8, 2, {2, 2}, (uint8_t[]){0, 1, 254, 255}, NULL},
    {"bool", ICL_BOOL, 1, {3}, (bool[]){true, false, true}, NULL},
    {"f16", ICL_F16, 1, {2}, (uint16_t[]){0x3c00, 0x7e01}, NULL},
    {"bf16", ICL_BF16, 1, {1}, (uint16_t[]){0x3f80}, NULL},
    {"f32.b", ICL_F32, 6, {1, 1, 1, 1, 1, 2}, (float[]){1.5f, -0.0f}, NULL},
    {"f32.a", ICL_F32, 1, {1}, (uint32_t[]){0x7fc00001}, NULL},
    {"i32", ICL_I32, 1, {2}, (int32_t[]){INT32_MIN, 7}, NULL},
    {"f64", ICL_F64, 0, {0}, (double[]){0.1}, NULL},
    {"i64", ICL_I64, 0, {0}, (int64_t[]){INT64_MIN}, NULL},
    {"empty", ICL_F32, 3, {2, 0, 3}, NULL, NULL},
    {"\"\\/\n\x7f\xc3\xa9", ICL_U8, 1, {1}, (uint8_t[]){9}, NULL},
};
enum { ARRAYS = sizeof everything / sizeof *everything };

TEST(what_is_written_is_read) {
  const char *path = file_path("all");
  icl_metadata metadata[] = {{"format", "pt"}, {"note", "a\tb\xc3\xa9"}};
  CHECK_OK(icl_safetensors_write(path, &(icl_safetensors){ARRAYS, 2, everything, metadata}));
  icl_safetensors *file;
  CHECK_OK(icl_safetensors_read(path, &file));
  CHECK_EQ(file->count, ARRAYS);
  for (int i = 0; i < ARRAYS; i++) {
    const icl_array *in = &everything[i], *out = find(file, in->name);
    size_t bytes = icl_dtype_bytes(in->dtype);
    CHECK_EQ(out->dtype, in->dtype);
    CHECK_EQ(out->rank, in->rank);
    for (int axis = 0; axis < in->rank; axis++) {
      CHECK_EQ(out->shape[axis], in->shape[axis]);
      bytes *= (size_t)in->shape[axis];
    }
    CHECK(bytes == 0 || memcmp(out->data, in->data, bytes) == 0);
  }
  CHECK_EQ(file->metadata_count, 2);
  CHECK_STR(file->metadata[0].value, "pt");
  CHECK_STR(file->metadata[1].value, "a\tb\xc3\xa9");
  icl_safetensors_free(file);
}

TEST(data_is_ordered_and_aligned) {
  const char *order[ARRAYS] = {"i64", "f64", "empty", "f32.a", "f32.b", "i32", "bf16", "f16", "\"\\/\n\x7f\xc3\xa9",
                               "u8",  "bool"};
  icl_safetensors *file;
  CHECK_OK(icl_safetensors_write(file_path("all"), &(icl_safetensors){ARRAYS, 0, everything, NULL}));
  CHECK_OK(icl_safetensors_read(file_path("all"), &file));
  for (int i = 0; i < ARRAYS; i++) {
    CHECK_STR(file->arrays[i].name, order[i]);
    CHECK_EQ((uintptr_t)file->arrays[i].data % icl_dtype_bytes(file->arrays[i].dtype), 0);
  }
  icl_safetensors_free(file);
}

TEST(a_written_file_byte_for_byte) {
  const char *path = file_path("small");
  icl_array arrays[] = {{"bc", ICL_U8, 1, {2}, "\7\5", NULL}, {"a", ICL_F32, 0, {0}, "\0\0\x80\x3f", NULL}};
  icl_metadata metadata = {"format", "pt"};
  CHECK_OK(icl_safetensors_write(path, &(icl_safetensors){2, 1, arrays, &metadata}));
  static const char expected[] = "\x90\0\0\0\0\0\0\0"
                                 "{\"__metadata__\":{\"format\":\"pt\"},"
                                 "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                                 "\"bc\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]}}       "
                                 "\0\0\x80\x3f\7\5";
  char *bytes;
  size_t size;
  CHECK_OK(icl__file_read_all(path, SIZE_MAX, &bytes, &size));
  CHECK_EQ(size, sizeof expected - 1);
  CHECK(memcmp(bytes, expected, size) == 0);
  icl__free(bytes);
}

/* A write that must fail for this reason, and leaves nothing behind. */
static void check_refused(const icl_safetensors *contents, icl_status status, const char *message) {
  CHECK_ERROR(icl_safetensors_write(file_path("refused"), contents), status, message);
  CHECK_CONTAINS(icl_message(), "/refused: not written: ");
  CHECK_EQ(file_count(), 0);
}

TEST(what_cannot_be_read_is_not_written) {
  icl_array a = {"a", ICL_U8, 1, {1}, "x", NULL}, twice[] = {a, a}, odd = a;
  check_refused(&(icl_safetensors){2, 0, twice, NULL}, ICL_EEXIST, "two tensors are called 'a'");
  odd.name = "__metadata__";
  check_refused(&(icl_safetensors){1, 0, &odd, NULL}, ICL_EEXIST, "the format itself uses that name");
  odd.name = "\xff";
  check_refused(&(icl_safetensors){1, 0, &odd, NULL}, ICL_EINVAL, "not UTF-8");
  odd = a;
  odd.shape[0] = -1;
  check_refused(&(icl_safetensors){1, 0, &odd, NULL}, ICL_ESHAPE, "tensor 'a': u8 (-1) has a size below 0");
  odd.rank = 7;
  check_refused(&(icl_safetensors){1, 0, &odd, NULL}, ICL_EINVAL, "tensor 'a': rank 7");
  odd = (icl_array){.name = "a", .dtype = (icl_dtype)99};
  check_refused(&(icl_safetensors){1, 0, &odd, NULL}, ICL_EINVAL, "tensor 'a': there is no dtype of number 99");
  check_refused(&(icl_safetensors){-1, 0, &odd, NULL}, ICL_EINVAL, "below 0");
  icl_metadata same[] = {{"k", "1"}, {"k", "2"}}, broken = {"k", "\x80"};
  check_refused(&(icl_safetensors){1, 2, &a, same}, ICL_EEXIST, "the metadata has 'k' twice");
  check_refused(&(icl_safetensors){1, 1, &a, &broken}, ICL_EINVAL, "the metadata 'k' is not UTF-8");
}

TEST(writing_without_space_keeps_the_old_file) {
  const char *path = file_path("weights");
  static float big[100000];
  icl_array small = {"w", ICL_U8, 1, {1}, "x", NULL}, large = {"w", ICL_F32, 1, {100000}, big, NULL};
  CHECK_OK(icl_safetensors_write(path, &(icl_safetensors){1, 0, &small, NULL}));
  signal(SIGXFSZ, SIG_IGN);
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096}), 0);
  CHECK_ERROR(icl_safetensors_write(path, &(icl_safetensors){1, 0, &large, NULL}), ICL_EIO,
              "/weights: cannot write it");
  CHECK_EQ(file_count(), 1);
  icl_safetensors *file;
  CHECK_OK(icl_safetensors_read(path, &file));
  CHECK_EQ(file->arrays[0].dtype, ICL_U8);
  icl_safetensors_free(file);
}

TEST(files_in_the_home_folder) {
  icl_safetensors *file;
  setenv("HOME", file_path("."), 1);
  CHECK_OK(icl_safetensors_write("~/w", &(icl_safetensors){1, 0, everything, NULL}));
  CHECK_OK(icl_safetensors_read("~/w", &file));
  CHECK_EQ(file->count, 1);
  icl_safetensors_free(file);
  CHECK_OK(icl_safetensors_read(file_path("w"), &file));
  icl_safetensors_free(file);
}

TEST(writing_into_no_folder) {
  CHECK_ERROR(icl_safetensors_write(file_path("absent/w"), &(icl_safetensors){0, 0, NULL, NULL}), ICL_ENOENT,
              "absent/w: ");
}

TEST(writing_without_memory) {
  icl_safetensors contents = {ARRAYS, 0, everything, NULL};
  icl_status status = ICL_ENOMEM;
  int allowed = 0;
  for (; status != ICL_OK; allowed++) {
    icl__alloc_fail_after(allowed);
    status = icl_safetensors_write(file_path("w"), &contents);
    CHECK_EQ(status == ICL_OK || status == ICL_ENOMEM, true);
    if (status != ICL_OK) {
      CHECK_CONTAINS(icl_message(), "out of memory");
      CHECK_EQ(file_count(), 0);
    }
  }
  CHECK(allowed > 3);
}
