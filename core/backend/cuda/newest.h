/* newest.h - which of several copies of a library is the newest. */
#ifndef ICL_BACKEND_CUDA_NEWEST_H
#define ICL_BACKEND_CUDA_NEWEST_H

#include "base/file.h"

typedef struct {
  const char *function;  /* says which version a library is */
  char path[ICL__PATH];  /* of the newest so far */
  unsigned long version; /* 0: there is none */
} icl__newest;

/* Asks the library at `path`, which may be a name for the loader to find. Of equals the first stays. */
void icl__newest_ask(icl__newest *newest, const char *path);

#endif
