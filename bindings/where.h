/* where.h - the line of the recipe that is running. */
#ifndef ICL_BINDINGS_WHERE_H
#define ICL_BINDINGS_WHERE_H

#include "binding.h"

/* Is this a function of the library? `where` holds its source. library.c calls the chunks of the library =icl/... */
bool icl__lua_in_library(const lua_Debug *where);
/* Fills in where the innermost function that is not part of the library is; false if there is none. */
bool icl__lua_user(lua_State *L, lua_Debug *where);
/* Tells the engine the line of the recipe that is running; for functions that record ops. */
void icl__lua_locate(lua_State *L, icl_engine *engine);

/* The function at `level` of the stack calls a module, and does not return before icl__lua_leave_module(). As long as
 * it is there, the line behind it stays, and need not be looked for at each op. */
void icl__lua_enter_module(lua_State *L, int level);
void icl__lua_leave_module(lua_State *L);

void icl__lua_where_functions(lua_State *L);

#endif
