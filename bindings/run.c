/* run.c - calling a script: errors with a traceback, and the place where a signal's error ends. */
#include "run.h"

#include "arguments.h"
#include "interrupt.h"
#include "step.h"
#include "where.h"

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
    if (frame.currentline <= 0 || icl__lua_in_library(&frame))
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

/* ---- calls ---- */

static const char on_error_key[] = "icl.on_error";

/* on_error(f or nil): f() is called where an error is raised that ends a call(), while the functions that it ends are
 * still there. */
static int on_error(lua_State *L) {
  if (!lua_isnoneornil(L, 1))
    luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, on_error_key);
  return 0;
}

static void call_on_error(lua_State *L) {
  if (lua_getfield(L, LUA_REGISTRYINDEX, on_error_key) == LUA_TFUNCTION)
    lua_pcall(L, 0, 0, 0);
}

/* The handler of call(): keeps the error in the table that is its upvalue. */
static int keep_and_trace(lua_State *L) {
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  lua_rawseti(L, lua_upvalueindex(1), 1);
  call_on_error(L);
  return icl__lua_traceback(L);
}

/* call(f, ...) -> true, what f returned; or false, a message with the traceback, the signal that stopped it or nil, and
 * the error as it was raised. Leaves a step that was broken off. Signals that are deferred around it are not in it. */
static int call(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, keep_and_trace, 1);
  lua_rotate(L, 1, 2); /* the table, the handler, f and its arguments */
  unsigned deferred = icl__lua_begin_call();
  int status = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 2);
  icl__lua_end_call(deferred);
  int signal_number = icl__lua_take_signal(L);
  if (status == LUA_OK && !signal_number) {
    lua_pushboolean(L, true);
    lua_replace(L, 2);
    return lua_gettop(L) - 1;
  }
  icl__lua_leave_step(L);
  if (status == LUA_OK)
    lua_pushliteral(L, "stopped");
  lua_pushboolean(L, false);
  lua_insert(L, -2);
  if (signal_number)
    lua_pushinteger(L, signal_number);
  else
    lua_pushnil(L);
  lua_rawgeti(L, 1, 1);
  return 4;
}

void icl__lua_run_functions(lua_State *L) {
  lua_pushcfunction(L, call);
  lua_setfield(L, -2, "call");
  lua_pushcfunction(L, on_error);
  lua_setfield(L, -2, "on_error");
}
