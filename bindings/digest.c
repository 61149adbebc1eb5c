/* digest.c - MD5, which publishers of data sets print. It finds files that were damaged on their way. */
#include "digest.h"

#include "error.h"

#include <stdio.h>

#include "base/file.h"

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

void icl__lua_digest_functions(lua_State *L) {
  lua_pushcfunction(L, file_digest);
  lua_setfield(L, -2, "file_digest");
}
