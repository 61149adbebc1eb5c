/* text.h - a text that grows by printing to it. */
#ifndef ICL_BASE_TEXT_H
#define ICL_BASE_TEXT_H

#include "base/status.h"

/* Begins as {0}, or with a text of ours to go on from. The text is one block of memory, and whole at any time. */
typedef struct {
  char *text;
  size_t used, capacity;
  icl_status status; /* the first failure; nothing is added after it */
} icl__text;

/* As printf. Failures are kept in `status`. */
void icl__say(icl__text *out, const char *format, ...) ICL__PRINTF(2, 3);

#endif
