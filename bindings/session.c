/* session.c - where the session of a Lua state is kept. */
#include "session.h"

#include <string.h>

static const char session_key; /* its address is the key in the registry */

icl__lua_session *icl__lua_push_session(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &session_key);
  return lua_touserdata(L, -1);
}

icl__lua_session *icl__lua_session_of(lua_State *L) {
  icl__lua_session *session = icl__lua_push_session(L);
  lua_pop(L, 1);
  return session;
}

void icl__lua_make_session(lua_State *L, lua_CFunction close) {
  if (icl__lua_session_of(L))
    return;
  icl__lua_session *session = lua_newuserdatauv(L, sizeof *session, ICL__LUA_USER_VALUES);
  memset(session, 0, sizeof *session);
  lua_newtable(L);
  lua_setiuservalue(L, -2, ICL__LUA_SETTINGS);
  lua_newtable(L);
  lua_pushcfunction(L, close);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &session_key);
}
