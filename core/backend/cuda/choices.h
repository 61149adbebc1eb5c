/* choices.h - what was measured once, in a file of the user's cache: $XDG_CACHE_HOME/icl/NAME, or ~/.cache/icl/NAME.
 *
 * It has a line "KEY: VALUE" for each choice behind a first line that says what it is. Nothing depends on it: a file
 * that is not there, cannot be read or written, is damaged or is something else is as good as an empty one, and is
 * replaced as a whole. Of processes that write at once, the last one's choice is kept. */
#ifndef ICL_BACKEND_CUDA_CHOICES_H
#define ICL_BACKEND_CUDA_CHOICES_H

#include <stdbool.h>
#include <stddef.h>

/* False: there is none for this key. */
bool icl__choice_read(const char *name, const char *key, char *value, size_t size);
/* Adds lines "KEY: VALUE", each of which takes the place of an older one with its key. Waits for the disk. */
void icl__choices_add(const char *name, const char *lines);

#endif
