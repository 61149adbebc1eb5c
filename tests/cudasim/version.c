/* version.c - a cuDNN that knows nothing but its version. */
#include <stddef.h>

size_t cudnnGetVersion(void);
size_t cudnnGetVersion(void) { return VERSION; }
