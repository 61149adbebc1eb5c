/* npz.c - the .npz files of numpy as tables of tensors and texts. */
#include "npz.h"

#include "arguments.h"
#include "engine.h"
#include "error.h"
#include "guard.h"
#include "handle.h"

#include <stdlib.h>
#include <string.h>

#include "io/npz.h"

/* ---- reading ---- */

static void release_npz(void *contents) { icl__npz_free(contents); }

static void push_texts(lua_State *L, const icl__npy *array) {
  if (array->array.rank == 0) {
    lua_pushstring(L, array->texts[0]);
    return;
  }
  lua_createtable(L, array->array.shape[0], 0);
  for (int i = 0; i < array->array.shape[0]; i++) {
    lua_pushstring(L, array->texts[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

/* npz_read(path) -> { name = tensor, list of texts or one text } */
static int npz_read(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  icl_engine *engine = icl__lua_engine(L);
  void **holder = icl__lua_guard(L, release_npz);
  icl__npz *contents;
  ICL__LUA_TRY(L, icl__npz_read(path, &contents));
  *holder = contents;
  lua_createtable(L, 0, contents->count);
  for (int i = 0; i < contents->count; i++) {
    const icl_array *array = &contents->arrays[i].array;
    if (contents->arrays[i].texts) {
      push_texts(L, &contents->arrays[i]);
    } else {
      icl_tensor **tensor = icl__lua_new_tensor(L);
      ICL__LUA_TRY(L, icl_tensor_new(engine, array->dtype, array->rank, array->shape, array->data, tensor));
    }
    lua_setfield(L, -2, array->name);
  }
  *holder = NULL; /* now, not when it is collected: these may be many bytes */
  icl__npz_free(contents);
  return 1;
}

/* ---- writing ---- */

/* The string at `index`, which must stay referenced. `name` is that of the array, or NULL for the names themselves. */
static const char *check_text(lua_State *L, int index, const char *name) {
  size_t length;
  const char *what = name ? name : "the names of arrays";
  if (lua_type(L, index) != LUA_TSTRING)
    icl__lua_fail(L, "npz_write: %s: %s is no text", what, icl__lua_describe(L, index));
  const char *text = lua_tolstring(L, index, &length);
  if (strlen(text) != length)
    icl__lua_fail(L, "npz_write: %s: a text has a zero byte in it", what);
  return text;
}

/* The list of texts on top of the stack; a userdata with the pointers takes its place. */
static void check_texts(lua_State *L, icl__npy *array) {
  int list = lua_gettop(L);
  lua_Unsigned count = icl__lua_list_length(L, list, "npz_write");
  if (count > INT32_MAX)
    icl__lua_fail(L, "npz_write: %s: %I texts are too many", array->array.name, (LUAI_UACINT)count);
  const char **texts = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *texts, 0);
  for (lua_Unsigned i = 0; i < count; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    texts[i] = check_text(L, -1, array->array.name); /* the list, which the caller holds, keeps it */
    lua_pop(L, 1);
  }
  array->texts = texts;
  array->array.rank = 1;
  array->array.shape[0] = (int32_t)count;
}

/* The value on top of the stack as an array; what it needs in memory is left on top. */
static void check_array(lua_State *L, icl__npy *array) {
  if (lua_istable(L, -1)) {
    check_texts(L, array);
    return;
  }
  if (!icl__lua_is_tensor(L, -1) && !icl__lua_test_state(L, -1))
    icl__lua_fail(L, "npz_write: '%s' is %s; it must be a tensor or a list of texts", array->array.name,
                  icl__lua_describe(L, -1));
  icl_tensor *tensor = icl__lua_check_tensor(L, lua_gettop(L));
  array->array.dtype = icl_tensor_dtype(tensor);
  array->array.rank = icl_tensor_rank(tensor);
  for (int i = 0; i < array->array.rank; i++)
    array->array.shape[i] = icl_tensor_shape(tensor)[i];
  array->array.data = icl__lua_push_values(L, tensor);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const icl__npy *)a)->array.name, ((const icl__npy *)b)->array.name);
}

/* npz_write(path, { name = tensor or list of texts }): all or nothing; arrays are sorted by name */
static int npz_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  icl__lua_no_more(L, 2, "npz_write");
  int count = 0;
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
    count++;
  icl__npy *arrays = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *arrays, 0);
  memset(arrays, 0, ((size_t)count + 1) * sizeof *arrays);
  lua_newtable(L);
  int keep = lua_gettop(L), used = 0;
  for (lua_pushnil(L); lua_next(L, 2); lua_settop(L, keep + 1), used++) {
    arrays[used].array.name = check_text(L, keep + 1, NULL);
    check_array(L, &arrays[used]);
    lua_rawseti(L, keep, used + 1);
  }
  qsort(arrays, (size_t)count, sizeof *arrays, by_name);
  icl__npz contents = {count, arrays};
  ICL__LUA_TRY(L, icl__npz_write(path, &contents));
  return 0;
}

void icl__lua_npz_functions(lua_State *L) {
  static const luaL_Reg functions[] = {{"npz_read", npz_read}, {"npz_write", npz_write}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
