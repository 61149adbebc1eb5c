/* gradient.c - gradients, and functions whose gradient is written in Lua. */
#include "gradient.h"

#include "arguments.h"
#include "engine.h"
#include "error.h"
#include "handle.h"
#include "session.h"
#include "where.h"

#include <stdlib.h>

#include "base/status.h"

/* ---- asking for gradients ---- */

/* The core calls back into Lua for functions of the user's; it does so on the thread that asked. */
static void begin_pass(lua_State *L) { icl__lua_session_of(L)->running = L; }

/* loss:backward([scale]): adds to .grad of every trainable state the loss depends on; with a scale, by way of the
 * gradients of scale * loss */
static int tensor_backward(lua_State *L) {
  icl__lua_no_more(L, 2, "backward");
  icl_tensor *loss = icl__lua_check_tensor(L, 1);
  icl_tensor *scale = lua_isnoneornil(L, 2) ? NULL : icl__lua_check_tensor(L, 2);
  icl__lua_locate(L, icl__lua_engine(L));
  begin_pass(L);
  icl__lua_check(L, icl_backward_scaled(loss, scale));
  return 0;
}

/* t:requires_grad(): gradients with respect to this tensor are asked for; returns it */
static int tensor_requires_grad(lua_State *L) {
  icl__lua_no_more(L, 1, "requires_grad");
  lua_settop(L, 1);
  icl__lua_check(L, icl_tensor_require_gradient(icl__lua_check_tensor(L, 1)));
  return 1;
}

/* needs_gradient(value): is it a tensor or state with respect to which gradients are asked for, or a tensor that depends
 * on one? */
static int needs_gradient(lua_State *L) {
  bool is_value = icl__lua_is_tensor(L, 1) || icl__lua_test_state(L, 1);
  lua_pushboolean(L, is_value && icl_tensor_needs_gradient(icl__lua_check_tensor(L, 1)));
  return 1;
}

/* Entry i (from 1) of the list at `arg`, which is left on the stack; a state as its current version. */
static icl_tensor *push_entry(lua_State *L, int arg, int i) {
  lua_rawgeti(L, arg, i);
  if (!icl__lua_is_tensor(L, -1) && !icl__lua_test_state(L, -1))
    icl__lua_argument_error(L, arg, lua_pushfstring(L, "entry %d is %s, not a tensor", i, icl__lua_describe(L, -1)));
  return icl__lua_check_tensor(L, lua_gettop(L));
}

/* Outside of a step each reading of a state is a tensor of its own. */
static void refuse_states(lua_State *L, int arg, int count) {
  if (icl_in_step(icl__lua_engine(L)))
    return;
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, arg, i);
    if (icl__lua_test_state(L, -1))
      icl__lua_argument_error(L, arg,
                              lua_pushfstring(L,
                                              "entry %d is a state; outside of a step pass the tensor that "
                                              "read() gave and that the loss was computed from",
                                              i));
    lua_pop(L, 1);
  }
}

/* grad(loss, { tensors }) -> list of their gradients, false where the loss does not depend on one */
static int grad(lua_State *L) {
  icl__lua_no_more(L, 2, "icl.grad");
  icl_tensor *loss = icl__lua_check_tensor(L, 1);
  if (!lua_istable(L, 2))
    icl__lua_fail(L, "icl.grad: it takes a list of tensors behind the loss, { x }, not %s", icl__lua_describe(L, 2));
  lua_settop(L, 2);
  int count = (int)icl__lua_list_length(L, 2, "icl.grad");
  refuse_states(L, 2, count);
  icl_tensor **with_respect_to = lua_newuserdatauv(L, (size_t)count * sizeof *with_respect_to + 1, 0);
  icl_tensor **gradients = lua_newuserdatauv(L, (size_t)count * sizeof *gradients + 1, 0);
  icl_tensor ***slots = lua_newuserdatauv(L, (size_t)count * sizeof *slots + 1, 0);
  lua_createtable(L, count, 0); /* 6: of the tensors */
  lua_createtable(L, count, 0); /* 7: of their gradients */
  for (int i = 0; i < count; i++) {
    with_respect_to[i] = push_entry(L, 2, i + 1);
    lua_rawseti(L, 6, i + 1);
    slots[i] = icl__lua_new_tensor(L);
    lua_rawseti(L, 7, i + 1);
  }
  icl__lua_locate(L, icl__lua_engine(L));
  begin_pass(L);
  icl__lua_check(L, icl_gradient(loss, count, with_respect_to, gradients));
  for (int i = 0; i < count; i++)
    *slots[i] = gradients[i];
  for (int i = 0; i < count; i++) {
    if (gradients[i])
      continue;
    lua_pushboolean(L, false);
    lua_rawseti(L, 7, i + 1);
  }
  return 1;
}

/* ---- functions with a gradient in Lua ---- */

typedef struct {
  lua_State *L; /* the main thread, which lives as long as the Lua state */
  int function; /* reference in the registry */
} lua_gradient;

typedef struct {
  const lua_gradient *gradient;
  icl_tensor *given;
  int inputs;
  icl_tensor **results;
} backward_call;

/* Runs protected: calls the function with the gradient and takes what it returns. */
static int call_function(lua_State *L) {
  const backward_call *call = lua_touserdata(L, 1);
  luaL_checkstack(L, call->inputs + 4, "gradients");
  lua_rawgeti(L, LUA_REGISTRYINDEX, call->gradient->function);
  icl_tensor **slot = icl__lua_new_tensor(L);
  *slot = icl_tensor_retain(call->given);
  lua_call(L, 1, call->inputs);
  for (int i = 0; i < call->inputs; i++) {
    int index = lua_gettop(L) - call->inputs + 1 + i;
    if (!lua_toboolean(L, index))
      continue;
    if (!icl__lua_is_tensor(L, index) && !icl__lua_test_state(L, index))
      icl__lua_fail(L, "backward must return a tensor or nil for each input; value %d is a %s", i + 1,
                    luaL_typename(L, index));
    call->results[i] = icl_tensor_retain(icl__lua_check_tensor(L, index));
  }
  return 0;
}

/* Called by the core in a backward pass. An error in Lua must not jump over it: it waits in the session. */
static icl_status call_backward(void *context, icl_tensor *given, int inputs, icl_tensor **results) {
  const lua_gradient *gradient = context;
  icl__lua_session *session = icl__lua_session_of(gradient->L);
  lua_State *L = session->running;
  backward_call call = {gradient, given, inputs, results};
  if (!lua_checkstack(L, 4))
    return icl__fail(ICL_ENOMEM, "backward: the stack of Lua is full");
  lua_pushcfunction(L, call_function);
  lua_pushlightuserdata(L, &call);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK)
    return ICL_OK;
  icl__lua_push_session(L);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, ICL__LUA_RAISED);
  lua_pop(L, 1);
  session->raised = true;
  return icl__fail(ICL_EINVAL, "backward raised an error");
}

static void release_gradient(void *context) {
  lua_gradient *gradient = context;
  luaL_unref(gradient->L, LUA_REGISTRYINDEX, gradient->function);
  free(gradient);
}

static icl_status record_custom(icl_tensor *value, int inputs, icl_tensor *const *input, lua_gradient *gradient,
                                icl_tensor **result) {
  lua_gradient *context = malloc(sizeof *context);
  if (!context)
    return icl__fail(ICL_ENOMEM, "autograd: no memory");
  *context = *gradient;
  icl_status status = icl_custom(value, inputs, input, call_backward, release_gradient, context, result);
  if (status != ICL_OK)
    free(context); /* it stays ours */
  return status;
}

/* custom(value, { inputs }, backward) -> value, with backward(gradient) -> gradients as its gradient */
static int custom(lua_State *L) {
  icl_tensor *value = icl__lua_check_tensor(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  icl_tensor *input[ICL_MAX_INPUTS];
  int inputs = (int)lua_rawlen(L, 2);
  if (inputs >= ICL_MAX_INPUTS)
    icl__lua_fail(L, "a function with a gradient of its own takes at most %d tensors, not %d", ICL_MAX_INPUTS - 1,
                  inputs);
  for (int i = 0; i < inputs; i++)
    input[i] = push_entry(L, 2, i + 1);
  icl_tensor **result = icl__lua_new_tensor(L);
  icl__lua_locate(L, icl__lua_engine(L));
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_gradient gradient = {lua_tothread(L, -1), 0};
  lua_pushvalue(L, 3);
  gradient.function = luaL_ref(L, LUA_REGISTRYINDEX);
  icl_status status = record_custom(value, inputs, input, &gradient, result);
  if (status != ICL_OK)
    luaL_unref(L, LUA_REGISTRYINDEX, gradient.function);
  icl__lua_check(L, status);
  lua_pop(L, 1);
  return 1;
}

void icl__lua_gradient_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"grad", grad}, {"custom", custom}, {"needs_gradient", needs_gradient}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"backward", tensor_backward}, {"requires_grad", tensor_requires_grad}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_getfield(L, -1, "tensor_methods");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
}
