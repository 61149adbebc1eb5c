/* where.c - the line of the recipe that is running. */
#include "where.h"

#include "session.h"

#include <string.h>

bool icl__lua_in_library(const lua_Debug *where) { return strncmp(where->source, "=icl/", 5) == 0; }

/* Does the function have a line, and is it not part of the library? */
static bool has_line(lua_State *L, lua_Debug *where) {
  lua_getinfo(L, "S", where);
  if (icl__lua_in_library(where))
    return false; /* its line would take longer to find than its name */
  lua_getinfo(L, "l", where);
  return where->currentline > 0;
}

bool icl__lua_user(lua_State *L, lua_Debug *where) {
  for (int level = 0; lua_getstack(L, level, where); level++)
    if (has_line(L, where))
      return true;
  return false;
}

/* ---- the line of each op ----
 *
 * Between an op of a layer and the recipe lie many functions of the library. The calls of modules are noted, with the
 * line once it is known, so that only those functions are looked at that lie above the innermost call. Coroutines can
 * be dropped without leaving their modules, so that only the main thread has such notes. */

static bool is_main(lua_State *L) {
  bool is = lua_pushthread(L);
  lua_pop(L, 1);
  return is;
}

void icl__lua_enter_module(lua_State *L, int level) {
  lua_Debug caller;
  icl__lua_session *session = icl__lua_session_of(L);
  if (!is_main(L))
    return;
  int call = session->calls++;
  if (call >= ICL__LUA_MODULE_CALLS || !lua_getstack(L, level, &caller))
    return;
  session->call[call].frame = caller.i_ci; /* the same as long as the function has not returned */
  session->call[call].line = 0;
}

void icl__lua_leave_module(lua_State *L) {
  if (is_main(L))
    icl__lua_session_of(L)->calls--;
}

void icl__lua_locate(lua_State *L, icl_engine *engine) {
  icl__lua_session *session = icl__lua_session_of(L);
  lua_Debug where;
  int noted = session->calls < ICL__LUA_MODULE_CALLS ? session->calls : ICL__LUA_MODULE_CALLS;
  if (!is_main(L))
    noted = 0;
  icl__lua_module_call *call = session->call + noted; /* those from here on were passed */
  for (int level = 1; lua_getstack(L, level, &where); level++) {
    if (call > session->call && call[-1].frame == where.i_ci) {
      call--;
      if (!call->line)
        continue;
      strcpy(where.short_src, call->source);
      where.currentline = call->line;
    } else if (!has_line(L, &where)) {
      continue;
    }
    for (; call < session->call + noted; call++) {
      strcpy(call->source, where.short_src);
      call->line = where.currentline;
    }
    icl_engine_locate(engine, where.short_src, where.currentline);
    return;
  }
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
