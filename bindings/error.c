/* error.c - from failures to Lua errors that point at the line of the recipe, and what such messages are made of. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* ---- where ---- */

/* Chunks of the library are called =icl/...; library.c gives them these names. */
static bool is_library(const char *source) { return strncmp(source, "=icl/", 5) == 0; }

bool icl__lua_user(lua_State *L, lua_Debug *where) {
  for (int level = 0; lua_getstack(L, level, where); level++) {
    lua_getinfo(L, "S", where);
    if (is_library(where->source))
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

/* ---- wrong arguments ---- */

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

const char *icl__lua_describe(lua_State *L, int index) {
  index = lua_absindex(L, index);
  switch (lua_type(L, index)) {
  case LUA_TNONE:
    return lua_pushliteral(L, "nothing");
  case LUA_TNIL:
  case LUA_TBOOLEAN:
  case LUA_TNUMBER:
    return luaL_tolstring(L, index, NULL);
  case LUA_TSTRING:
    return lua_pushfstring(L, "'%s'", lua_tostring(L, index));
  default:
    if (luaL_getmetafield(L, index, "__name") != LUA_TSTRING)
      lua_pushstring(L, luaL_typename(L, index));
    return lua_pushfstring(L, "a %s", lua_tostring(L, -1));
  }
}

int icl__lua_type_error(lua_State *L, int arg, const char *expected) {
  const char *given = icl__lua_describe(L, arg);
  return icl__lua_argument_error(L, arg, lua_pushfstring(L, "%s expected, got %s", expected, given));
}

int icl__lua_unknown(lua_State *L, const char *what, const char *kind, const char *name, int known) {
  known = lua_absindex(L, known);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "icl.internal.arguments");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "suggestion");
  lua_pushstring(L, name);
  lua_getfield(L, -3, "names");
  lua_pushvalue(L, known);
  lua_call(L, 1, 1);
  lua_call(L, 2, 1);
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
    icl__lua_type_error(L, arg, "table of options");
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

/* ---- things to be freed ---- */

typedef struct {
  void *object;
  void (*release)(void *);
} guard;

static int release_guard(lua_State *L) {
  guard *g = lua_touserdata(L, 1);
  if (g->object)
    g->release(g->object);
  g->object = NULL;
  return 0;
}

void **icl__lua_guard(lua_State *L, void (*release)(void *)) {
  guard *g = lua_newuserdatauv(L, sizeof *g, 0);
  *g = (guard){NULL, release};
  if (luaL_newmetatable(L, "icl.guard")) {
    lua_pushcfunction(L, release_guard);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return &g->object;
}

/* ---- tracebacks ---- */

/* "recipe.lua:12: in function 'forward'" */
static void push_frame(lua_State *L, lua_Debug *frame) {
  lua_getinfo(L, "n", frame);
  if (*frame->what == 'm')
    lua_pushfstring(L, "%s:%d: in main chunk", frame->short_src, frame->currentline);
  else if (*frame->namewhat)
    lua_pushfstring(L, "%s:%d: in %s '%s'", frame->short_src, frame->currentline, frame->namewhat, frame->name);
  else
    lua_pushfstring(L, "%s:%d: in function <%s:%d>", frame->short_src, frame->currentline, frame->short_src,
                    frame->linedefined);
}

/* Appends the calls outside of the library to the message on top; a single one that the message names already says
 * nothing new. */
static void append_frames(lua_State *L, int level) {
  enum { MOST = 16 };
  int message = lua_gettop(L), frames = 0;
  lua_Debug frame;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (; frames < MOST && lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline <= 0 || is_library(frame.source))
      continue;
    luaL_addstring(&text, frames++ ? "\n  " : "\ncalled from:\n  ");
    push_frame(L, &frame);
    luaL_addvalue(&text);
  }
  if (frames == MOST)
    luaL_addstring(&text, "\n  ...");
  luaL_pushresult(&text);
  if (frames > 1)
    lua_concat(L, 2);
  lua_settop(L, message);
}

int icl__lua_traceback(lua_State *L) {
  lua_settop(L, 1);
  if (lua_type(L, 1) == LUA_TSTRING)
    ;
  else if (luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL)
    luaL_tolstring(L, 1, NULL);
  else
    lua_pushfstring(L, "the error is %s, not a message", icl__lua_describe(L, 1));
  append_frames(L, 1);
  return 1;
}
