/* show.h - what a terminal may be shown. */
#ifndef ICL_BASE_SHOW_H
#define ICL_BASE_SHOW_H

#include <stddef.h>

/* Copies text so that a terminal shows it and does not obey it: bytes that are not UTF-8, control characters and those
 * that turn the direction of writing become \xNN. Names of files and whatever stands in files may have any of them.
 * Cut at a whole character if it does not fit into `room` bytes with its 0. Text without such bytes stays as it is, so
 * that showing what was shown changes nothing. */
void icl__show(const char *text, char *out, size_t room);

#endif
