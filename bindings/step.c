/* step.c - steps, the group of processes that take them, scopes without gradients, and the layer that is called. */
#include "step.h"

#include "arguments.h"
#include "engine.h"
#include "error.h"
#include "group.h"
#include "owner.h"
#include "session.h"
#include "where.h"

/* Is a step open? One of a coroutine that nobody can resume any more is not: it is dropped. */
static bool is_open(lua_State *L) {
  icl_engine *engine = icl__lua_engine_or_null(L);
  if (!engine || !icl_in_step(engine))
    return false;
  if (icl__lua_step_is_suspended(L))
    lua_gc(L, LUA_GCCOLLECT);
  icl__lua_drop_abandoned(L, false);
  return icl_in_step(engine);
}

/* An error if a coroutine has yielded inside a step that is open. `what` begins it. */
static void refuse_suspended(lua_State *L, const char *what) {
  if (!is_open(L) || !icl__lua_step_is_suspended(L))
    return;
  icl__lua_push_step_line(L); /* "" behind a tail call */
  const char *line = lua_tostring(L, -1);
  icl__lua_fail(L,
                "%s: the step %s%s is still open, because its coroutine yielded inside it; resume the coroutine until "
                "the step ends, or drop it with coroutine.close()",
                what, *line ? "of " : "before it", line);
}

/* refuse_suspended(what): for what is not to happen in the middle of a step that waits in a coroutine */
static int refuse(lua_State *L) {
  refuse_suspended(L, luaL_checkstring(L, 1));
  return 0;
}

/* step_begin(): what follows is recorded and evaluated at step_end() */
static int step_begin(lua_State *L) {
  refuse_suspended(L, "a step cannot begin");
  icl__lua_check(L, icl_step_begin(icl__lua_engine(L)));
  icl__lua_own_step(L);
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
  if (status == ICL_ENOMEM && icl_engine_group(engine)) /* the other ranks wait for this step */
    icl_group_abort(icl_engine_group(engine), icl_message());
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

/* step_cancel(): drops the step that the running thread began */
static int step_cancel(lua_State *L) {
  icl_engine *engine = icl__lua_engine_or_null(L);
  if (engine && icl__lua_owns_step(L))
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

/* step_wastes_gradients() -> did states get gradients in this step so far of which none was used? */
static int step_wastes_gradients(lua_State *L) {
  const icl_engine *engine = icl__lua_engine_or_null(L);
  lua_pushboolean(L, engine && icl_step_wastes_gradients(engine));
  return 1;
}

static int in_step(lua_State *L) {
  lua_pushboolean(L, is_open(L));
  return 1;
}

/* set_group(group or nil): from now on steps are those of all its processes; not inside a step */
static int set_group(lua_State *L) {
  icl_group *group = lua_isnoneornil(L, 1) ? NULL : icl__lua_check_group(L, 1);
  icl__lua_check(L, icl_engine_set_group(icl__lua_engine(L), group));
  return 0;
}

/* group() -> the group, or nil */
static int group(lua_State *L) {
  const icl_engine *engine = icl__lua_engine_or_null(L);
  icl__lua_push_group(L, engine ? icl_engine_group(engine) : NULL);
  return 1;
}

/* step_flag(bits): for all processes to see behind the step; all of them call it in a step, or none does */
static int step_flag(lua_State *L) {
  lua_Integer bits = luaL_checkinteger(L, 1);
  if (bits < 0 || bits > UINT32_MAX)
    icl__lua_argument_error(L, 1, "the bits must be from 0 to 2^32 - 1");
  icl__lua_check(L, icl_step_flag(icl__lua_engine(L), (unsigned)bits));
  return 0;
}

/* step_flags() -> the bits that any process has set in the last step that ended */
static int step_flags(lua_State *L) {
  const icl_engine *engine = icl__lua_engine_or_null(L);
  lua_pushinteger(L, engine ? icl_step_flags(engine) : 0);
  return 1;
}

/* no_grad_begin(), no_grad_end(): nothing recorded between them needs a gradient; they nest */
static int no_grad_begin(lua_State *L) {
  icl__lua_engine(L);
  icl__lua_begin_no_grad(L);
  return 0;
}

static int no_grad_end(lua_State *L) {
  icl__lua_end_no_grad(L);
  return 0;
}

static void set_layer(lua_State *L) {
  icl_engine_layer(icl__lua_engine(L), luaL_checkstring(L, 1));
  icl__lua_push_session(L);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, ICL__LUA_LAYER);
}

/* enter_layer(path): the path of the layer that is called now, for messages and the profile. The function that called
 * the caller of this one is active until leave_layer(). */
static int enter_layer(lua_State *L) {
  enum { CALLER_OF_CALLER = 2 };
  set_layer(L);
  icl__lua_enter_module(L, CALLER_OF_CALLER);
  return 0;
}

/* leave_layer(path): the path of the layer that goes on */
static int leave_layer(lua_State *L) {
  icl__lua_leave_module(L);
  set_layer(L);
  return 0;
}

void icl__lua_leave_step(lua_State *L) {
  if (icl__lua_engine_or_null(L))
    icl__lua_drop_abandoned(L, true);
}

void icl__lua_step_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"step_begin", step_begin},
      {"step_end", step_end},
      {"step_cancel", step_cancel},
      {"step_memory", step_memory},
      {"step_wastes_gradients", step_wastes_gradients},
      {"refuse_suspended", refuse},
      {"in_step", in_step},
      {"set_group", set_group},
      {"group", group},
      {"step_flag", step_flag},
      {"step_flags", step_flags},
      {"no_grad_begin", no_grad_begin},
      {"no_grad_end", no_grad_end},
      {"enter_layer", enter_layer},
      {"leave_layer", leave_layer},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
