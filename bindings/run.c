/* run.c - calling a script: errors with a traceback, and the place where a signal's error ends. */
#include "binding.h"

/* call(f, ...) -> true, what f returned; or false, the error with its traceback, and the signal that stopped it if one
 * did. Leaves a step that was broken off. */
static int call(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_pushcfunction(L, icl__lua_traceback);
  lua_insert(L, 1);
  int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 1);
  int signal_number = icl__lua_take_signal(L);
  if (status == LUA_OK && !signal_number) {
    lua_pushboolean(L, true);
    lua_replace(L, 1);
    return lua_gettop(L);
  }
  icl__lua_leave_step(L);
  if (status == LUA_OK)
    lua_pushliteral(L, "stopped");
  lua_pushboolean(L, false);
  lua_insert(L, -2);
  if (!signal_number)
    return 2;
  lua_pushinteger(L, signal_number);
  return 3;
}

void icl__lua_run_functions(lua_State *L) {
  lua_pushcfunction(L, call);
  lua_setfield(L, -2, "call");
}
