/* system.c - small things that Lua's own library lacks: clock, hash, random order. */
#include "system.h"

#include "arguments.h"
#include "array.h"
#include "engine.h"
#include "error.h"
#include "handle.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/philox.h"

/* clock() -> seconds since some moment, never going back */
static int read_clock(lua_State *L) {
  lua_pushnumber(L, icl__seconds());
  return 1;
}

/* hash32(text) -> FNV-1a (Fowler, Noll, Vo), an integer from 0 to 2^32 - 1 */
static int hash32(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++)
    hash = (hash ^ (uint8_t)text[i]) * 16777619u;
  lua_pushinteger(L, hash);
  return 1;
}

/* philox({ four words }, block) -> the words 4 block to 4 block + 3 of that key, id 0: integers from 0 to 2^32 - 1 */
static int philox(lua_State *L) {
  uint32_t key[4], words[4];
  icl__lua_check_key(L, 1, key);
  lua_Integer block = luaL_checkinteger(L, 2);
  if (block < 0 || block > UINT32_MAX)
    icl__lua_argument_error(L, 2, "it must be from 0 to 2^32 - 1");
  icl__draw_block(key, 0, (uint32_t)block, words);
  for (int i = 0; i < 4; i++)
    lua_pushinteger(L, words[i]);
  return 4;
}

/* permutation({ four words }, n) -> 0, 1, ..., n - 1 in a random order of that key, i64 (n) */
static int permutation(lua_State *L) {
  icl_engine *engine = icl__lua_engine(L);
  uint32_t key[4];
  icl__lua_check_key(L, 1, key);
  lua_Integer n = luaL_checkinteger(L, 2);
  if (n < 0 || n > INT32_MAX)
    icl__lua_argument_error(L, 2, "it must be from 0 to 2^31 - 1");
  int64_t *order = lua_newuserdatauv(L, (size_t)n * sizeof *order + 1, 0);
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl__permutation(key, n, order));
  ICL__LUA_TRY(L, icl_tensor_new(engine, ICL_I64, 1, (const int32_t[]){(int32_t)n}, order, result));
  return 1;
}

/* fail_allocations(n), for tests: n more allocations of the core succeed, all later ones fail; -1 ends that. */
static int fail_allocations(lua_State *L) {
  icl__alloc_fail_after(luaL_checkinteger(L, 1));
  return 0;
}

void icl__lua_system_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"clock", read_clock},
      {"hash32", hash32},
      {"philox", philox},
      {"permutation", permutation},
      {"fail_allocations", fail_allocations},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
  lua_pushliteral(L, ICL_VERSION);
  lua_setfield(L, -2, "version");
}
