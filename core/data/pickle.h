/* pickle.h - the part of Python's pickle format that image sets come in. A pickle is a program for a machine with a
 * stack; here it builds the values of pickle_values.h, and nothing else happens: a class or function that is not one of
 * numpy's few for arrays is an error with its name. */
#ifndef ICL_DATA_PICKLE_H
#define ICL_DATA_PICKLE_H

#include "data/pickle_values.h"

/* Reads what protocols 2 to 5 write. `path` is for messages; `data` must outlive the result. EFORMAT: anything else. */
icl_status icl__pickle_read(const char *path, const unsigned char *data, size_t bytes, icl__pickle **result);

#endif
