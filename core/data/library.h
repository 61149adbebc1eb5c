/* library.h - libraries that most runs never need: loaded when the first picture of their format is read, since linking
 * them would make every start of the program longer. */
#ifndef ICL_DATA_LIBRARY_H
#define ICL_DATA_LIBRARY_H

#include "base/status.h"

typedef struct {
  const char *file;         /* what the loader finds it by: "libtiff.so.6" */
  const char *const *names; /* of its functions */
  int count;
  void *functions; /* a struct of as many pointers to functions, in this order */
  bool loaded;
} icl__library;

/* Fills in the functions unless that was done before. `name` is the file that is being read, `format` what it is; both
 * are for messages. ENOTSUP: the library cannot be loaded. */
icl_status icl__library_load(icl__library *library, const char *name, const char *format);

#endif
