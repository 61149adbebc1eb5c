/* files.c - image sets and safetensors files as tables of tensors, and files of any text. */
#include "files.h"

#include "engine.h"
#include "error.h"
#include "guard.h"
#include "handle.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/show.h"

/* ---- image sets ---- */

static void release_dataset(void *dataset) { icl_dataset_free(dataset); }

/* Sets the field `name` of the table on top to a list of numbers. */
static void set_numbers(lua_State *L, const char *name, int count, const double *numbers) {
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_pushnumber(L, numbers[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, name);
}

static void set_names(lua_State *L, const char *name, int count, const char *const *names) {
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_pushstring(L, names[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, name);
}

static void set_tensor(lua_State *L, const char *name, icl_engine *engine, icl_dtype dtype, int rank,
                       const int32_t *shape, const void *data) {
  icl_tensor **tensor = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_tensor_new(engine, dtype, rank, shape, data, tensor));
  lua_setfield(L, -2, name);
}

/* data_open(name, folder or nil, "train" or "test") -> { images = u8 (n, h, w, c), labels = i64 (n), classes,
 * class_names or nil, mean, std, name } */
static int data_open(lua_State *L) {
  static const char *const parts[] = {[ICL_TRAIN] = "train", [ICL_TEST] = "test", NULL};
  const char *name = luaL_checkstring(L, 1), *folder = luaL_optstring(L, 2, NULL);
  icl_part part = (icl_part)luaL_checkoption(L, 3, NULL, parts);
  icl_engine *engine = icl__lua_engine(L);
  void **holder = icl__lua_guard(L, release_dataset);
  icl_dataset *set;
  ICL__LUA_TRY(L, icl_dataset_read(name, folder, part, &set));
  *holder = set;
  lua_newtable(L);
  set_tensor(L, "images", engine, ICL_U8, 4, (int32_t[]){set->count, set->height, set->width, set->channels},
             set->images);
  set_tensor(L, "labels", engine, ICL_I64, 1, (int32_t[]){set->count}, set->labels);
  set_numbers(L, "mean", set->channels, set->mean);
  set_numbers(L, "std", set->channels, set->std);
  if (set->class_names)
    set_names(L, "class_names", set->classes, set->class_names);
  lua_pushinteger(L, set->classes);
  lua_setfield(L, -2, "classes");
  lua_pushstring(L, set->name);
  lua_setfield(L, -2, "name");
  *holder = NULL; /* now, not when it is collected: these are many bytes */
  icl_dataset_free(set);
  return 1;
}

/* ---- safetensors files ---- */

static void release_safetensors(void *contents) { icl_safetensors_free(contents); }

/* What a field of an item that has a problem is: an error if it is the tensor. */
static int missing_field(lua_State *L) {
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(key, "tensor") != 0)
    return 0;
  lua_getfield(L, 1, "name");
  lua_getfield(L, 1, "problem");
  return icl__lua_fail(L, "tensor '%s' of the file cannot be read: %s", lua_tostring(L, -2), lua_tostring(L, -1));
}

static void push_array(lua_State *L, icl_engine *engine, const icl_array *array) {
  lua_createtable(L, 0, 2);
  lua_pushstring(L, array->name);
  lua_setfield(L, -2, "name");
  if (!array->problem) {
    set_tensor(L, "tensor", engine, array->dtype, array->rank, array->shape, array->data);
    return;
  }
  lua_pushstring(L, array->problem);
  lua_setfield(L, -2, "problem");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, missing_field);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

/* safetensors_read(path) -> list of { name =, tensor = } in the order of the file; its metadata, strings by name. One
 * that icl cannot read has `problem` in place of its tensor, which is an error to ask for. */
static int safetensors_read(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  icl_engine *engine = icl__lua_engine(L);
  void **holder = icl__lua_guard(L, release_safetensors);
  icl_safetensors *contents;
  ICL__LUA_TRY(L, icl_safetensors_read(path, &contents));
  *holder = contents;
  lua_createtable(L, contents->count, 0);
  for (int i = 0; i < contents->count; i++) {
    push_array(L, engine, &contents->arrays[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_createtable(L, 0, contents->metadata_count);
  for (int i = 0; i < contents->metadata_count; i++) {
    lua_pushstring(L, contents->metadata[i].value);
    lua_setfield(L, -2, contents->metadata[i].key);
  }
  *holder = NULL;
  icl_safetensors_free(contents);
  return 2;
}

/* The string at `index`, which must stay referenced; `what` says which one it is. */
static const char *check_text(lua_State *L, int index, const char *what) {
  size_t length;
  const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &length) : NULL;
  if (!text)
    icl__lua_fail(L, "safetensors_write: %s must be a string, not %s", what, luaL_typename(L, index));
  if (strlen(text) != length)
    icl__lua_fail(L, "safetensors_write: %s has a zero byte in it", what);
  return text;
}

/* The item on top of the stack, a { name =, tensor = }, as an array; name and values are kept in the table `keep`. */
static void check_item(lua_State *L, lua_Integer number, int keep, icl_array *array) {
  if (!lua_istable(L, -1))
    icl__lua_fail(L, "safetensors_write: item %I must be a table { name =, tensor = }, not %s", number,
                  luaL_typename(L, -1));
  int item = lua_gettop(L);
  *array = (icl_array){0};
  lua_getfield(L, item, "name");
  array->name = check_text(L, -1, "the name of an item");
  lua_getfield(L, item, "tensor");
  if (!icl__lua_is_tensor(L, -1) && !icl__lua_test_state(L, -1))
    icl__lua_fail(L, "safetensors_write: the tensor of '%s' must be a tensor or a state, not %s", array->name,
                  luaL_typename(L, -1));
  icl_tensor *tensor = icl__lua_check_tensor(L, -1);
  array->dtype = icl_tensor_dtype(tensor);
  array->rank = icl_tensor_rank(tensor);
  for (int i = 0; i < array->rank; i++)
    array->shape[i] = icl_tensor_shape(tensor)[i];
  array->data = icl__lua_push_values(L, tensor);
  lua_rawseti(L, keep, 2 * number);
  lua_pop(L, 1);
  lua_rawseti(L, keep, 2 * number - 1);
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const icl_metadata *)a)->key, ((const icl_metadata *)b)->key);
}

/* Pushes the entries of the table at `arg` (nil is allowed), sorted, so that a file does not depend on the order in
 * which Lua walks its tables. */
static const icl_metadata *push_metadata(lua_State *L, int arg, int *count) {
  *count = 0;
  if (lua_isnoneornil(L, arg))
    return NULL;
  luaL_checktype(L, arg, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1))
    ++*count;
  icl_metadata *pairs = lua_newuserdatauv(L, ((size_t)*count + 1) * sizeof *pairs, 0);
  int used = 0;
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1), used++) {
    pairs[used].key = check_text(L, -2, "a key of the metadata");
    pairs[used].value = check_text(L, -1, pairs[used].key);
  }
  qsort(pairs, (size_t)used, sizeof *pairs, by_key);
  return pairs;
}

/* safetensors_write(path, list of { name =, tensor = } [, metadata, strings by name]): all or nothing */
static int safetensors_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  int count = (int)lua_rawlen(L, 2);
  icl_safetensors contents = {.count = count};
  contents.metadata = push_metadata(L, 3, &contents.metadata_count);
  icl_array *arrays = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *arrays, 0);
  contents.arrays = arrays;
  lua_newtable(L);
  int keep = lua_gettop(L);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 2, i + 1);
    check_item(L, i + 1, keep, &arrays[i]);
    lua_settop(L, keep);
  }
  ICL__LUA_TRY(L, icl_safetensors_write(path, &contents));
  return 0;
}

/* file_write(path, text): the file as a whole or not at all; see base/file.h */
static int file_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  size_t bytes;
  const char *text = luaL_checklstring(L, 2, &bytes);
  char expanded[ICL__PATH];
  ICL__LUA_TRY(L, icl__path_expand(&path, expanded));
  ICL__LUA_TRY(L, icl__file_write(path, text, bytes));
  return 0;
}

/* printable(text) -> the text as a terminal can be shown it; see icl__show in base/show.h */
static int printable(lua_State *L) {
  size_t bytes;
  const char *text = luaL_checklstring(L, 1, &bytes);
  size_t room = 4 * bytes + 1; /* every byte escaped */
  char *shown = lua_newuserdatauv(L, room, 0);
  icl__show(text, shown, room);
  lua_pushstring(L, shown);
  return 1;
}

void icl__lua_files_functions(lua_State *L) {
  static const luaL_Reg functions[] = {{"data_open", data_open},
                                       {"file_write", file_write},
                                       {"printable", printable},
                                       {"safetensors_read", safetensors_read},
                                       {"safetensors_write", safetensors_write},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
