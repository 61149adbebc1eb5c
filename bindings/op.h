/* op.h - ops as Lua functions. */
#ifndef ICL_BINDINGS_OP_H
#define ICL_BINDINGS_OP_H

#include "binding.h"

/* Adds + - * / ^ to the metatable on top of the stack, and comparisons that say what to write instead. */
void icl__lua_operators(lua_State *L);
void icl__lua_op_functions(lua_State *L);

#endif
