/* arguments.c - wrong arguments. */
#include "arguments.h"

#include "error.h"
#include "suggest.h"

#include <math.h>
#include <string.h>

int icl__lua_argument_error(lua_State *L, int arg, const char *text) {
  lua_Debug function;
  if (!lua_getstack(L, 0, &function))
    return icl__lua_fail(L, "bad argument #%d (%s)", arg, text);
  lua_getinfo(L, "n", &function);
  const char *name = function.name ? function.name : "?";
  if (!strcmp(function.namewhat, "method") && --arg == 0)
    return icl__lua_fail(L, "calling '%s' on a wrong value (%s)", name, text);
  return icl__lua_fail(L, "bad argument #%d to '%s' (%s)", arg, name, text);
}

/* "a tensor" for icl.tensor, "an image_folder". */
static const char *push_kind(lua_State *L, const char *name) {
  name += strncmp(name, "icl.", 4) == 0 ? 4 : 0;
  return lua_pushfstring(L, "%s %s", strchr("aeiou", *name) ? "an" : "a", name);
}

const char *icl__lua_describe(lua_State *L, int index) {
  index = lua_absindex(L, index);
  switch (lua_type(L, index)) {
  case LUA_TNONE:
    return lua_pushliteral(L, "nothing");
  case LUA_TNIL:
  case LUA_TBOOLEAN:
    return luaL_tolstring(L, index, NULL);
  case LUA_TNUMBER:
    if (isnan(lua_tonumber(L, index)))
      return lua_pushliteral(L, "nan"); /* without the sign that some have */
    return luaL_tolstring(L, index, NULL);
  case LUA_TSTRING:
    return lua_pushfstring(L, "'%s'", lua_tostring(L, index));
  default:
    if (luaL_getmetafield(L, index, "__name") != LUA_TSTRING)
      lua_pushstring(L, luaL_typename(L, index));
    return push_kind(L, lua_tostring(L, -1));
  }
}

int icl__lua_type_error(lua_State *L, int arg, const char *expected) {
  const char *given = icl__lua_describe(L, arg);
  return icl__lua_argument_error(L, arg, lua_pushfstring(L, "%s expected, got %s", expected, given));
}

void icl__lua_no_more(lua_State *L, int most, const char *what) {
  for (int i = most + 1; i <= lua_gettop(L); i++)
    if (!lua_isnil(L, i))
      icl__lua_fail(L, "%s: %s is an argument too many", what, icl__lua_describe(L, i));
}

int icl__lua_unknown(lua_State *L, const char *what, const char *kind, const char *name, int known) {
  if (!strcmp(kind, "method") && icl__lua_push_elsewhere(L, name))
    return icl__lua_fail(L, "%s: there is no method '%s': %s", what, name, lua_tostring(L, -1));
  icl__lua_push_suggestion(L, name, known);
  return icl__lua_fail(L, "%s: there is no %s '%s'%s", what, kind, name, lua_tostring(L, -1));
}

static bool is_among(const char *name, const char *const *names) {
  for (; *names; names++)
    if (!strcmp(*names, name))
      return true;
  return false;
}

void icl__lua_check_options(lua_State *L, int arg, const char *what, const char *const *names) {
  if (lua_isnoneornil(L, arg))
    return;
  if (!lua_istable(L, arg))
    icl__lua_fail(L, "%s: options must be a table, not %s", what, icl__lua_describe(L, arg));
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING && is_among(lua_tostring(L, -2), names))
      continue;
    const char *name = luaL_tolstring(L, -2, NULL);
    lua_newtable(L);
    for (; *names; names++) {
      lua_pushboolean(L, true);
      lua_setfield(L, -2, *names);
    }
    icl__lua_unknown(L, what, "option", name, -1);
  }
}

const char *icl__lua_list_fault(lua_State *L, int index) {
  int list = lua_absindex(L, index);
  lua_Unsigned entries = 0;
  for (lua_pushnil(L); lua_next(L, list); lua_pop(L, 1), entries++)
    if (lua_type(L, -2) == LUA_TSTRING)
      return lua_pushfstring(L, "it is a list, and has no place for the key '%s'", lua_tostring(L, -2));
  return entries == lua_rawlen(L, list) ? NULL : "it is a list with holes";
}

lua_Unsigned icl__lua_list_length(lua_State *L, int index, const char *what) {
  const char *fault = icl__lua_list_fault(L, index);
  if (fault)
    icl__lua_fail(L, "%s: %s", what, fault);
  return lua_rawlen(L, index);
}
