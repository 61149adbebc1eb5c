/* engine.h - one engine for each Lua state. */
#ifndef ICL_BINDINGS_ENGINE_H
#define ICL_BINDINGS_ENGINE_H

#include "binding.h"

/* The engine, opened when it is first asked for. Every function that calls the core gets it here. */
icl_engine *icl__lua_engine(lua_State *L);
/* The engine if it is open, else NULL. */
icl_engine *icl__lua_engine_or_null(lua_State *L);
void icl__lua_engine_functions(lua_State *L);

#endif
