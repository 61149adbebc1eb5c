/* digest.c - MD5, which publishers of data sets print and which finds files that were damaged on their way; and CRC-32,
 * which tells in milliseconds that the values of a tensor are not those that they were. */
#include "digest.h"

#include "error.h"
#include "handle.h"

#include <libdeflate.h>
#include <stdio.h>

#include "base/file.h"
#include "graph/graph.h"

void icl__lua_push_digest(lua_State *L, const uint8_t digest[MD5_DIGEST_LENGTH]) {
  char text[2 * MD5_DIGEST_LENGTH + 1];
  for (int i = 0; i < MD5_DIGEST_LENGTH; i++)
    sprintf(text + 2 * i, "%02x", digest[i]);
  lua_pushstring(L, text);
}

/* file_digest(path) -> the MD5 of a file */
static int file_digest(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  uint8_t digest[MD5_DIGEST_LENGTH];
  MD5_CTX md5;
  icl__map map;
  ICL__LUA_TRY(L, icl__map_open(path, &map));
  MD5Init(&md5);
  MD5Update(&md5, map.data, map.bytes);
  MD5Final(digest, &md5);
  icl__map_close(&map);
  icl__lua_push_digest(L, digest);
  return 1;
}

/* tensor_checksum(t) -> the CRC-32 of its elements as they lie in memory, an integer */
static int tensor_checksum(lua_State *L) {
  icl_tensor *t = icl__lua_check_tensor(L, 1);
  size_t bytes = (size_t)icl_tensor_count(t) * icl_dtype_bytes(icl_tensor_dtype(t));
  icl__held held;
  ICL__LUA_TRY(L, icl__hold(t, &held));
  lua_Integer sum = libdeflate_crc32(0, held.data, bytes);
  icl__unhold(&held);
  lua_pushinteger(L, sum);
  return 1;
}

void icl__lua_digest_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"file_digest", file_digest}, {"tensor_checksum", tensor_checksum}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
