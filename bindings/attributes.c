/* attributes.c - the named attributes of an op, from the table that is its last argument. */
#include "attributes.h"

#include "arguments.h"
#include "error.h"

#include <string.h>

/* The attribute that is being read; its value is on top of the stack. */
typedef struct {
  lua_State *L;
  const icl_op *op;
  const icl_attr_spec *spec;
} attribute;

static void attribute_error(const attribute *a, const char *expected) {
  icl__lua_fail(a->L, "%s: attribute %s is %s; it must be %s", icl_op_name(a->op), a->spec->name,
                icl__lua_describe(a->L, -1), expected);
}

/* The integer at the top of the stack. */
static int32_t read_integer(const attribute *a, const char *expected) {
  int is_integer = 0;
  lua_Integer value = lua_type(a->L, -1) == LUA_TNUMBER ? lua_tointegerx(a->L, -1, &is_integer) : 0;
  if (!is_integer || value < INT32_MIN || value > INT32_MAX)
    attribute_error(a, expected);
  return (int32_t)value;
}

/* One entry of a list, which is what `expected` then speaks of. */
static int32_t read_entry(const attribute *a, int i, const char *expected) {
  int is_integer = 0;
  lua_rawgeti(a->L, -1, i);
  lua_Integer value = lua_type(a->L, -1) == LUA_TNUMBER ? lua_tointegerx(a->L, -1, &is_integer) : 0;
  if (!is_integer || value < INT32_MIN || value > INT32_MAX)
    icl__lua_fail(a->L, "%s: entry %d of attribute %s is %s; the attribute must be %s", icl_op_name(a->op), i,
                  a->spec->name, icl__lua_describe(a->L, -1), expected);
  lua_pop(a->L, 1);
  return (int32_t)value;
}

/* An axis that counts from 1, from -1 at the end, as one that counts from 0. */
static int32_t axis_from_0(const attribute *a, int32_t axis, int rank) {
  if (axis == 0)
    icl__lua_fail(a->L, "%s: there is no axis 0; axes count from 1, from -1 at the end", icl_op_name(a->op));
  if (rank >= 0 && (axis < -rank || axis > rank))
    icl__lua_fail(a->L, "%s: there is no axis %d in a tensor of rank %d", icl_op_name(a->op), (int)axis, rank);
  return axis < 0 ? axis : axis - 1;
}

static void read_pair(const attribute *a, int32_t *slot) {
  static const char expected[] = "an integer or { height, width }";
  if (!lua_istable(a->L, -1)) {
    slot[0] = slot[1] = read_integer(a, expected);
    return;
  }
  if (lua_rawlen(a->L, -1) != 2)
    attribute_error(a, expected);
  slot[0] = read_entry(a, 1, expected);
  slot[1] = read_entry(a, 2, expected);
}

/* Axes or sizes; a single axis need not be a table. */
static void read_list(const attribute *a, int32_t *slot, int rank) {
  bool axes = a->spec->kind == ICL_ATTR_DIMS;
  const char *expected = axes ? "an axis or a list of axes" : "a list of sizes";
  if (axes && !lua_istable(a->L, -1)) {
    slot[0] = 1;
    slot[1] = axis_from_0(a, read_integer(a, expected), rank);
    return;
  }
  if (!lua_istable(a->L, -1) || lua_rawlen(a->L, -1) > ICL_MAX_RANK)
    attribute_error(a, axes ? "an axis or a list of up to 6 axes" : "a list of up to 6 sizes");
  slot[0] = (int32_t)icl__lua_list_length(a->L, -1, icl_op_name(a->op));
  for (int i = 1; i <= slot[0]; i++) {
    int32_t entry = read_entry(a, i, expected);
    slot[i] = axes ? axis_from_0(a, entry, rank) : entry;
  }
}

static void read_attribute(const attribute *a, int rank, icl_attributes *result) {
  lua_State *L = a->L;
  int32_t *slot = &result->i[a->spec->slot];
  icl_dtype dtype;
  switch (a->spec->kind) {
  case ICL_ATTR_INT:
    *slot = read_integer(a, "an integer");
    break;
  case ICL_ATTR_FLAG:
    if (!lua_isboolean(L, -1))
      attribute_error(a, "true or false");
    *slot = lua_toboolean(L, -1);
    break;
  case ICL_ATTR_PAIR:
    read_pair(a, slot);
    break;
  case ICL_ATTR_DIM:
    *slot = axis_from_0(a, read_integer(a, "an axis"), rank);
    break;
  case ICL_ATTR_DIMS:
  case ICL_ATTR_SHAPE:
    read_list(a, slot, rank);
    break;
  case ICL_ATTR_REAL:
    if (lua_type(L, -1) != LUA_TNUMBER)
      attribute_error(a, "a number");
    result->f[a->spec->slot] = lua_tonumber(L, -1);
    break;
  case ICL_ATTR_DTYPE:
    if (lua_type(L, -1) != LUA_TSTRING)
      attribute_error(a, "the name of a dtype");
    icl__lua_check(L, icl_dtype_find(lua_tostring(L, -1), &dtype));
    *slot = (int32_t)dtype;
    break;
  }
}

/* Raises for a name that the op does not have. */
static void unknown_attribute(lua_State *L, const icl_op *op, int count, const icl_attr_spec *specs) {
  const char *name = luaL_tolstring(L, -2, NULL);
  lua_newtable(L);
  for (int i = 0; i < count; i++) {
    lua_pushboolean(L, true);
    lua_setfield(L, -2, specs[i].name);
  }
  icl__lua_unknown(L, icl_op_name(op), "attribute", name, -1);
}

void icl__lua_attributes(lua_State *L, int arg, const icl_op *op, int rank, icl_attributes *result) {
  const icl_attr_spec *specs;
  int count = icl_op_attributes(op, &specs);
  unsigned given = 0;
  icl_op_defaults(op, result);
  if (lua_istable(L, arg)) {
    for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
      const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
      int i = 0;
      while (i < count && strcmp(specs[i].name, name))
        i++;
      if (i == count)
        unknown_attribute(L, op, count, specs);
      read_attribute(&(attribute){L, op, &specs[i]}, rank, result);
      given |= 1u << i;
    }
  }
  for (int i = 0; i < count; i++)
    if (specs[i].required && !(given >> i & 1))
      icl__lua_fail(L, "%s: attribute %s is missing", icl_op_name(op), specs[i].name);
}
