/* system.h - small things that Lua's own library lacks. */
#ifndef ICL_BINDINGS_SYSTEM_H
#define ICL_BINDINGS_SYSTEM_H

#include "binding.h"

void icl__lua_system_functions(lua_State *L);

#endif
