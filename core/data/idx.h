/* idx.h - IDX files, the format of MNIST and its successors: 0, 0, a type, the number of axes, their sizes as
 * big-endian u32, and the elements; plain or compressed by gzip. */
#ifndef ICL_DATA_IDX_H
#define ICL_DATA_IDX_H

#include "data/source.h"

enum { ICL__IDX_AXES = 3 };

typedef struct {
  int32_t shape[ICL__IDX_AXES];
  const unsigned char *data; /* lives as long as the source */
  icl__source source;
} icl__idx;

/* Reads a file of bytes with `axes` axes. After an error there is nothing to close. */
icl_status icl__idx_open(const char *path, int axes, icl__idx *result);
void icl__idx_close(icl__idx *idx);

#endif
