/* cifar.h - the files of CIFAR-10 and CIFAR-100: the binary version, records of labels and the red, green and blue
 * plane; and the one for Python, pickles. */
#ifndef ICL_DATA_CIFAR_H
#define ICL_DATA_CIFAR_H

#include "data/sets.h"

/* Reads a file of `records` images, (records, height, width, channels), and their labels. The format does not say how
 * many there are, so a cut file is known by its length only. */
icl_status icl__cifar_read(const icl__set *set, const char *path, int records, uint8_t *images, int64_t *labels);

/* ---- cifar_python.c ---- */

icl_status icl__cifar_python_read(const icl__set *set, const char *path, int records, uint8_t *images, int64_t *labels);
/* The names of the classes, a line each; freed with icl__free(). */
icl_status icl__cifar_python_names(const icl__set *set, const char *path, char **names);

#endif
