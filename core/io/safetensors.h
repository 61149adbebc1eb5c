/* safetensors.h - the parts of reading and writing safetensors files; icl.h has the two as a whole.
 *
 * A file is the length of the header (8 bytes), the header (JSON: dtype, shape and data_offsets by tensor name, and
 * strings under __metadata__), and the data of the tensors without holes. */
#ifndef ICL_IO_SAFETENSORS_H
#define ICL_IO_SAFETENSORS_H

#include "base/file.h"
#include "base/status.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors files are little-endian, and so must the machine be"
#endif

#define ICL__SAFETENSORS_METADATA "__metadata__"
enum { ICL__SAFETENSORS_LENGTH = 8, ICL__SAFETENSORS_MAX_HEADER = 100000000 };

/* dtypes and their names, in the order in which the writer puts their data: by falling alignment, and among equals as
 * the reference implementation does, so that equal contents are equal files. */
#define ICL__SAFETENSORS_DTYPES(X)                                                                                     \
  X(I64, "I64")                                                                                                        \
  X(F64, "F64")                                                                                                        \
  X(F32, "F32")                                                                                                        \
  X(I32, "I32")                                                                                                        \
  X(BF16, "BF16")                                                                                                      \
  X(F16, "F16")                                                                                                        \
  X(U8, "U8")                                                                                                          \
  X(BOOL, "BOOL")

/* A dtype that icl has not: its name, its bytes, the dtype that its values become, and how. ENOTSUP: a value of this
 * array does not fit. */
typedef struct {
  const char *name;
  size_t bytes;
  icl_dtype becomes;
  icl_status (*convert)(const unsigned char *from, size_t count, void *to);
} icl__foreign_dtype;

const icl__foreign_dtype *icl__safetensors_foreign(int index); /* NULL behind the last one */

static inline size_t icl__array_bytes(const icl_array *array) {
  size_t bytes = icl_dtype_bytes(array->dtype);
  for (int i = 0; i < array->rank; i++)
    bytes *= (size_t)array->shape[i];
  return bytes;
}

/* The contents of a file that lies in memory, which must outlive them; `path` is for messages. */
icl_status icl__safetensors_parse(const char *path, const unsigned char *file, size_t bytes, icl_safetensors **result);

/* The metadata of this key is the CRC-32 (zlib's) of the whole file, in which the eight digits themselves count as
 * zeros: "crc32:0123abcd". It is computed for files whose metadata have the key with a value that begins with "crc32".
 */
#define ICL__SAFETENSORS_CHECKSUM "checksum"
#define ICL__SAFETENSORS_CRC      "crc32"
enum { ICL__SAFETENSORS_DIGITS = 8 };

/* Where the digits lie in the length and header that a file begins with; 0: there are none. */
size_t icl__safetensors_digits(const unsigned char *start, size_t bytes);
/* The sum, from 0, after more bytes. */
uint32_t icl__safetensors_sum(uint32_t sum, const void *data, size_t bytes);
/* icl_safetensors_verify() of a file that lies in memory. */
icl_status icl__safetensors_check(const char *path, const unsigned char *file, size_t bytes);

/* What a file begins with: length and header. `order` has room for every array and gets them in the order in which
 * their data follows. The caller frees *start with icl__free(). */
icl_status icl__safetensors_start(const icl_safetensors *contents, const icl_array **order, char **start,
                                  size_t *bytes);

/* ---- save.c ---- */

/* A file that is to be written. */
typedef struct icl__save icl__save;

/* Arranges it: the data of the arrays must stay until the save is finished, all else is copied. ~/ is looked up. */
icl_status icl__save_new(const char *path, const icl_safetensors *contents, const icl__places *places,
                         icl__save **result);
/* Begins to write on a thread of its own; without one, writes here. The process does not exit before it is written; in
 * one that is forked meanwhile there is nothing to finish. */
void icl__save_start(icl__save *save);
bool icl__save_is_done(const icl__save *save);
/* Waits for the end of a save that was started, and writes one that was not. Any number of times. */
icl_status icl__save_finish(icl__save *save);
void icl__save_free(icl__save *save); /* after finishing it; NULL is allowed */

#endif
