/* folder.c - folders, locks, and files that are written as a whole: what Lua's io and os do not have. */
#include "folder.h"

#include "error.h"
#include "guard.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/folder.h"

/* ---- folders ---- */

/* make_folder(path) -> true, also if it was there; nil and a message. Folders above it are made too. */
static int make_folder(lua_State *L) { return icl__lua_push_outcome(L, icl__folder_make(luaL_checkstring(L, 1))); }

/* new_folder(path) -> true; nil, a message, and whether something of this name is there. Of several processes that make
 * the same folder one succeeds. */
static int new_folder(lua_State *L) {
  icl_status status = icl__folder_new(luaL_checkstring(L, 1));
  int results = icl__lua_push_outcome(L, status);
  if (status == ICL_OK)
    return results;
  lua_pushboolean(L, status == ICL_EEXIST);
  return results + 1;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Sorts the list of strings on top of the stack by their bytes, whatever the locale. */
static void sort_names(lua_State *L) {
  int list = lua_gettop(L), count = (int)lua_rawlen(L, list);
  const char **names = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *names, 0);
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, list, i + 1);
    names[i] = lua_tostring(L, -1); /* the list keeps it */
    lua_pop(L, 1);
  }
  qsort(names, (size_t)count, sizeof *names, by_name);
  for (int i = 0; i < count; i++) {
    lua_pushstring(L, names[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void close_folder(void *folder) { closedir(folder); }

/* list_folder(path) -> the names in it, sorted, without . and ..; nil and a message */
static int list_folder(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  char expanded[ICL__PATH];
  void **holder = icl__lua_guard(L, close_folder);
  icl_status status = icl__path_expand(&path, expanded);
  DIR *folder = *holder = status == ICL_OK ? opendir(path) : NULL;
  if (!folder)
    return icl__lua_push_outcome(L, status == ICL_OK ? icl__file_fail(path, "list it") : status);
  lua_newtable(L);
  for (const struct dirent *entry; (entry = readdir(folder));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    lua_pushstring(L, entry->d_name);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
  *holder = NULL; /* now, not when it is collected */
  closedir(folder);
  sort_names(L);
  return 1;
}

/* ---- files ---- */

/* What is at a path, which may begin with ~/. */
static bool look(const char *path, struct stat *about) {
  char expanded[ICL__PATH];
  return icl__path_expand(&path, expanded) == ICL_OK && stat(path, about) == 0;
}

/* file_kind(path) -> "file", "folder" or "other", a named pipe or a device, where opening may wait without end; nil
 * where nothing is */
static int file_kind(lua_State *L) {
  struct stat about;
  if (!look(luaL_checkstring(L, 1), &about))
    lua_pushnil(L);
  else
    lua_pushstring(L, S_ISREG(about.st_mode) ? "file" : S_ISDIR(about.st_mode) ? "folder" : "other");
  return 1;
}

/* file_same(path, other) -> are both there, and one file? */
static int file_same(lua_State *L) {
  struct stat first, second;
  bool there = look(luaL_checkstring(L, 1), &first) && look(luaL_checkstring(L, 2), &second);
  lua_pushboolean(L, there && first.st_dev == second.st_dev && first.st_ino == second.st_ino);
  return 1;
}

/* real_path(path) -> the path from the root, without links; nil where nothing is */
static int real_path(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  char expanded[ICL__PATH], real[PATH_MAX];
  if (icl__path_expand(&path, expanded) == ICL_OK && realpath(path, real))
    lua_pushstring(L, real);
  else
    lua_pushnil(L);
  return 1;
}

/* file_write(path, text) -> true; nil and a message. The file is replaced as a whole, durably, or not at all. */
static int file_write(lua_State *L) {
  size_t bytes;
  const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &bytes);
  char expanded[ICL__PATH];
  icl_status status = icl__path_expand(&path, expanded);
  return icl__lua_push_outcome(L, status == ICL_OK ? icl__file_write(path, text, bytes) : status);
}

static const char lock_name[] = "icl.lock";

static int lock_close(lua_State *L) {
  int *fd = luaL_checkudata(L, 1, lock_name);
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
  return 0;
}

/* file_lock(path) -> a lock, until lock:close(), its collection, or the end of the process, however that comes; nil and
 * a message that says who has it, where that can be known. The file is made if it is not there. */
static int file_lock(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, lock_name);
  icl_status status = icl__lock_open(path, fd);
  if (status == ICL_OK)
    return 1;
  *fd = -1;
  return icl__lua_push_outcome(L, status);
}

/* file_locked(path) -> has someone locked it? */
static int file_locked(lua_State *L) {
  lua_pushboolean(L, icl__is_locked(luaL_checkstring(L, 1)));
  return 1;
}

static void make_lock_type(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"close", lock_close}, {"__gc", lock_close}, {"__close", lock_close}, {NULL, NULL}};
  luaL_newmetatable(L, lock_name);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void icl__lua_folder_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"make_folder", make_folder}, {"new_folder", new_folder},
      {"list_folder", list_folder}, {"file_kind", file_kind},
      {"file_write", file_write},   {"file_same", file_same},
      {"file_lock", file_lock},     {"file_locked", file_locked},
      {"real_path", real_path},     {NULL, NULL},
  };
  make_lock_type(L);
  luaL_setfuncs(L, functions, 0);
}
