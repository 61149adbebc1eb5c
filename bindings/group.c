/* group.c - groups of processes as Lua values, and what they do with numbers, strings and tensors. */
#include "group.h"

#include "arguments.h"
#include "error.h"
#include "handle.h"

#include <string.h>

#include "group/group.h"
#include "group/plugin.h"

static const char type[] = "icl.group";

/* ---- handles ---- */

static icl_group **new_handle(lua_State *L) {
  icl_group **handle = lua_newuserdatauv(L, sizeof *handle, 0);
  *handle = NULL;
  luaL_setmetatable(L, type);
  return handle;
}

icl_group *icl__lua_check_group(lua_State *L, int arg) {
  icl_group **handle = luaL_testudata(L, arg, type);
  if (!handle)
    icl__lua_type_error(L, arg, "group");
  else if (!*handle)
    icl__lua_argument_error(L, arg, "the group was closed");
  return *handle;
}

void icl__lua_push_group(lua_State *L, icl_group *group) {
  if (!group)
    lua_pushnil(L);
  else
    *new_handle(L) = icl_group_retain(group);
}

/* group:close(): leaves the group, if nothing else holds it. */
static int group_close(lua_State *L) {
  icl_group **handle = luaL_checkudata(L, 1, type);
  icl_group_release(*handle);
  *handle = NULL;
  return 0;
}

/* ---- opening ---- */

static const char *const names[] = {"kind", "rank", "size", "address", "timeout", "start_timeout", "fast_reduce", NULL};

/* The option of this name, left on the stack; false where it is nil. */
static bool has_option(lua_State *L, const char *name, int expected, const char *what) {
  int given = lua_getfield(L, 1, name);
  if (given != LUA_TNIL && given != expected)
    icl__lua_fail(L, "group_open: %s is %s; it must be %s", name, icl__lua_describe(L, -1), what);
  return given != LUA_TNIL;
}

static const char *text_option(lua_State *L, const char *name) {
  return has_option(L, name, LUA_TSTRING, "a string") ? lua_tostring(L, -1) : NULL;
}

static double number_option(lua_State *L, const char *name) {
  return has_option(L, name, LUA_TNUMBER, "a number") ? lua_tonumber(L, -1) : 0;
}

static int count_option(lua_State *L, const char *name) {
  double number = number_option(L, name);
  if (!(number >= 0 && number <= INT32_MAX && number == (int)number))
    icl__lua_fail(L, "group_open: %s is %s; it must be an integer of at least 0", name, icl__lua_describe(L, -1));
  return (int)number;
}

/* group_open { kind =, rank =, size =, address =, timeout =, start_timeout =, fast_reduce = } -> group; see icl.h */
static int group_open(lua_State *L) {
  lua_settop(L, 1);
  icl__lua_check_options(L, 1, "group_open", names);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  icl_group_options options = {
      .kind = text_option(L, "kind"),
      .rank = count_option(L, "rank"),
      .size = count_option(L, "size"),
      .address = text_option(L, "address"),
      .timeout = number_option(L, "timeout"),
      .start_timeout = number_option(L, "start_timeout"),
      .fast_reduce = has_option(L, "fast_reduce", LUA_TBOOLEAN, "true or false") && lua_toboolean(L, -1),
  };
  icl_group **handle = new_handle(L);
  ICL__LUA_TRY(L, icl_group_open(&options, handle));
  return 1;
}

/* group_usable(kind) -> true if groups can talk by this; nil and a message */
static int group_usable(lua_State *L) {
  const icl__communicator *found;
  return icl__lua_push_outcome(L, icl__communicator_find(luaL_checkstring(L, 1), &found));
}

/* ---- who is there ---- */

static int group_rank(lua_State *L) {
  lua_pushinteger(L, icl_group_rank(icl__lua_check_group(L, 1)));
  return 1;
}

static int group_size(lua_State *L) {
  lua_pushinteger(L, icl_group_size(icl__lua_check_group(L, 1)));
  return 1;
}

static int group_local_rank(lua_State *L) {
  lua_pushinteger(L, icl_group_local_rank(icl__lua_check_group(L, 1)));
  return 1;
}

static int group_local_size(lua_State *L) {
  lua_pushinteger(L, icl_group_local_size(icl__lua_check_group(L, 1)));
  return 1;
}

/* group:threads() -> threads for each process, so that those of one host share its cores */
static int group_threads(lua_State *L) {
  lua_pushinteger(L, icl_group_threads(icl__lua_check_group(L, 1)));
  return 1;
}

static int check_rank(lua_State *L, int arg, const icl_group *group) {
  lua_Integer rank = luaL_checkinteger(L, arg);
  if (rank < 0 || rank >= icl_group_size(group))
    icl__lua_argument_error(L, arg, lua_pushfstring(L, "there is no rank %I", (LUAI_UACINT)rank));
  return (int)rank;
}

/* group:host(rank) -> the name of its host */
static int group_host(lua_State *L) {
  const icl_group *group = icl__lua_check_group(L, 1);
  lua_pushstring(L, icl_group_host(group, check_rank(L, 2, group)));
  return 1;
}

/* ---- collectives ---- */

static int group_barrier(lua_State *L) {
  icl__lua_check(L, icl_group_barrier(icl__lua_check_group(L, 1)));
  return 0;
}

static int broadcast_string(lua_State *L, icl_group *group, int root) {
  size_t length = 0;
  const char *text = icl_group_rank(group) == root ? luaL_checklstring(L, 2, &length) : NULL;
  int64_t bytes = (int64_t)length;
  icl__lua_check(L, icl_group_broadcast(group, root, &bytes, sizeof bytes));
  char *data = lua_newuserdatauv(L, (size_t)bytes + 1, 0);
  if (text)
    memcpy(data, text, length);
  icl__lua_check(L, icl_group_broadcast(group, root, data, (size_t)bytes));
  lua_pushlstring(L, data, (size_t)bytes);
  return 1;
}

/* group:broadcast(value [, root]) -> that of rank `root`, 0 by default: a tensor, of which every rank gives one of the
 * same shape and dtype, or a string, which `root` alone must give. */
static int group_broadcast(lua_State *L) {
  icl_group *group = icl__lua_check_group(L, 1);
  int root = lua_isnoneornil(L, 3) ? 0 : check_rank(L, 3, group);
  if (!icl__lua_is_tensor(L, 2) && !icl__lua_test_state(L, 2)) {
    if (!lua_isnoneornil(L, 2) && lua_type(L, 2) != LUA_TSTRING)
      icl__lua_type_error(L, 2, "tensor or string");
    return broadcast_string(L, group, root);
  }
  icl_tensor *tensor = icl__lua_check_tensor(L, 2);
  icl_dtype dtype = icl_tensor_dtype(tensor);
  void *data = icl__lua_push_values(L, tensor);
  icl__lua_check(L, icl_group_broadcast(group, root, data, (size_t)icl_tensor_count(tensor) * icl_dtype_bytes(dtype)));
  ICL__LUA_TRY(L, icl_tensor_new(icl_tensor_engine(tensor), dtype, icl_tensor_rank(tensor), icl_tensor_shape(tensor),
                                 data, icl__lua_new_tensor(L)));
  return 1;
}

/* group:sum { numbers } -> { numbers }: the sums over all ranks, in f64 and in their order */
static int group_sum(lua_State *L) {
  icl_group *group = icl__lua_check_group(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t count = (size_t)icl__lua_list_length(L, 2, "group:sum");
  double *numbers = lua_newuserdatauv(L, (count + 1) * sizeof *numbers, 0);
  for (size_t i = 0; i < count; i++) {
    if (lua_rawgeti(L, 2, (lua_Integer)i + 1) != LUA_TNUMBER)
      icl__lua_fail(L, "group:sum: entry %d is %s; it must be a number", (int)i + 1, icl__lua_describe(L, -1));
    numbers[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  icl__request *request;
  icl__lua_check(L, icl__group_start_sum(group, ICL_F64, numbers, numbers, count, &request));
  icl__lua_check(L, icl__group_wait(group, request));
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushnumber(L, numbers[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* group:gather(string) -> { strings }, that of each rank, in their order; they may be of different lengths */
static int group_gather(lua_State *L) {
  icl_group *group = icl__lua_check_group(L, 1);
  size_t length, most = 0, size = (size_t)icl_group_size(group);
  const char *text = luaL_checklstring(L, 2, &length);
  int64_t own = (int64_t)length, *lengths = lua_newuserdatauv(L, size * sizeof *lengths, 0);
  icl__lua_check(L, icl_group_gather(group, &own, sizeof own, lengths));
  for (size_t r = 0; r < size; r++)
    most = (size_t)lengths[r] > most ? (size_t)lengths[r] : most;
  char *mine = lua_newuserdatauv(L, most + 1, 0), *all = lua_newuserdatauv(L, most * size + 1, 0);
  memset(mine, 0, most + 1);
  memcpy(mine, text, length);
  icl__lua_check(L, icl_group_gather(group, mine, most, all));
  lua_createtable(L, (int)size, 0);
  for (size_t r = 0; r < size; r++) {
    lua_pushlstring(L, all + r * most, (size_t)lengths[r]);
    lua_rawseti(L, -2, (lua_Integer)r + 1);
  }
  return 1;
}

/* group:abort(why): all other ranks fail with "rank R on HOST: why". */
static int group_abort(lua_State *L) {
  icl_group_abort(icl__lua_check_group(L, 1), luaL_checkstring(L, 2));
  return 0;
}

/* group:check() -> true; nil and a message if another rank has failed. */
static int group_check(lua_State *L) { return icl__lua_push_outcome(L, icl__group_check(icl__lua_check_group(L, 1))); }

void icl__lua_group_functions(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"rank", group_rank},
      {"size", group_size},
      {"local_rank", group_local_rank},
      {"local_size", group_local_size},
      {"host", group_host},
      {"threads", group_threads},
      {"barrier", group_barrier},
      {"broadcast", group_broadcast},
      {"sum", group_sum},
      {"gather", group_gather},
      {"abort", group_abort},
      {"check", group_check},
      {"close", group_close},
      {"__gc", group_close},
      {"__close", group_close},
      {NULL, NULL},
  };
  luaL_newmetatable(L, type);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  static const luaL_Reg functions[] = {{"group_open", group_open}, {"group_usable", group_usable}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
