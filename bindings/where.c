/* where.c - the line of the recipe that is running. */
#include "where.h"

#include <string.h>

bool icl__lua_in_library(const lua_Debug *where) { return strncmp(where->source, "=icl/", 5) == 0; }

bool icl__lua_user(lua_State *L, lua_Debug *where) {
  for (int level = 0; lua_getstack(L, level, where); level++) {
    lua_getinfo(L, "S", where);
    if (icl__lua_in_library(where))
      continue; /* its line would take longer to find than its name */
    lua_getinfo(L, "l", where);
    if (where->currentline > 0)
      return true;
  }
  return false;
}

void icl__lua_locate(lua_State *L, icl_engine *engine) {
  lua_Debug where;
  if (icl__lua_user(L, &where))
    icl_engine_locate(engine, where.short_src, where.currentline);
}

/* where() -> "recipe.lua:12: ", the line of the recipe that is running, or "". */
static int where_now(lua_State *L) {
  lua_Debug line;
  if (icl__lua_user(L, &line))
    lua_pushfstring(L, "%s:%d: ", line.short_src, line.currentline);
  else
    lua_pushliteral(L, "");
  return 1;
}

void icl__lua_where_functions(lua_State *L) {
  lua_pushcfunction(L, where_now);
  lua_setfield(L, -2, "where");
}
