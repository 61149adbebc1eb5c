/* fetch.c - what bringing an image set onto the machine consists of, besides the transfer: archives, a place
 * to work in, and whether a set is there. */
#include "fetch.h"

#include "error.h"

#include "base/workplace.h"
#include "data/unpack.h"

/* data_unpack(name, archive, folder): the files of a set from its archive into a folder */
static int data_unpack(lua_State *L) {
  const icl__set *set;
  ICL__LUA_TRY(L, icl__set_find(luaL_checkstring(L, 1), &set));
  ICL__LUA_TRY(L, icl__unpack(set, luaL_checkstring(L, 2), luaL_checkstring(L, 3)));
  return 0;
}

/* Are all files of a part there? `result` gets their folder. */
static icl_status locate(const icl__set *set, icl_part part, const char *folder, char result[ICL__PATH]) {
  char file[ICL__PATH];
  ICL__TRY(icl__set_locate(set, part, folder, &set, result));
  for (int i = 0; i < ICL__SET_FILES && set->files[part][i]; i++)
    ICL__TRY(icl__set_file(set, result, set->files[part][i], file));
  return ICL_OK;
}

/* data_find(name, folder or nil) -> the folder with all files of a set, looked for as data_open does; nil and a message
 * where some are missing */
static int data_find(lua_State *L) {
  const icl__set *set;
  char expanded[ICL__PATH], result[ICL__PATH];
  const char *folder = luaL_optstring(L, 2, NULL);
  ICL__LUA_TRY(L, icl__set_find(luaL_checkstring(L, 1), &set));
  if (folder)
    ICL__LUA_TRY(L, icl__path_expand(&folder, expanded));
  if (locate(set, ICL_TEST, folder, result) == ICL_OK && locate(set, ICL_TRAIN, folder, result) == ICL_OK) {
    lua_pushstring(L, result);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, icl_message());
  return 2;
}

/* data_home() -> the folder of the user in which sets are looked for first; nil if there is none */
static int data_home(lua_State *L) {
  char path[ICL__PATH];
  lua_pushstring(L, icl__set_home(path) ? path : NULL);
  return 1;
}

/* ---- a workplace ---- */

static const char type[] = "icl.workplace";

static int workplace_release(lua_State *L) {
  icl__workplace **slot = luaL_checkudata(L, 1, type);
  icl__workplace_close(*slot);
  *slot = NULL;
  return 0;
}

static icl__workplace *check_workplace(lua_State *L) {
  icl__workplace **slot = luaL_checkudata(L, 1, type);
  if (!*slot)
    icl__lua_fail(L, "the workplace was closed");
  return *slot;
}

/* workplace:path() -> the path of the folder */
static int workplace_path(lua_State *L) {
  lua_pushstring(L, icl__workplace_path(check_workplace(L)));
  return 1;
}

/* workplace:folder(name): an empty folder in it */
static int workplace_folder(lua_State *L) {
  ICL__LUA_TRY(L, icl__workplace_folder(check_workplace(L), luaL_checkstring(L, 2)));
  return 0;
}

/* workplace:publish(name): that folder becomes the target */
static int workplace_publish(lua_State *L) {
  ICL__LUA_TRY(L, icl__workplace_publish(check_workplace(L), luaL_checkstring(L, 2)));
  return 0;
}

/* workplace(target) -> the place in which this folder is made; see base/workplace.h */
static int workplace(lua_State *L) {
  static const luaL_Reg methods[] = {{"path", workplace_path},       {"folder", workplace_folder},
                                     {"publish", workplace_publish}, {"__gc", workplace_release},
                                     {"__close", workplace_release}, {NULL, NULL}};
  const char *target = luaL_checkstring(L, 1);
  char expanded[ICL__PATH];
  ICL__LUA_TRY(L, icl__path_expand(&target, expanded));
  icl__workplace **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  if (luaL_newmetatable(L, type)) {
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
  }
  lua_setmetatable(L, -2);
  ICL__LUA_TRY(L, icl__workplace_open(target, slot));
  return 1;
}

void icl__lua_fetch_functions(lua_State *L) {
  static const luaL_Reg functions[] = {{"data_unpack", data_unpack},
                                       {"data_find", data_find},
                                       {"data_home", data_home},
                                       {"workplace", workplace},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
