/* library.h - the Lua library inside the program. */
#ifndef ICL_BINDINGS_LIBRARY_H
#define ICL_BINDINGS_LIBRARY_H

#include "binding.h"

/* Makes require find icl.core and the modules of lua/icl. */
void icl__lua_install(lua_State *L);
int luaopen_icl_core(lua_State *L);
int luaopen_icl(lua_State *L); /* what `require "icl"` of a stock interpreter calls */

#endif
