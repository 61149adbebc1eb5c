/* files.c - image sets as tables of tensors. */
#include "files.h"

#include "engine.h"
#include "error.h"
#include "guard.h"
#include "handle.h"

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
  static const luaL_Reg functions[] = {{"data_open", data_open}, {"printable", printable}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
