/* group.h - groups of processes as Lua values. */
#ifndef ICL_BINDINGS_GROUP_H
#define ICL_BINDINGS_GROUP_H

#include "binding.h"

/* The group at `arg`, which is open. */
icl_group *icl__lua_check_group(lua_State *L, int arg);
/* Pushes a group, or nil for NULL; it gets a reference of its own. */
void icl__lua_push_group(lua_State *L, icl_group *group);

void icl__lua_group_functions(lua_State *L);

#endif
