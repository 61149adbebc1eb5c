/* npz.h - arrays in the files of numpy: .npy is one array, .npz a ZIP archive of them.
 *
 * A .npy file is a magic, a version, the length of the header, the header, which is a Python dictionary that says
 * dtype, order and shape, and the elements. Texts are in UCS-4 there, each as long as the longest, with zeros at its
 * end. */
#ifndef ICL_IO_NPZ_H
#define ICL_IO_NPZ_H

#include "base/status.h"

/* An array, or texts: then `texts` is not NULL, `array` is without data, and its dtype means nothing. */
typedef struct {
  icl_array array;
  const char *const *texts; /* as many as the shape of rank 0 or 1 has elements; UTF-8 */
} icl__npy;

typedef struct {
  int count;
  const icl__npy *arrays;
} icl__npz;

/* Reads an archive; what it holds is in memory of its own. Entries that are no arrays are an error. EFORMAT: damaged;
 * ENOTSUP: something that numpy can write and icl does not read: the message says what. */
icl_status icl__npz_read(const char *path, icl__npz **result);
void icl__npz_free(icl__npz *contents); /* NULL is allowed */

/* Replaces the file as a whole or not at all; equal contents are equal files. EINVAL: a name or a text is not UTF-8, or
 * a dtype is bf16, which numpy has not; EEXIST: a name is there twice. */
icl_status icl__npz_write(const char *path, const icl__npz *contents);

/* ---- parts: npy.c, and what fuzzers call ---- */

/* An archive that lies in memory; `path` is for messages. */
icl_status icl__npz_parse(const char *path, const unsigned char *file, size_t bytes, icl__npz **result);

/* One array that lies in memory, which must outlive it: its data is there. Texts are in memory of their own. The name
 * is not set. */
icl_status icl__npy_parse(const char *what, const unsigned char *file, size_t bytes, icl__npy *result);
void icl__npy_release(icl__npy *array); /* its texts */

/* The bytes of a .npy file that come before the elements and, of texts, these as well. The caller frees *start with
 * icl__free(). */
icl_status icl__npy_start(const icl__npy *array, char **start, size_t *bytes);

#endif
