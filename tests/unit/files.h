/* files.h - small files for tests, in a folder of the test's own that goes away when it passes. */
#ifndef ICL_TESTS_FILES_H
#define ICL_TESTS_FILES_H

#include <stddef.h>

/* FOLDER/name; the folder is made at the first call. The strings live until the test ends. */
const char *file_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes the folder FOLDER/name, and those above it. */
void file_make_folder(const char *name);

/* Writes a file and returns its path. */
const char *file_put(const char *name, const void *data, size_t bytes);

/* How many entries the folder of the test has. */
int file_count(void);

#endif
