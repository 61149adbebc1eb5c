/* json.h - JSON texts as Lua values. */
#ifndef ICL_BINDINGS_JSON_H
#define ICL_BINDINGS_JSON_H

#include "binding.h"

void icl__lua_json_functions(lua_State *L);

#endif
