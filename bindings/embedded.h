/* embedded.h - the Lua library and the recipes as data inside the program.
 *
 * The build turns every lua/icl/.../NAME.lua into one entry of icl__embedded, in the order of the files' names, and
 * every recipes/NAME.lua into one of icl__embedded_recipes; an entry without a name ends a list. The sources are text,
 * followed by a zero byte that `size` does not count. */
#ifndef ICL_BINDINGS_EMBEDDED_H
#define ICL_BINDINGS_EMBEDDED_H

#include <stddef.h>

typedef struct {
  const char *name; /* what require is given: "icl.nn.conv2d", "icl.nn" for icl/nn/init.lua */
  const char *file; /* for messages and tracebacks: "icl/nn/conv2d.lua" */
  const unsigned char *bytes;
  size_t size;
} icl__embedded_module;

extern const icl__embedded_module icl__embedded[], icl__embedded_recipes[];

#endif
