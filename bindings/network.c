/* network.c - networks in files: writing down what a model computes, and using what was written. */
#include "network.h"

#include "array.h"
#include "engine.h"
#include "error.h"
#include "guard.h"
#include "handle.h"
#include "owner.h"

#include <string.h>

#include "base/memory.h"
#include "network/description.h"
#include "network/network.h"

/* ---- describing ---- */

/* network_trace_begin() -> a flag for network_trace_end(); between the two a model is called with 2 and with 3 images
 */
static int trace_begin(lua_State *L) {
  bool eager;
  ICL__LUA_TRY(L, icl__trace_begin(icl__lua_engine(L), &eager));
  icl__lua_own_step(L);
  lua_pushboolean(L, eager);
  return 1;
}

static int trace_end(lua_State *L) {
  icl__trace_end(icl__lua_engine(L), lua_toboolean(L, 1));
  return 0;
}

/* The axes on top of the stack, which count from 1, as axes from 0 in a userdata that is pushed; NULL for nil. */
static const int32_t *push_axes(lua_State *L) {
  if (lua_isnil(L, -1))
    return NULL;
  int32_t *axes = lua_newuserdatauv(L, ICL_MAX_RANK * sizeof *axes, 0);
  for (int i = 0; i < ICL_MAX_RANK; i++) {
    lua_rawgeti(L, -2, i + 1);
    axes[i] = (int32_t)luaL_optinteger(L, -1, 1) - 1;
    lua_pop(L, 1);
  }
  return axes;
}

/* The list of { name =, state =, axes = } at `arg`; what must stay referenced is put into the table `keep`. */
static icl__leaf *push_leaves(lua_State *L, int arg, int keep, int count) {
  icl__leaf *leaves = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *leaves, 0);
  int top = lua_gettop(L);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, arg, i + 1);
    lua_getfield(L, -1, "state");
    leaves[i].state = icl__lua_check_state(L, lua_gettop(L));
    lua_getfield(L, -2, "name");
    leaves[i].name = luaL_checkstring(L, -1);
    lua_getfield(L, -3, "axes");
    leaves[i].axes = push_axes(L);
    lua_rawseti(L, keep, i + 1);
    lua_settop(L, top);
  }
  return leaves;
}

static icl__trace check_trace(lua_State *L, int arg) {
  return (icl__trace){icl__lua_check_tensor(L, arg), icl__lua_check_tensor(L, arg + 1)};
}

/* network_describe(images of 2, logits of 2, images of 3, logits of 3, list of { name =, state =, axes = }) -> the
 * description as text, and a list of { name =, tensor = } that must be in the file too */
static int describe(lua_State *L) {
  luaL_checktype(L, 5, LUA_TTABLE);
  lua_settop(L, 5);
  const icl__trace trace[] = {check_trace(L, 1), check_trace(L, 3)};
  int count = (int)lua_rawlen(L, 5), extras;
  lua_newtable(L);
  const icl__leaf *leaves = push_leaves(L, 5, 6, count);
  void **text_holder = icl__lua_guard(L, icl__free), **extra_holder = icl__lua_guard(L, icl__free);
  char *text;
  icl_tensor **extra;
  ICL__LUA_TRY(L, icl__describe(trace, count, leaves, &text, &extras, &extra));
  *text_holder = text;
  *extra_holder = extra;
  lua_pushstring(L, text);
  lua_createtable(L, extras, 0);
  for (int i = 0; i < extras; i++) {
    lua_createtable(L, 0, 2);
    lua_pushfstring(L, ICL__EXTRA_TENSOR "%d", i);
    lua_setfield(L, -2, "name");
    icl_tensor **tensor = icl__lua_new_tensor(L);
    *tensor = icl_tensor_retain(extra[i]);
    lua_setfield(L, -2, "tensor");
    lua_rawseti(L, -2, i + 1);
  }
  return 2;
}

/* ---- using ---- */

static const char type[] = "icl.network";

static int release(lua_State *L) {
  icl_network **slot = luaL_checkudata(L, 1, type);
  icl_network_free(*slot);
  *slot = NULL;
  return 0;
}

static icl_network *check_network(lua_State *L) {
  icl_network **slot = luaL_checkudata(L, 1, type);
  return *slot;
}

/* network:apply(images) -> logits */
static int apply(lua_State *L) {
  icl_network *network = check_network(L);
  icl_tensor *images = icl__lua_check_tensor(L, 2);
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_network_apply(network, images, result));
  return 1;
}

/* network:image(path) -> the picture as the network takes it, u8 (1, h, w, c) */
static int image(lua_State *L) {
  const icl_network *network = check_network(L);
  const char *path = luaL_checkstring(L, 2);
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_network_image(network, path, result));
  return 1;
}

/* network:metadata() -> what the file says about it and the data, as JSON */
static int metadata(lua_State *L) {
  void **holder = icl__lua_guard(L, icl__free);
  const json_t *value = icl__json_value(check_network(L)->metadata);
  size_t bytes;
  char *text;
  if (icl__json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(17), &text, &bytes) != ICL_OK)
    icl__lua_fail(L, "network: no memory for its metadata");
  *holder = text;
  lua_pushlstring(L, text, bytes);
  return 1;
}

/* network:states() -> list of { name =, state = [, axes =] } */
static int states(lua_State *L) {
  const icl_network *network = check_network(L);
  const json_t *nodes = json_object_get(json_object_get(icl__json_value(network->metadata), "network"), "nodes");
  lua_newtable(L);
  for (int i = 0, used = 0; i < network->count; i++) {
    if (network->nodes[i].kind != ICL__NODE_STATE)
      continue;
    const json_t *axes = json_object_get(json_array_get(nodes, (size_t)i), "axes");
    lua_createtable(L, 0, 3);
    lua_pushstring(L, icl_state_name(network->nodes[i].state));
    lua_setfield(L, -2, "name");
    icl_state **state = icl__lua_new_state(L);
    *state = icl_state_retain(network->nodes[i].state);
    lua_setfield(L, -2, "state");
    if (axes) {
      lua_newtable(L);
      for (size_t k = 0; k < json_array_size(axes); k++) {
        lua_pushinteger(L, json_integer_value(json_array_get(axes, k)) + 1);
        lua_rawseti(L, -2, (lua_Integer)k + 1);
      }
      lua_setfield(L, -2, "axes");
    }
    lua_rawseti(L, -2, ++used);
  }
  return 1;
}

/* network:constants() -> list of { name =, tensor = }: the constants that are tensors of the file */
static int constants(lua_State *L) {
  const icl_network *network = check_network(L);
  const json_t *nodes = json_object_get(json_object_get(icl__json_value(network->metadata), "network"), "nodes");
  lua_newtable(L);
  for (int i = 0, used = 0; i < network->count; i++) {
    const json_t *name = json_object_get(json_array_get(nodes, (size_t)i), "tensor");
    if (network->nodes[i].kind != ICL__NODE_CONSTANT || !json_is_string(name))
      continue;
    lua_createtable(L, 0, 2);
    lua_pushstring(L, json_string_value(name));
    lua_setfield(L, -2, "name");
    icl_tensor **tensor = icl__lua_new_tensor(L);
    *tensor = icl_tensor_retain(network->nodes[i].constant);
    lua_setfield(L, -2, "tensor");
    lua_rawseti(L, -2, ++used);
  }
  return 1;
}

/* network:values() -> list of { shape =, dtype = } of the results of its nodes with two images */
static int push_values(lua_State *L) {
  const icl_network *network = check_network(L);
  lua_createtable(L, network->count, 0);
  for (int i = 0; i < network->count; i++) {
    const icl__planned_node *node = &network->nodes[i];
    lua_createtable(L, 0, 2);
    icl__lua_push_shape(L, node->made_rank, node->made_shape);
    lua_setfield(L, -2, "shape");
    lua_pushstring(L, icl_dtype_name(node->made_dtype));
    lua_setfield(L, -2, "dtype");
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static void set_numbers(lua_State *L, const char *name, int count, const double *numbers) {
  if (!numbers)
    return;
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_pushnumber(L, numbers[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, name);
}

/* network:facts() -> { shape, classes, class_names, mean, std, resize, crop }; see icl_network_facts */
static int push_facts(lua_State *L) {
  const icl_network_facts *facts = icl_network_about(check_network(L));
  lua_newtable(L);
  icl__lua_push_shape(L, 3, (int32_t[]){facts->height, facts->width, facts->channels});
  lua_setfield(L, -2, "shape");
  const struct {
    const char *name;
    int value;
  } integers[] = {{"classes", facts->classes}, {"resize", facts->resize}, {"crop", facts->crop}};
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
    lua_pushinteger(L, integers[i].value);
    lua_setfield(L, -2, integers[i].name);
  }
  set_numbers(L, "mean", facts->channels, facts->mean);
  set_numbers(L, "std", facts->channels, facts->std);
  if (!facts->class_names)
    return 1;
  lua_createtable(L, facts->classes, 0);
  for (int i = 0; i < facts->classes; i++) {
    lua_pushstring(L, facts->class_names[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "class_names");
  return 1;
}

/* Pushes a holder of a network, which the function that is called next fills. */
static icl_network **push_network(lua_State *L) {
  static const luaL_Reg methods[] = {{"apply", apply},         {"image", image},      {"metadata", metadata},
                                     {"states", states},       {"facts", push_facts}, {"values", push_values},
                                     {"constants", constants}, {NULL, NULL}};
  icl_network **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  if (luaL_newmetatable(L, type)) {
    lua_pushcfunction(L, release);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
  }
  lua_setmetatable(L, -2);
  return slot;
}

/* network_read(path) -> a network */
static int read_network(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  icl_engine *engine = icl__lua_engine(L);
  icl_network **slot = push_network(L);
  ICL__LUA_TRY(L, icl_network_read(engine, path, slot));
  return 1;
}

static icl_status make_of(icl_engine *engine, const char *text, const icl_safetensors *contents, icl_network **result) {
  json_error_t error;
  icl__json *json;
  icl_status status = icl__json_parse(text, strlen(text), 0, &error, &json);
  if (status == ICL_EFORMAT)
    return icl__fail(ICL_EFORMAT, "network_make: the metadata is not JSON: %s", error.text);
  ICL__TRY(status);
  return icl__network_parse(engine, "the model", json, contents, result);
}

/* network_make(metadata, list of { name =, tensor = }) -> a network, as if it was read from a file of these */
static int make_network(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  icl_engine *engine = icl__lua_engine(L);
  int count = (int)lua_rawlen(L, 2);
  icl_array *arrays = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *arrays, 0);
  lua_newtable(L);
  int keep = lua_gettop(L);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 2, i + 1);
    lua_getfield(L, -1, "name");
    lua_getfield(L, -2, "tensor");
    icl_tensor *tensor = icl__lua_check_tensor(L, lua_gettop(L));
    arrays[i] = (icl_array){.name = luaL_checkstring(L, -2), .dtype = icl_tensor_dtype(tensor)};
    arrays[i].rank = icl_tensor_rank(tensor);
    for (int k = 0; k < arrays[i].rank; k++)
      arrays[i].shape[k] = icl_tensor_shape(tensor)[k];
    arrays[i].data = icl__lua_push_values(L, tensor);
    lua_rawseti(L, keep, i + 1);
    lua_settop(L, keep);
  }
  icl_network **slot = push_network(L);
  ICL__LUA_TRY(L, make_of(engine, text, &(icl_safetensors){count, 0, arrays, NULL}, slot));
  return 1;
}

void icl__lua_network_functions(lua_State *L) {
  static const luaL_Reg functions[] = {{"network_trace_begin", trace_begin}, {"network_trace_end", trace_end},
                                       {"network_describe", describe},       {"network_read", read_network},
                                       {"network_make", make_network},       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
