/* safetensors.c - safetensors files: read, written at once or beside what goes on, and verified. */
#include "safetensors.h"

#include "arguments.h"
#include "engine.h"
#include "error.h"
#include "guard.h"
#include "handle.h"

#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "io/safetensors.h"

/* ---- reading ---- */

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
    icl_tensor **tensor = icl__lua_new_tensor(L);
    ICL__LUA_TRY(L, icl_tensor_new(engine, array->dtype, array->rank, array->shape, array->data, tensor));
    lua_setfield(L, -2, "tensor");
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

/* safetensors_verify(path) -> true; nil and a message where the file is damaged or cannot be read. A file without a
 * checksum is looked at as far as safetensors_read does. */
static int safetensors_verify(lua_State *L) {
  return icl__lua_push_outcome(L, icl_safetensors_verify(luaL_checkstring(L, 1)));
}

/* ---- what is to be written ---- */

/* A save and the values that it writes: what the functions below return, and what frees both if an error passes. */
typedef struct {
  icl__save *save;
  bool told; /* how it ended */
  int count;
  icl__held held[];
} writer;

static const char writer_name[] = "icl.writer";

static void release_values(writer *w) {
  while (w->count > 0)
    icl__unhold(&w->held[--w->count]);
}

/* Waits for a save that was started. That it failed is a warning where nobody asked. */
static int writer_collect(lua_State *L) {
  writer *w = luaL_checkudata(L, 1, writer_name);
  if (!w->told && icl__save_finish(w->save) != ICL_OK)
    lua_warning(L, icl_message(), 0);
  icl__save_free(w->save);
  w->save = NULL;
  w->told = true;
  release_values(w);
  return 0;
}

/* The string on top of the stack, which is kept in the table `keep`; `what` says which one it is. */
static const char *check_text(lua_State *L, int keep, const char *function, const char *what) {
  size_t length = 0;
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  if (!text)
    icl__lua_fail(L, "%s: %s must be a string, not %s", function, what, luaL_typename(L, -1));
  if (strlen(text) != length)
    icl__lua_fail(L, "%s: %s has a zero byte in it", function, what);
  lua_pushvalue(L, -1);
  lua_rawseti(L, keep, (lua_Integer)lua_rawlen(L, keep) + 1);
  return text;
}

/* The item on top of the stack, a { name =, tensor = }, as an array. */
static void check_item(lua_State *L, const char *function, int keep, writer *w, icl_array *array) {
  int item = lua_gettop(L);
  if (!lua_istable(L, item))
    icl__lua_fail(L, "%s: item %d must be a table { name =, tensor = }, not %s", function, w->count + 1,
                  luaL_typename(L, item));
  *array = (icl_array){0};
  lua_getfield(L, item, "name");
  array->name = check_text(L, keep, function, "the name of an item");
  lua_getfield(L, item, "tensor");
  if (!icl__lua_is_tensor(L, -1) && !icl__lua_test_state(L, -1))
    icl__lua_fail(L, "%s: the tensor of '%s' must be a tensor or a state, not %s", function, array->name,
                  luaL_typename(L, -1));
  icl_tensor *tensor = icl__lua_check_tensor(L, -1);
  array->dtype = icl_tensor_dtype(tensor);
  array->rank = icl_tensor_rank(tensor);
  for (int i = 0; i < array->rank; i++)
    array->shape[i] = icl_tensor_shape(tensor)[i];
  ICL__LUA_TRY(L, icl__hold(tensor, &w->held[w->count]));
  array->data = w->held[w->count++].data;
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const icl_metadata *)a)->key, ((const icl_metadata *)b)->key);
}

/* Pushes the entries of the table at `arg` (nil is allowed), sorted, so that a file does not depend on the order in
 * which Lua walks its tables. `sum`: with a checksum in any case. */
static const icl_metadata *push_metadata(lua_State *L, int arg, const char *function, int keep, bool sum, int *count) {
  if (lua_isnoneornil(L, arg)) {
    lua_newtable(L);
    lua_replace(L, arg);
  }
  luaL_checktype(L, arg, LUA_TTABLE);
  size_t most = 1;
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1))
    most++;
  icl_metadata *pairs = lua_newuserdatauv(L, most * sizeof *pairs, 0);
  int used = 0;
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1), used++) {
    lua_pushvalue(L, -2);
    pairs[used].key = check_text(L, keep, function, "a key of the metadata");
    lua_pop(L, 1);
    pairs[used].value = check_text(L, keep, function, pairs[used].key);
    sum = sum && strcmp(pairs[used].key, ICL__SAFETENSORS_CHECKSUM) != 0;
  }
  if (sum)
    pairs[used++] = (icl_metadata){ICL__SAFETENSORS_CHECKSUM, ICL__SAFETENSORS_CRC};
  qsort(pairs, (size_t)used, sizeof *pairs, by_key);
  *count = used;
  return pairs;
}

/* The options at `arg`; what they point to is kept. */
static icl__places push_places(lua_State *L, int arg, const char *function, int keep) {
  static const char *const options[] = {"keep", "links", NULL};
  icl__places places = {0};
  icl__lua_check_options(L, arg, function, options);
  if (lua_isnil(L, arg))
    return places;
  if (lua_getfield(L, arg, "keep") != LUA_TNIL)
    places.keep = check_text(L, keep, function, "the path to keep the old file as");
  if (lua_getfield(L, arg, "links") == LUA_TNIL)
    return places;
  if (!lua_istable(L, -1))
    icl__lua_fail(L, "%s: links must be a list of paths, not %s", function, luaL_typename(L, -1));
  int list = lua_gettop(L), count = (int)icl__lua_list_length(L, list, function);
  const char **links = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *links, 0);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, list, i + 1);
    links[i] = check_text(L, keep, function, "a path of links");
    lua_pop(L, 1);
  }
  places.link_count = count;
  places.links = links;
  return places;
}

/* Pushes a writer of what the four arguments say. */
static writer *push_writer(lua_State *L, const char *function, bool sum) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 4);
  lua_newtable(L);
  int keep = lua_gettop(L), count = (int)lua_rawlen(L, 2);
  icl_safetensors contents = {.count = count};
  contents.metadata = push_metadata(L, 3, function, keep, sum, &contents.metadata_count);
  icl__places places = push_places(L, 4, function, keep);
  icl_array *arrays = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *arrays, 0);
  contents.arrays = arrays;
  writer *w = lua_newuserdatauv(L, sizeof *w + (size_t)count * sizeof *w->held, 0);
  w->save = NULL;
  w->told = true; /* until it is started */
  w->count = 0;
  luaL_setmetatable(L, writer_name);
  int top = lua_gettop(L);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 2, i + 1);
    check_item(L, function, keep, w, &arrays[i]);
    lua_settop(L, top);
  }
  ICL__LUA_TRY(L, icl__save_new(path, &contents, &places, &w->save));
  return w;
}

/* safetensors_write(path, list of { name =, tensor = } [, metadata, strings by name [, { keep =, links = }]]): all or
 * nothing. Metadata `checksum` = "crc32" becomes that of the file. keep: the path that the old file gets; links: paths
 * that become further names of the new one. */
static int safetensors_write(lua_State *L) {
  writer *w = push_writer(L, "safetensors_write", false);
  icl_status status = icl__save_finish(w->save);
  release_values(w); /* now, not when it is collected: these are many bytes */
  icl__lua_check(L, status);
  return 0;
}

/* ---- writing beside what goes on ---- */

/* safetensors_write_start(the same) -> a writer, which writes on a thread of its own what the values are now. The file
 * has a checksum in any case. What is wrong with the arguments is an error here, what the system says one of wait(). */
static int safetensors_write_start(lua_State *L) {
  writer *w = push_writer(L, "safetensors_write_start", true);
  icl__save_start(w->save);
  w->told = false;
  return 1;
}

/* writer:wait() -> true when the file is written; nil and a message where it is not */
static int writer_wait(lua_State *L) {
  writer *w = luaL_checkudata(L, 1, writer_name);
  icl_status status = icl__save_finish(w->save);
  w->told = true;
  release_values(w);
  return icl__lua_push_outcome(L, status);
}

/* writer:done() -> would wait() return at once? */
static int writer_done(lua_State *L) {
  writer *w = luaL_checkudata(L, 1, writer_name);
  bool is_done = icl__save_is_done(w->save);
  if (is_done)
    release_values(w);
  lua_pushboolean(L, is_done);
  return 1;
}

static void make_writer_type(lua_State *L) {
  static const luaL_Reg methods[] = {{"wait", writer_wait}, {"done", writer_done}, {NULL, NULL}};
  luaL_newmetatable(L, writer_name);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, writer_collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

void icl__lua_safetensors_functions(lua_State *L) {
  static const luaL_Reg functions[] = {{"safetensors_read", safetensors_read},
                                       {"safetensors_write", safetensors_write},
                                       {"safetensors_write_start", safetensors_write_start},
                                       {"safetensors_verify", safetensors_verify},
                                       {NULL, NULL}};
  make_writer_type(L);
  luaL_setfuncs(L, functions, 0);
}
