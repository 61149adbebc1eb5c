/* attributes.h - the attributes of ops. */
#ifndef ICL_BINDINGS_ATTRIBUTES_H
#define ICL_BINDINGS_ATTRIBUTES_H

#include "binding.h"

/* Reads the attribute table at `arg` (nil, none: the defaults) of op. `rank` is that of its first input, -1 for a
 * number. */
void icl__lua_attributes(lua_State *L, int arg, const icl_op *op, int rank, icl_attributes *attributes);

#endif
