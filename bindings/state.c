/* state.c - the type icl.state: variables. A state stands for its current version wherever a tensor is expected, and
 * has the methods of tensors as well; name, trainable and grad are fields. */
#include "state.h"

#include "arguments.h"
#include "array.h"
#include "engine.h"
#include "error.h"
#include "handle.h"
#include "op.h"
#include "where.h"

#include "base/shape.h"

#include <string.h>

static int state_release(lua_State *L) {
  icl_state **slot = icl__lua_state_slot(L, 1);
  if (!slot)
    icl__lua_type_error(L, 1, "state");
  icl_state_release(*slot);
  *slot = NULL;
  return 0;
}

/* ---- making ---- */

/* Pushes the first value of a state: that of a tensor or state at 1, or what new_tensor() takes. */
static void *push_first_value(lua_State *L, icl_dtype *dtype, int *rank, int32_t shape[ICL_MAX_RANK]) {
  if (lua_isuserdata(L, 1)) {
    icl_tensor *value = icl__lua_check_tensor(L, 1);
    lua_getfield(L, 2, "dtype");
    *dtype = icl__lua_check_dtype(L, lua_gettop(L), icl_tensor_dtype(value));
    *rank = icl_tensor_rank(value);
    if (*rank)
      memcpy(shape, icl_tensor_shape(value), (size_t)*rank * sizeof *shape);
    void *data = lua_newuserdatauv(L, (size_t)icl_tensor_count(value) * icl_dtype_bytes(*dtype) + 1, 0);
    ICL__LUA_TRY(L, icl_tensor_read(value, *dtype, data));
    return data;
  }
  lua_getfield(L, 2, "dtype");
  *dtype = icl__lua_check_dtype(L, lua_gettop(L), icl__lua_infer_dtype(L, 1));
  *rank = icl__lua_infer_shape(L, 1, "state", shape);
  return icl__lua_push_array(L, 1, "state", *dtype, *rank, shape);
}

/* Raises unless the option is missing or of this type; pushes it. */
static void push_option(lua_State *L, const char *name, int type, const char *expected) {
  int given = lua_getfield(L, 2, name);
  if (given != LUA_TNIL && given != type)
    icl__lua_fail(L, "icl.state: %s is %s; it must be %s", name, icl__lua_describe(L, -1), expected);
}

/* state(value [, { name =, trainable = false, dtype = }]) */
static int new_state(lua_State *L) {
  static const char *const options[] = {"name", "trainable", "dtype", NULL};
  icl_engine *engine = icl__lua_engine(L);
  int32_t shape[ICL_MAX_RANK];
  icl_dtype dtype;
  int rank;
  icl__lua_check_options(L, 2, "icl.state", options);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_newtable(L);
    lua_replace(L, 2);
  }
  push_option(L, "name", LUA_TSTRING, "a string");
  const char *name = luaL_optstring(L, 3, "unnamed");
  push_option(L, "trainable", LUA_TBOOLEAN, "true or false");
  bool trainable = lua_toboolean(L, 4);
  push_option(L, "dtype", LUA_TSTRING, "the name of a dtype");
  lua_pop(L, 1);
  const void *data = push_first_value(L, &dtype, &rank, shape);
  icl_state **result = icl__lua_new_state(L);
  ICL__LUA_TRY(L, icl_state_new(engine, name, dtype, rank, shape, data, trainable, result));
  return 1;
}

/* state_copy(state) -> another state of its name, with the value that it has now; see icl_state_copy */
static int copy_state(lua_State *L) {
  icl_state *state = icl__lua_check_state(L, 1);
  icl_state **result = icl__lua_new_state(L);
  ICL__LUA_TRY(L, icl_state_copy(state, result));
  return 1;
}

/* ---- versions ---- */

static void push_version(lua_State *L, icl_state *state) {
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_state_read(state, result));
}

/* s:read() -> a tensor, the version that ops recorded now would read */
static int state_read(lua_State *L) {
  icl__lua_no_more(L, 1, "read");
  push_version(L, icl__lua_check_state(L, 1));
  return 1;
}

static icl_status write(lua_State *L, icl_state *state, icl_engine *engine) {
  icl_tensor *value = NULL, *predicate = NULL;
  icl_status status = icl__lua_value(L, 2, engine, &value);
  if (status == ICL_OK && lua_gettop(L) == 3)
    status = icl__lua_value(L, 3, engine, &predicate);
  if (status == ICL_OK)
    status = icl_state_write(state, value, predicate);
  icl_tensor_release(predicate);
  icl_tensor_release(value);
  return status;
}

/* s:write(value [, predicate]): its next version; with a predicate, one element, only where that is not 0 */
static int state_write(lua_State *L) {
  icl__lua_no_more(L, 3, "write");
  icl_state *state = icl__lua_check_state(L, 1);
  lua_settop(L, lua_isnoneornil(L, 3) ? 2 : 3);
  for (int i = 2; i <= lua_gettop(L); i++)
    icl__lua_check_value(L, i, "write", i - 1);
  icl_engine *engine = icl__lua_engine(L);
  icl__lua_locate(L, engine);
  ICL__LUA_TRY(L, write(L, state, engine));
  return 0;
}

/* ---- numbers in and out ---- */

static void check_same_shape(lua_State *L, const icl_state *state, const icl_tensor *value) {
  char have[ICL__SHAPE_TEXT], want[ICL__SHAPE_TEXT];
  int rank = icl_state_rank(state), value_rank = icl_tensor_rank(value);
  const int32_t *shape = icl_state_shape(state), *value_shape = icl_tensor_shape(value);
  if (!icl__equal_shapes(value_rank, value_shape, rank, shape))
    icl__lua_fail(L, "set: the tensor is %s, the state is %s", icl__sizes_text(have, value_rank, value_shape),
                  icl__sizes_text(want, rank, shape));
}

/* s:set(value): a number for every element, a tensor, a table or a string of bytes, at once; not inside a step */
static int state_set(lua_State *L) {
  icl__lua_no_more(L, 2, "set");
  icl_state *state = icl__lua_check_state(L, 1);
  icl_dtype dtype = icl_state_dtype(state);
  const void *data;
  if (icl__lua_is_tensor(L, 2)) {
    icl_tensor *value = icl__lua_check_tensor(L, 2);
    check_same_shape(L, state, value);
    dtype = icl_tensor_dtype(value);
    data = icl__lua_push_values(L, value);
  } else
    data = icl__lua_push_array(L, 2, "set", dtype, icl_state_rank(state), icl_state_shape(state));
  ICL__LUA_TRY(L, icl_state_set(state, dtype, data));
  return 0;
}

/* s:get() -> what totable() gives */
static int state_get(lua_State *L) {
  icl__lua_no_more(L, 1, "get");
  lua_settop(L, 1);
  icl_tensor *t = icl__lua_check_tensor(L, 1);
  const void *data = icl__lua_push_values(L, t);
  icl__lua_push_table(L, icl_tensor_dtype(t), icl_tensor_rank(t), icl_tensor_shape(t), data);
  return 1;
}

/* ---- shape; without reading, which would share the memory of the value ---- */

static int state_shape(lua_State *L) {
  const icl_state *state = icl__lua_check_state(L, 1);
  icl__lua_push_shape(L, icl_state_rank(state), icl_state_shape(state));
  return 1;
}

static int state_rank(lua_State *L) {
  lua_pushinteger(L, icl_state_rank(icl__lua_check_state(L, 1)));
  return 1;
}

static int state_count(lua_State *L) {
  const icl_state *state = icl__lua_check_state(L, 1);
  lua_Integer count = 1;
  for (int i = 0; i < icl_state_rank(state); i++)
    count *= icl_state_shape(state)[i];
  lua_pushinteger(L, count);
  return 1;
}

static int state_dtype(lua_State *L) {
  lua_pushstring(L, icl_dtype_name(icl_state_dtype(icl__lua_check_state(L, 1))));
  return 1;
}

/* #s: the size of the first axis */
static int state_length(lua_State *L) {
  const icl_state *state = icl__lua_check_state(L, 1);
  if (!icl_state_rank(state))
    icl__lua_fail(L, "size: a state of rank 0 has no axis 1");
  lua_pushinteger(L, icl_state_shape(state)[0]);
  return 1;
}

/* ---- training ---- */

/* s:freeze([on]): not trained, or again with false; returns itself */
static int state_freeze(lua_State *L) {
  icl__lua_no_more(L, 2, "freeze");
  icl_state_set_trainable(icl__lua_check_state(L, 1), !lua_isnoneornil(L, 2) && !lua_toboolean(L, 2));
  lua_settop(L, 1);
  return 1;
}

/* s:rename(name): for messages */
static int state_rename(lua_State *L) {
  icl__lua_no_more(L, 2, "rename");
  icl_state_rename(icl__lua_check_state(L, 1), luaL_checkstring(L, 2));
  return 0;
}

/* s:set_dtype(dtype): its value has another dtype from now on; not inside a step */
static int state_set_dtype(lua_State *L) {
  icl__lua_no_more(L, 2, "set_dtype");
  icl_state *state = icl__lua_check_state(L, 1);
  luaL_checkstring(L, 2);
  ICL__LUA_TRY(L, icl_state_set_dtype(state, icl__lua_check_dtype(L, 2, ICL_F32)));
  return 0;
}

/* s:clear_grad(): forgets what backward() left in this step */
static int state_clear_grad(lua_State *L) {
  icl__lua_no_more(L, 1, "clear_grad");
  icl_state_clear_gradient(icl__lua_check_state(L, 1));
  return 0;
}

/* s.grad: the gradient of this step, or nil */
static int push_gradient(lua_State *L, icl_state *state) {
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_state_gradient(state, result));
  if (!*result)
    lua_pushnil(L);
  return 1;
}

/* s.grad = t: what optimizers get in place of it; nil: as clear_grad() */
static int state_newindex(lua_State *L) {
  icl_state *state = icl__lua_check_state(L, 1);
  if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "grad"))
    return icl__lua_refuse_assignment(L);
  if (lua_isnil(L, 3)) {
    icl_state_clear_gradient(state);
    return 0;
  }
  icl__lua_check_value(L, 3, "grad", 1);
  icl_engine *engine = icl__lua_engine(L);
  icl__lua_locate(L, engine);
  icl_tensor *value;
  ICL__LUA_TRY(L, icl__lua_value(L, 3, engine, &value));
  icl_status status = icl_state_set_gradient(state, value);
  icl_tensor_release(value);
  ICL__LUA_TRY(L, status);
  return 0;
}

/* ---- the type ---- */

/* Adds the keys of the table at `from` to the one on top. */
static void add_keys(lua_State *L, int from) {
  for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_pushboolean(L, true);
    lua_rawset(L, -5);
  }
}

/* A method of tensors, or an error that names what was probably meant. */
static int other_member(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
    return 1;
  const char *name = lua_tostring(L, 2);
  lua_newtable(L);
  add_keys(L, lua_upvalueindex(1));
  add_keys(L, lua_upvalueindex(2));
  return icl__lua_unknown(L, "state", "method", name, -1);
}

/* Upvalues: the methods of states, and those of tensors. */
static int state_index(lua_State *L) {
  icl_state *state = icl__lua_check_state(L, 1);
  if (lua_type(L, 2) != LUA_TSTRING)
    return icl__lua_part(L, lua_upvalueindex(2));
  const char *key = lua_tostring(L, 2);
  if (!strcmp(key, "grad"))
    return push_gradient(L, state);
  if (!strcmp(key, "name"))
    lua_pushstring(L, icl_state_name(state));
  else if (!strcmp(key, "trainable"))
    lua_pushboolean(L, icl_state_trainable(state));
  else if (lua_pushvalue(L, 2), lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
    return other_member(L);
  return 1;
}

static int state_tostring(lua_State *L) {
  icl_state *state = icl__lua_check_state(L, 1);
  lua_pushfstring(L, "state %s%s\n", icl_state_name(state), icl_state_trainable(state) ? ", trained" : "");
  push_version(L, state);
  luaL_tolstring(L, -1, NULL);
  lua_remove(L, -2);
  lua_concat(L, 2);
  return 1;
}

static const char *const fields[] = {"grad", "name", "trainable"};

void icl__lua_state_functions(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"read", state_read},
      {"write", state_write},
      {"set", state_set},
      {"get", state_get},
      {"shape", state_shape},
      {"rank", state_rank},
      {"count", state_count},
      {"dtype", state_dtype},
      {"freeze", state_freeze},
      {"rename", state_rename},
      {"clear_grad", state_clear_grad},
      {"set_dtype", state_set_dtype},
      {NULL, NULL},
  };
  static const luaL_Reg metamethods[] = {
      {"__gc", state_release},
      {"__tostring", state_tostring},
      {"__len", state_length},
      {"__newindex", state_newindex},
      {NULL, NULL},
  };
  lua_pushcfunction(L, new_state);
  lua_setfield(L, -2, "state");
  lua_pushcfunction(L, copy_state);
  lua_setfield(L, -2, "state_copy");
  icl__lua_make_type(L, icl__lua_state);
  luaL_setfuncs(L, metamethods, 0);
  icl__lua_operators(L);
  lua_newtable(L); /* this and `methods` are for help and completion at the prompt */
  for (int i = 0; i < (int)(sizeof fields / sizeof *fields); i++) {
    lua_pushstring(L, fields[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "fields");
  luaL_newlib(L, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "methods");
  lua_getfield(L, -3, "tensor_methods");
  lua_pushcclosure(L, state_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
