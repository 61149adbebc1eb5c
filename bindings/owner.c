/* owner.c - which Lua threads the open step and the scopes of no_grad belong to. A coroutine that fails, or that nobody
 * resumes any more, does not run what would end them, so that its own end has to be noticed from outside. */
#include "owner.h"

#include "error.h"
#include "session.h"
#include "where.h"

/* Entries of the table in the session, which keeps no thread alive: the thread of the step, where that began, and the
 * threads of scopes, which are session->no_grad many. */
enum { THREAD = 1, LINE, SCOPES };

static void push_owners(lua_State *L) {
  icl__lua_push_session(L);
  if (lua_getiuservalue(L, -1, ICL__LUA_OWNERS) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, -3, ICL__LUA_OWNERS);
  }
  lua_remove(L, -2);
}

/* Makes the running thread an entry of the table on top of the stack. */
static void set_thread(lua_State *L, int entry) {
  if (!lua_pushthread(L)) /* the main thread is never abandoned */
    icl__lua_session_of(L)->coroutines = true;
  lua_rawseti(L, -2, entry);
}

/* The thread in an entry of the table on top of the stack; NULL: it was collected. */
static lua_State *thread_at(lua_State *L, int entry) {
  lua_rawgeti(L, -1, entry);
  lua_State *thread = lua_tothread(L, -1);
  lua_pop(L, 1);
  return thread;
}

static bool is_gone(lua_State *L, lua_State *thread) {
  lua_Debug frame;
  if (!thread || thread == L || lua_status(thread) == LUA_YIELD)
    return !thread;
  return lua_status(thread) != LUA_OK || !lua_getstack(thread, 0, &frame);
}

/* ---- steps ---- */

void icl__lua_own_step(lua_State *L) {
  lua_Debug where;
  push_owners(L);
  set_thread(L, THREAD);
  if (icl__lua_user(L, &where))
    lua_pushfstring(L, "%s:%d", where.short_src, where.currentline);
  else
    lua_pushliteral(L, "");
  lua_rawseti(L, -2, LINE);
  lua_pop(L, 1);
}

bool icl__lua_owns_step(lua_State *L) {
  push_owners(L);
  lua_State *thread = thread_at(L, THREAD);
  lua_pop(L, 1);
  return thread == L;
}

bool icl__lua_step_is_suspended(lua_State *L) {
  push_owners(L);
  lua_State *thread = thread_at(L, THREAD);
  lua_pop(L, 1);
  return thread && thread != L && lua_status(thread) == LUA_YIELD;
}

void icl__lua_push_step_line(lua_State *L) {
  push_owners(L);
  lua_rawgeti(L, -1, LINE);
  lua_remove(L, -2);
}

/* ---- scopes ---- */

void icl__lua_begin_no_grad(lua_State *L) {
  icl__lua_session *session = icl__lua_session_of(L);
  push_owners(L);
  set_thread(L, SCOPES + session->no_grad);
  lua_pop(L, 1);
  session->no_grad++;
  icl_no_gradient_begin(session->engine);
}

/* Takes scope i out of the table on top of the stack. */
static void end_scope(lua_State *L, icl__lua_session *session, int i) {
  for (; i < session->no_grad; i++) {
    lua_rawgeti(L, -1, SCOPES + i + 1);
    lua_rawseti(L, -2, SCOPES + i);
  }
  session->no_grad--;
  icl_no_gradient_end(session->engine);
}

void icl__lua_end_no_grad(lua_State *L) {
  icl__lua_session *session = icl__lua_session_of(L);
  int top = lua_gettop(L);
  push_owners(L);
  int i = session->no_grad - 1;
  while (i >= 0 && thread_at(L, SCOPES + i) != L)
    i--;
  if (i >= 0) {
    end_scope(L, session, i);
  } else if (lua_pushthread(L)) { /* those of a coroutine that failed may have been ended before it is closed */
    icl__lua_fail(L, "no_grad_end without no_grad_begin");
  }
  lua_settop(L, top);
}

/* ---- the end of threads ---- */

/* The modules that the thread was in are not being called any more. */
static void leave_layers(lua_State *L, icl__lua_session *session) {
  icl_engine_layer(session->engine, "");
  icl__lua_push_session(L);
  lua_pushliteral(L, "");
  lua_setiuservalue(L, -2, ICL__LUA_LAYER);
  lua_pop(L, 1);
}

void icl__lua_drop_abandoned(lua_State *L, bool all) {
  icl__lua_session *session = icl__lua_session_of(L);
  push_owners(L);
  if (icl_in_step(session->engine) && (all || is_gone(L, thread_at(L, THREAD)))) {
    icl_step_cancel(session->engine);
    leave_layers(L, session);
  }
  for (int i = session->no_grad - 1; i >= 0; i--)
    if (all || is_gone(L, thread_at(L, SCOPES + i)))
      end_scope(L, session, i);
  session->coroutines = session->no_grad || icl_in_step(session->engine);
  lua_pop(L, 1);
}
