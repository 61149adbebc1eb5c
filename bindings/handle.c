/* handle.c - tensors and states as Lua values. */
#include "handle.h"

#include "arguments.h"
#include "error.h"
#include "session.h"

const char icl__lua_tensor[] = "icl.tensor", icl__lua_state[] = "icl.state";

typedef struct {
  const char *type;
  union {
    icl_tensor *tensor;
    icl_state *state;
  };
} handle;

void icl__lua_make_type(lua_State *L, const char *type) {
  luaL_newmetatable(L, type);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, type);
}

static handle *new_handle(lua_State *L, const char *type) {
  handle *h = lua_newuserdatauv(L, sizeof *h, 0);
  *h = (handle){type, {NULL}};
  lua_rawgetp(L, LUA_REGISTRYINDEX, type);
  lua_setmetatable(L, -2);
  return h;
}

/* The handle of this type, or NULL. Other userdata may be shorter. */
static handle *handle_at(lua_State *L, int index, const char *type) {
  handle *h = lua_touserdata(L, index);
  return h && lua_rawlen(L, index) == sizeof *h && h->type == type ? h : NULL;
}

icl_tensor **icl__lua_tensor_slot(lua_State *L, int index) {
  handle *h = handle_at(L, index, icl__lua_tensor);
  return h ? &h->tensor : NULL;
}

icl_state **icl__lua_state_slot(lua_State *L, int index) {
  handle *h = handle_at(L, index, icl__lua_state);
  return h ? &h->state : NULL;
}

/* Lua does not know how much memory hangs on its handles. Once values have doubled since the last time, everything
 * unused is collected, which costs little beside what was computed meanwhile. */
static void relieve(lua_State *L) {
  enum { LEAST = 64 << 20 };
  icl__lua_session *session = icl__lua_session_of(L);
  if (!session->engine)
    return;
  icl_statistics now;
  icl_engine_statistics(session->engine, &now);
  if (now.value_bytes <= session->limit)
    return;
  if (now.value_bytes > LEAST) {
    lua_gc(L, LUA_GCCOLLECT);
    icl_engine_statistics(session->engine, &now);
  }
  session->limit = now.value_bytes < LEAST / 2 ? LEAST : 2 * now.value_bytes;
}

icl_tensor **icl__lua_new_tensor(lua_State *L) {
  relieve(L);
  return &new_handle(L, icl__lua_tensor)->tensor;
}

bool icl__lua_is_tensor(lua_State *L, int index) { return icl__lua_tensor_slot(L, index) != NULL; }

icl_state **icl__lua_new_state(lua_State *L) { return &new_handle(L, icl__lua_state)->state; }

icl_state *icl__lua_test_state(lua_State *L, int index) {
  icl_state **slot = icl__lua_state_slot(L, index);
  return slot ? *slot : NULL;
}

icl_state *icl__lua_check_state(lua_State *L, int arg) {
  icl_state *state = icl__lua_test_state(L, arg);
  if (!state)
    icl__lua_type_error(L, arg, "state");
  return state;
}

icl_tensor *icl__lua_check_tensor(lua_State *L, int arg) {
  arg = lua_absindex(L, arg);
  icl_tensor **slot = icl__lua_tensor_slot(L, arg);
  if (slot && *slot)
    return *slot;
  if (slot)
    icl__lua_argument_error(L, arg, "the tensor was closed");
  icl_state *state = icl__lua_test_state(L, arg);
  if (!state)
    icl__lua_type_error(L, arg, "tensor");
  slot = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_state_read(state, slot));
  lua_replace(L, arg);
  return *slot;
}

icl_status icl__lua_value(lua_State *L, int index, icl_engine *engine, icl_tensor **result) {
  icl_tensor **slot = icl__lua_tensor_slot(L, index);
  if (slot) {
    *result = icl_tensor_retain(*slot);
    return ICL_OK;
  }
  icl_state *state = icl__lua_test_state(L, index);
  return state ? icl_state_read(state, result) : icl_number(engine, lua_tonumber(L, index), result);
}

void icl__lua_check_value(lua_State *L, int index, const char *what, int number) {
  icl_tensor **slot = icl__lua_tensor_slot(L, index);
  if (slot && !*slot)
    icl__lua_fail(L, "%s: input %d is a tensor that was closed", what, number);
  if (!slot && !icl__lua_test_state(L, index) && lua_type(L, index) != LUA_TNUMBER)
    icl__lua_fail(L, "%s: input %d is %s; it must be a tensor, a state or a number", what, number,
                  icl__lua_describe(L, index));
}

void *icl__lua_push_values(lua_State *L, icl_tensor *t) {
  icl_dtype dtype = icl_tensor_dtype(t);
  void *data = lua_newuserdatauv(L, (size_t)icl_tensor_count(t) * icl_dtype_bytes(dtype) + 1, 0);
  ICL__LUA_TRY(L, icl_tensor_read(t, dtype, data));
  return data;
}

int icl__lua_part(lua_State *L, int methods) {
  lua_getfield(L, methods, "at");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  return 1;
}

int icl__lua_refuse_assignment(lua_State *L) {
  return icl__lua_fail(L, "tensors do not change by assignment: where(), masked_fill() and concat() make new ones, and "
                          "write() gives a state its next value");
}
