/* tensor.c - the type icl.tensor: the methods that are no ops. The others are added in lua/icl/tensor. */
#include "tensor.h"

#include "arguments.h"
#include "array.h"
#include "engine.h"
#include "error.h"
#include "handle.h"
#include "op.h"
#include "print.h"

static icl_tensor **check_slot(lua_State *L) {
  icl_tensor **slot = icl__lua_tensor_slot(L, 1);
  if (!slot)
    icl__lua_type_error(L, 1, "tensor");
  return slot;
}

static int tensor_release(lua_State *L) {
  icl_tensor **slot = check_slot(L);
  icl_tensor_release(*slot);
  *slot = NULL;
  return 0;
}

/* ---- making ---- */

/* new_tensor(data [, dtype [, shape]]): a constant from a number, nested tables, or a string of bytes. */
static int new_tensor(lua_State *L) {
  int32_t shape[ICL_MAX_RANK];
  icl_engine *engine = icl__lua_engine(L);
  icl_dtype dtype = icl__lua_check_dtype(L, 2, icl__lua_infer_dtype(L, 1));
  int rank;
  if (!lua_isnoneornil(L, 3)) {
    rank = icl__lua_check_shape(L, 3, "tensor", shape);
  } else if (lua_type(L, 1) == LUA_TSTRING) {
    rank = 1;
    shape[0] = (int32_t)(lua_rawlen(L, 1) / icl_dtype_bytes(dtype));
  } else {
    rank = icl__lua_infer_shape(L, 1, "tensor", shape);
  }
  const void *data = icl__lua_push_array(L, 1, "tensor", dtype, rank, shape);
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_tensor_new(engine, dtype, rank, shape, data, result));
  return 1;
}

/* full(shape, value [, dtype [, what = "full"]]): every element `value`; `what` begins messages. */
static int full(lua_State *L) {
  int32_t shape[ICL_MAX_RANK];
  icl_engine *engine = icl__lua_engine(L);
  const char *what = luaL_optstring(L, 4, "full");
  int rank = icl__lua_check_shape(L, 1, what, shape);
  if (lua_type(L, 2) != LUA_TNUMBER && lua_type(L, 2) != LUA_TBOOLEAN)
    icl__lua_fail(L, "%s: the value is %s; it must be a number", what, icl__lua_describe(L, 2));
  icl_dtype dtype = icl__lua_check_dtype(L, 3, icl__lua_infer_dtype(L, 2));
  const void *data = icl__lua_push_array(L, 2, what, dtype, rank, shape);
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_tensor_new(engine, dtype, rank, shape, data, result));
  return 1;
}

/* number(x): a number as a tensor, for several ops that each would make one of it. */
static int number(lua_State *L) {
  icl_engine *engine = icl__lua_engine(L);
  double value = luaL_checknumber(L, 1);
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_number(engine, value, result));
  return 1;
}

/* arange(n [, dtype]): 0, 1, ..., n - 1; i64 unless a dtype is given. */
static int arange(lua_State *L) {
  icl_engine *engine = icl__lua_engine(L);
  int is_integer = 0;
  lua_Integer n = lua_type(L, 1) == LUA_TNUMBER ? lua_tointegerx(L, 1, &is_integer) : 0;
  if (!is_integer || n < 0 || n > INT32_MAX)
    icl__lua_fail(L, "icl.arange: n is %s; it must be an integer from 0 to 2^31 - 1", icl__lua_describe(L, 1));
  icl_dtype dtype = icl__lua_check_dtype(L, 2, ICL_I64);
  int32_t count = (int32_t)n;
  const void *data = icl__lua_push_sequence(L, "icl.arange", dtype, count);
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_tensor_new(engine, dtype, 1, &count, data, result));
  return 1;
}

/* ---- shape and dtype ---- */

/* t:shape() -> list of sizes */
static int tensor_shape(lua_State *L) {
  if (!lua_isnoneornil(L, 2))
    icl__lua_fail(L, "shape: %s is an argument too many; size(axis) gives one size", icl__lua_describe(L, 2));
  const icl_tensor *t = icl__lua_check_tensor(L, 1);
  icl__lua_push_shape(L, icl_tensor_rank(t), icl_tensor_shape(t));
  return 1;
}

static int push_size(lua_State *L, const icl_tensor *t, lua_Integer dim) {
  int rank = icl_tensor_rank(t);
  if (dim < -rank || dim == 0 || dim > rank)
    icl__lua_fail(L, "size: a tensor of rank %d has no axis %I; axes count from 1, from -1 at the end", rank,
                  (LUAI_UACINT)dim);
  lua_pushinteger(L, icl_tensor_shape(t)[dim < 0 ? dim + rank : dim - 1]);
  return 1;
}

/* t:size(dim) */
static int tensor_size(lua_State *L) {
  icl__lua_no_more(L, 2, "size");
  if (lua_isnoneornil(L, 2))
    icl__lua_fail(L, "size: an axis is missing; shape() gives all sizes");
  return push_size(L, icl__lua_check_tensor(L, 1), luaL_checkinteger(L, 2));
}

/* #t: the size of the first axis */
static int tensor_length(lua_State *L) { return push_size(L, icl__lua_check_tensor(L, 1), 1); }

static int tensor_rank(lua_State *L) {
  icl__lua_no_more(L, 1, "rank");
  lua_pushinteger(L, icl_tensor_rank(icl__lua_check_tensor(L, 1)));
  return 1;
}

/* t:count() -> how many elements */
static int tensor_count(lua_State *L) {
  icl__lua_no_more(L, 1, "count");
  lua_pushinteger(L, icl_tensor_count(icl__lua_check_tensor(L, 1)));
  return 1;
}

static int tensor_dtype(lua_State *L) {
  icl__lua_no_more(L, 1, "dtype");
  lua_pushstring(L, icl_dtype_name(icl_tensor_dtype(icl__lua_check_tensor(L, 1))));
  return 1;
}

/* ---- values ---- */

/* t:item() -> its only element */
static int tensor_item(lua_State *L) {
  icl__lua_no_more(L, 1, "item");
  icl_tensor *t = icl__lua_check_tensor(L, 1);
  uint64_t element;
  if (icl_tensor_count(t) != 1)
    icl__lua_fail(L, "item: it takes a tensor of one element, and this one has %I; totable() gives them all",
                  (LUAI_UACINT)icl_tensor_count(t));
  ICL__LUA_TRY(L, icl_tensor_read(t, icl_tensor_dtype(t), &element));
  icl__lua_push_element(L, icl_tensor_dtype(t), &element);
  return 1;
}

/* t:totable() -> nested tables; the element itself for rank 0 */
static int tensor_totable(lua_State *L) {
  icl__lua_no_more(L, 1, "totable");
  icl_tensor *t = icl__lua_check_tensor(L, 1);
  const void *data = icl__lua_push_values(L, t);
  icl__lua_push_table(L, icl_tensor_dtype(t), icl_tensor_rank(t), icl_tensor_shape(t), data);
  return 1;
}

/* t:bytes() -> its elements as they lie in memory */
static int tensor_bytes(lua_State *L) {
  icl__lua_no_more(L, 1, "bytes");
  icl_tensor *t = icl__lua_check_tensor(L, 1);
  size_t size = (size_t)icl_tensor_count(t) * icl_dtype_bytes(icl_tensor_dtype(t));
  luaL_Buffer bytes;
  char *data = luaL_buffinitsize(L, &bytes, size);
  ICL__LUA_TRY(L, icl_tensor_read(t, icl_tensor_dtype(t), data));
  luaL_pushresultsize(&bytes, size);
  return 1;
}

/* t:keep(): its value outlives the step; returns it */
static int tensor_keep(lua_State *L) {
  icl__lua_no_more(L, 1, "keep");
  ICL__LUA_TRY(L, icl_tensor_keep(icl__lua_check_tensor(L, 1)));
  lua_settop(L, 1);
  return 1;
}

static int tensor_tostring(lua_State *L) {
  icl_tensor **slot = check_slot(L);
  if (!*slot) {
    lua_pushliteral(L, "a closed tensor");
    return 1;
  }
  icl__lua_push_tensor_text(L, *slot);
  return 1;
}

/* ---- the type ---- */

/* Upvalue: the methods. A place is for the method `at`: x[1], x[{ 2, 5 }]. */
static int tensor_index(lua_State *L) {
  lua_settop(L, 2);
  if (lua_type(L, 2) != LUA_TSTRING)
    return icl__lua_part(L, lua_upvalueindex(1));
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
    icl__lua_unknown(L, "tensor", "method", lua_tostring(L, 2), lua_upvalueindex(1));
  return 1;
}

void icl__lua_tensor_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"new_tensor", new_tensor}, {"full", full}, {"number", number}, {"arange", arange}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"shape", tensor_shape}, {"size", tensor_size}, {"rank", tensor_rank},       {"count", tensor_count},
      {"dtype", tensor_dtype}, {"item", tensor_item}, {"totable", tensor_totable}, {"bytes", tensor_bytes},
      {"keep", tensor_keep},   {NULL, NULL},
  };
  static const luaL_Reg metamethods[] = {
      {"__gc", tensor_release},
      {"__close", tensor_release},
      {"__tostring", tensor_tostring},
      {"__len", tensor_length},
      {"__newindex", icl__lua_refuse_assignment},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
  icl__lua_make_type(L, icl__lua_tensor);
  luaL_setfuncs(L, metamethods, 0);
  icl__lua_operators(L);
  luaL_newlib(L, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "tensor_methods");
  lua_pushcclosure(L, tensor_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
