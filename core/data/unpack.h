/* unpack.h - takes the files of an image set out of the archive that its publisher offers. */
#ifndef ICL_DATA_UNPACK_H
#define ICL_DATA_UNPACK_H

#include "data/sets.h"

/* Writes the files of both parts of the set, and that with the names of its classes, from a tar archive, compressed by
 * gzip or not, into a folder that is there. They may lie in any folder of the archive; everything else in it is left
 * out, and names in it are never used as paths. EFORMAT: it is damaged, or a file is missing. */
icl_status icl__unpack(const icl__set *set, const char *archive, const char *folder);

#endif
