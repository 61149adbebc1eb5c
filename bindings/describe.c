/* describe.c - what help and completion at the prompt look at: ops as the registry has them, and the sources of the Lua
 * library. */
#include "describe.h"

#include "arguments.h"
#include "embedded.h"

#include "ops/ops.h"
#include "ops/picture.h"

#include <string.h>

static const char *kind_name(icl_attr_kind kind) {
  static const char *const names[] = {
      [ICL_ATTR_INT] = "int",   [ICL_ATTR_FLAG] = "flag",   [ICL_ATTR_PAIR] = "pair", [ICL_ATTR_DIM] = "dim",
      [ICL_ATTR_DIMS] = "dims", [ICL_ATTR_SHAPE] = "shape", [ICL_ATTR_REAL] = "real", [ICL_ATTR_DTYPE] = "dtype"};
  return names[kind];
}

/* Pushes a default as a recipe would write it. Lists can only default to the empty list. */
static void push_default(lua_State *L, const icl_attr_spec *spec) {
  switch (spec->kind) {
  case ICL_ATTR_FLAG:
    lua_pushboolean(L, spec->value != 0);
    break;
  case ICL_ATTR_REAL:
    lua_pushnumber(L, spec->value);
    break;
  case ICL_ATTR_DTYPE:
    lua_pushstring(L, icl_dtype_name((icl_dtype)spec->value));
    break;
  case ICL_ATTR_DIMS:
  case ICL_ATTR_SHAPE:
    lua_newtable(L);
    break;
  default:
    lua_pushinteger(L, (lua_Integer)spec->value);
  }
}

static void push_attribute(lua_State *L, const icl_attr_spec *spec) {
  lua_newtable(L);
  lua_pushstring(L, spec->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, kind_name(spec->kind));
  lua_setfield(L, -2, "kind");
  if (spec->required)
    return;
  push_default(L, spec);
  lua_setfield(L, -2, "default");
}

/* describe_op(name) -> { name =, doc =, least =, most = (inputs), attributes = { { name =, kind = [, default =] }, ...
 * }, differentiable = }; nil if users have no such op. */
static int describe_op(lua_State *L) {
  const icl_op *op = icl_op_find(luaL_checkstring(L, 1));
  if (!op || icl_op_internal(op)) {
    lua_pushnil(L);
    return 1;
  }
  const icl_attr_spec *specs;
  int least, most, count = icl_op_attributes(op, &specs);
  icl_op_inputs(op, &least, &most);
  lua_newtable(L);
  lua_pushstring(L, icl_op_name(op));
  lua_setfield(L, -2, "name");
  lua_pushstring(L, icl_op_doc(op));
  lua_setfield(L, -2, "doc");
  lua_pushinteger(L, least);
  lua_setfield(L, -2, "least");
  lua_pushinteger(L, most);
  lua_setfield(L, -2, "most");
  lua_pushboolean(L, op->grad != NULL);
  lua_setfield(L, -2, "differentiable");
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    push_attribute(L, &specs[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "attributes");
  return 1;
}

/* adjustments() -> { brightness = 1, ... }: the kinds of op adjust by name. */
static int adjustments(lua_State *L) {
  lua_newtable(L);
#define ADJUSTMENT(name)                                                                                               \
  lua_pushinteger(L, ICL__ADJUST_##name);                                                                              \
  lua_setfield(L, -2, #name);
  ICL__ADJUSTMENTS(ADJUSTMENT)
#undef ADJUSTMENT
  return 1;
}

/* list_fault(table) -> why it is no list, "it is a list with holes"; nil if it is one */
static int list_fault(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *fault = icl__lua_list_fault(L, 1);
  if (fault)
    lua_pushstring(L, fault);
  return fault != NULL;
}

/* describe_value(value) -> what a message calls it: 3, 'text', a table. */
static int describe_value(lua_State *L) {
  icl__lua_describe(L, 1);
  return 1;
}

static int push_files(lua_State *L, const icl__embedded_module *list) {
  lua_newtable(L);
  for (const icl__embedded_module *m = list; m->name; m++) {
    lua_pushstring(L, m->file);
    lua_setfield(L, -2, m->name);
  }
  return 1;
}

/* modules() -> a table from the names of the library's modules to their files: "icl.nn.conv2d" = "icl/nn/conv2d.lua".
 */
static int modules(lua_State *L) { return push_files(L, icl__embedded); }

/* recipes() -> the same for the recipes: "recipes.wrn" = "recipes/wrn.lua". */
static int recipes(lua_State *L) { return push_files(L, icl__embedded_recipes); }

static const icl__embedded_module *find(const icl__embedded_module *list, const char *file) {
  while (list->name && strcmp(list->file, file) != 0)
    list++;
  return list->name ? list : NULL;
}

/* source(file) -> the text of a file of the library or of a recipe, or nil. */
static int source(lua_State *L) {
  const char *file = luaL_checkstring(L, 1);
  const icl__embedded_module *m = find(icl__embedded, file);
  if (!m)
    m = find(icl__embedded_recipes, file);
  if (m)
    lua_pushlstring(L, (const char *)m->bytes, m->size);
  else
    lua_pushnil(L);
  return 1;
}

void icl__lua_describe_functions(lua_State *L) {
  static const luaL_Reg functions[] = {{"adjustments", adjustments},
                                       {"describe_op", describe_op},
                                       {"describe_value", describe_value},
                                       {"list_fault", list_fault},
                                       {"modules", modules},
                                       {"recipes", recipes},
                                       {"source", source},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
