/* step.c - steps, scopes without gradients, and the layer that is being called. */
#include "step.h"

#include "engine.h"
#include "error.h"
#include "session.h"

/* step_begin(): what follows is recorded and evaluated at step_end() */
static int step_begin(lua_State *L) {
  icl__lua_check(L, icl_step_begin(icl__lua_engine(L)));
  return 0;
}

/* step_end([pass]): evaluates; an error drops the step. Sets pass.ended where it did not, before a signal can raise its
 * error. Advice of the engine goes out as a warning. */
static int step_end(lua_State *L) {
  icl_engine *engine = icl__lua_engine(L);
  icl_status status = icl_step_end(engine);
  if (status == ICL_ENOMEM) {
    lua_gc(L, LUA_GCCOLLECT);
    status = icl_step_end(engine);
  }
  icl_step_cancel(engine); /* where memory is out for good */
  icl__lua_check(L, status);
  if (lua_istable(L, 1)) {
    lua_pushboolean(L, true);
    lua_setfield(L, 1, "ended");
  }
  const char *advice = icl_engine_advice(engine);
  if (advice)
    lua_warning(L, advice, 0);
  return 0;
}

static int step_cancel(lua_State *L) {
  icl_engine *engine = icl__lua_engine_or_null(L);
  if (engine)
    icl_step_cancel(engine);
  return 0;
}

/* step_memory() -> bytes that ending the step now would work in */
static int step_memory(lua_State *L) {
  size_t bytes;
  ICL__LUA_TRY(L, icl_step_memory(icl__lua_engine(L), &bytes));
  lua_pushinteger(L, (lua_Integer)bytes);
  return 1;
}

static int in_step(lua_State *L) {
  const icl_engine *engine = icl__lua_engine_or_null(L);
  lua_pushboolean(L, engine && icl_in_step(engine));
  return 1;
}

/* no_grad_begin(), no_grad_end(): nothing recorded between them needs a gradient; they nest */
static int no_grad_begin(lua_State *L) {
  icl_no_gradient_begin(icl__lua_engine(L));
  icl__lua_session_of(L)->no_grad++;
  return 0;
}

static int no_grad_end(lua_State *L) {
  icl__lua_session *session = icl__lua_session_of(L);
  if (!session->no_grad)
    icl__lua_fail(L, "no_grad_end without no_grad_begin");
  session->no_grad--;
  icl_no_gradient_end(session->engine);
  return 0;
}

/* layer(path): of the ops that follow, for messages and the profile */
static int layer(lua_State *L) {
  icl_engine_layer(icl__lua_engine(L), luaL_checkstring(L, 1));
  icl__lua_push_session(L);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, ICL__LUA_LAYER);
  return 0;
}

void icl__lua_leave_step(lua_State *L) {
  icl__lua_session *session = icl__lua_session_of(L);
  if (!session->engine)
    return;
  icl_step_cancel(session->engine);
  for (; session->no_grad; session->no_grad--)
    icl_no_gradient_end(session->engine);
}

void icl__lua_step_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"step_begin", step_begin},   {"step_end", step_end}, {"step_cancel", step_cancel},
      {"step_memory", step_memory}, {"in_step", in_step},   {"no_grad_begin", no_grad_begin},
      {"no_grad_end", no_grad_end}, {"layer", layer},       {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
