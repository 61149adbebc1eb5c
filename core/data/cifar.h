/* cifar.h - the binary files of CIFAR-10 and CIFAR-100: records of labels and the red, green and blue plane. */
#ifndef ICL_DATA_CIFAR_H
#define ICL_DATA_CIFAR_H

#include "data/sets.h"

/* Reads a file of `records` images, (records, height, width, channels), and their labels. The format does not say how
 * many there are, so a cut file is known by its length only. */
icl_status icl__cifar_read(const icl__set *set, const char *path, int records, uint8_t *images, int64_t *labels);

#endif
