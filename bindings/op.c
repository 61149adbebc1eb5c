/* op.c - every op of the registry as a Lua function: icl.core.ops.conv2d(x, w, { stride = 2 }). Inputs are tensors,
 * states (their current version) and numbers; the attributes, by name, are the last argument. */
#include "op.h"

#include "arguments.h"
#include "attributes.h"
#include "engine.h"
#include "error.h"
#include "handle.h"
#include "where.h"

#include "ops/attributes.h"

/* The op is the upvalue of its function. */
static const icl_op *op_of(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

/* Applies the op to the first values of the stack. */
static icl_status apply(lua_State *L, icl_engine *engine, const icl_op *op, int inputs,
                        const icl_attributes *attributes, icl_tensor **result) {
  icl_tensor *in[ICL_MAX_INPUTS];
  icl_status status = ICL_OK;
  int have = 0;
  while (have < inputs && (status = icl__lua_value(L, have + 1, engine, &in[have])) == ICL_OK)
    have++;
  if (status == ICL_OK)
    status = icl_apply(engine, op, inputs, in, attributes, result);
  while (have)
    icl_tensor_release(in[--have]);
  return status;
}

static int record(lua_State *L, const icl_op *op, int inputs, const icl_attributes *attributes) {
  icl_engine *engine = icl__lua_engine(L);
  icl_tensor **result = icl__lua_new_tensor(L);
  icl__lua_locate(L, engine);
  ICL__LUA_TRY(L, apply(L, engine, op, inputs, attributes, result));
  return 1;
}

/* How many inputs were given; raises where one is no value. */
static int check_inputs(lua_State *L, const icl_op *op) {
  int inputs = lua_gettop(L);
  if (inputs && lua_istable(L, inputs))
    inputs--;
  if (inputs > ICL_MAX_INPUTS)
    icl__lua_fail(L, "%s: %d inputs; an op has at most %d", icl_op_name(op), inputs, ICL_MAX_INPUTS);
  for (int i = 1; i <= inputs; i++)
    icl__lua_check_value(L, i, icl_op_name(op), i);
  return inputs;
}

/* The rank of the first input; -1 if there is none or a number. */
static int first_rank(lua_State *L, int inputs) {
  if (!inputs || lua_type(L, 1) == LUA_TNUMBER)
    return -1;
  return icl_tensor_rank(icl__lua_check_tensor(L, 1));
}

static int call_op(lua_State *L) {
  const icl_op *op = op_of(L);
  icl_attributes attributes;
  int inputs = check_inputs(L, op);
  bool given = lua_gettop(L) > inputs;
  icl__lua_attributes(L, inputs + 1, op, given ? first_rank(L, inputs) : -1, &attributes);
  return record(L, op, inputs, &attributes);
}

/* narrow(x, first, { dim =, length = }): a number `first` counts from 1, from -1 at the end, and must lie within the
 * axis; in a tensor it counts from 0 as all positions in tensors do. */
static int call_narrow(lua_State *L) {
  if (lua_type(L, 2) != LUA_TNUMBER || !lua_istable(L, 3))
    return call_op(L);
  icl_attributes attributes;
  const icl_tensor *x = icl__lua_check_tensor(L, 1);
  int rank = icl_tensor_rank(x), is_integer;
  icl__lua_attributes(L, 3, op_of(L), rank, &attributes);
  int dim = attributes.i[NARROW_DIM], length = attributes.i[NARROW_LENGTH];
  int64_t size = icl_tensor_shape(x)[dim < 0 ? dim + rank : dim], given = lua_tointegerx(L, 2, &is_integer);
  int64_t first = given < 0 ? given + size : given - 1;
  if (!is_integer || length < 0 || given == 0 || first < 0 || first > size - length)
    icl__lua_fail(L, "narrow: %d positions from %s on do not lie within axis %d, which has %I", length,
                  icl__lua_describe(L, 2), dim < 0 ? dim : dim + 1, (LUAI_UACINT)size);
  icl_tensor **start = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_tensor_new(icl_tensor_engine(x), ICL_I64, 0, NULL, &first, start));
  lua_replace(L, 2);
  return call_op(L);
}

/* ---- operators ---- */

static int operate(lua_State *L) {
  const icl_op *op = op_of(L);
  int least, most;
  icl_op_inputs(op, &least, &most);
  lua_settop(L, least); /* Lua gives - its operand twice */
  for (int i = 1; i <= least; i++)
    icl__lua_check_value(L, i, icl_op_name(op), i);
  return record(L, op, least, NULL);
}

/* An operator that tensors do not have; what to write instead. */
static int refuse_operator(lua_State *L) { return icl__lua_fail(L, "%s", lua_tostring(L, lua_upvalueindex(1))); }

void icl__lua_operators(lua_State *L) {
  static const char *const arithmetic[][2] = {{"__add", "add"}, {"__sub", "sub"}, {"__mul", "mul"},
                                              {"__div", "div"}, {"__pow", "pow"}, {"__unm", "neg"}};
  static const char *const refused[][2] = {
      /* Lua makes one boolean of what a comparison gives */
      {"__lt", "tensors are compared by methods: write a:lt(b) or a:gt(b), which give a tensor of bools"},
      {"__le", "tensors are compared by methods: write a:le(b) or a:ge(b), which give a tensor of bools"},
      {"__idiv", "tensors have no operator //: write (a / b):floor()"},
      {"__mod", "tensors have no operator %: write a - b * (a / b):floor()"},
      {"__concat", "tensors have no operator ..: write tostring(x), or icl.concat for one tensor of several"}};
  for (size_t i = 0; i < sizeof arithmetic / sizeof *arithmetic; i++) {
    lua_pushlightuserdata(L, (void *)icl_op_find(arithmetic[i][1]));
    lua_pushcclosure(L, operate, 1);
    lua_setfield(L, -2, arithmetic[i][0]);
  }
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    lua_pushstring(L, refused[i][1]);
    lua_pushcclosure(L, refuse_operator, 1);
    lua_setfield(L, -2, refused[i][0]);
  }
}

/* ---- the table of ops ---- */

static int missing_op(lua_State *L) { return icl__lua_unknown(L, "icl.ops", "op", luaL_tolstring(L, 2, NULL), 1); }

void icl__lua_op_functions(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; i < icl_op_count(); i++) {
    const icl_op *op = icl_op_at(i);
    if (icl_op_internal(op))
      continue;
    lua_pushlightuserdata(L, (void *)op);
    lua_pushcclosure(L, op == icl_op_find("narrow") ? call_narrow : call_op, 1);
    lua_setfield(L, -2, icl_op_name(op));
  }
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, missing_op);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "ops");
}
