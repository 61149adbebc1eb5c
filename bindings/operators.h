/* operators.h - ops as Lua functions. */
#ifndef ICL_BINDINGS_OPERATORS_H
#define ICL_BINDINGS_OPERATORS_H

#include "binding.h"

/* Adds + - * / ^ to the metatable on top of the stack, and comparisons that say what to write instead. */
void icl__lua_operators(lua_State *L);

/* Reads the attribute table at `arg` (nil, none: the defaults) of op. `rank` is that of its first input, -1 for a
 * number. */
void icl__lua_attributes(lua_State *L, int arg, const icl_op *op, int rank, icl_attributes *attributes);

#endif
