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

/* Copies text so that a terminal shows it and does not obey it: bytes that are not UTF-8, control characters and those
 * that turn the direction of writing become \xNN. Names of files and whatever stands in files may have any of them.
 * Cut at a whole character if it does not fit into `room` bytes with its 0. Text without such bytes stays as it is, so
 * that showing what was shown changes nothing. */
void icl__show(const char *text, char *out, size_t room);

#endif
