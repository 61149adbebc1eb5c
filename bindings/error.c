/* error.c - from failures to Lua errors that point at the line of the recipe. */
#include "error.h"

#include "session.h"
#include "where.h"

#include <stdlib.h>
#include <string.h>

/* Raises the message on top of the stack with the line of the recipe before it. */
static int raise_here(lua_State *L) {
  lua_Debug where;
  if (icl__lua_user(L, &where))
    lua_pushfstring(L, "%s:%d: %s", where.short_src, where.currentline, lua_tostring(L, -1));
  return lua_error(L);
}

int icl__lua_fail(lua_State *L, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  return raise_here(L);
}

/* ---- failures of the core ---- */

/* Pushes the core's message. Where it speaks of shapes it counts axes from 0, "axis 2"; Lua counts them from 1. */
static const char *push_message(lua_State *L, icl_status status) {
  static const char word[] = "axis ";
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  const char *rest = icl_message();
  bool of_shapes = status == ICL_ESHAPE || status == ICL_EINVAL;
  for (const char *found; of_shapes && (found = strstr(rest, word));) {
    char *end;
    const char *number = found + strlen(word);
    long axis = strtol(number, &end, 10);
    luaL_addlstring(&text, rest, (size_t)(number - rest));
    if (end > number && axis >= 0) {
      lua_pushinteger(L, axis + 1);
      luaL_addvalue(&text);
    } else {
      luaL_addlstring(&text, number, (size_t)(end - number));
    }
    rest = end;
  }
  luaL_addstring(&text, rest);
  luaL_pushresult(&text);
  return lua_tostring(L, -1);
}

void icl__lua_check(lua_State *L, icl_status status) {
  if (status == ICL_OK)
    return;
  icl__lua_session *session = icl__lua_push_session(L);
  if (session->raised) {
    session->raised = false;
    lua_getiuservalue(L, -1, ICL__LUA_RAISED);
    lua_error(L);
  }
  lua_getiuservalue(L, -1, ICL__LUA_LAYER);
  const char *layer = lua_tostring(L, -1);
  const char *message = push_message(L, status);
  if (layer && *layer)
    lua_pushfstring(L, "%s (in layer %s)", message, layer);
  raise_here(L);
}

int icl__lua_push_outcome(lua_State *L, icl_status status) {
  if (status == ICL_OK) {
    lua_pushboolean(L, true);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, icl_message());
  return 2;
}
