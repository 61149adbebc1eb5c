/* statistics.c - what the statistics of images are computed from, and where they are kept. */
#include "statistics.h"

#include "digest.h"
#include "error.h"
#include "handle.h"
#include "image.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "data/sets.h"

/* ---- sums ---- */

enum { MOST_CHANNELS = 4 };

static void push_sums(lua_State *L, const char *name, int channels, const uint64_t *sums) {
  lua_createtable(L, channels, 0);
  for (int c = 0; c < channels; c++) {
    lua_pushinteger(L, (lua_Integer)sums[c]);
    lua_rawseti(L, -2, c + 1);
  }
  lua_setfield(L, -2, name);
}

/* image_sums(x) -> { sum, squares, pixels } of images u8 (n, h, w, c): for each channel the exact sum of its bytes and
 * that of their squares, and how many there are */
static int image_sums(lua_State *L) {
  icl_tensor *x = icl__lua_check_tensor(L, 1);
  if (icl_tensor_dtype(x) != ICL_U8 || icl_tensor_rank(x) != 4 || icl_tensor_shape(x)[3] > MOST_CHANNELS)
    icl__lua_fail(L, "image_sums: images must be u8 of shape (n, h, w, c) with at most %d channels", MOST_CHANNELS);
  int channels = icl_tensor_shape(x)[3];
  size_t count = (size_t)icl_tensor_count(x);
  const uint8_t *bytes = icl__lua_push_values(L, x);
  uint64_t sum[MOST_CHANNELS] = {0}, squares[MOST_CHANNELS] = {0};
  for (size_t i = 0; i < count; i += (size_t)channels)
    for (int c = 0; c < channels; c++) {
      uint64_t byte = bytes[i + (size_t)c];
      sum[c] += byte;
      squares[c] += byte * byte;
    }
  lua_createtable(L, 0, 3);
  push_sums(L, "sum", channels, sum);
  push_sums(L, "squares", channels, squares);
  lua_pushinteger(L, channels ? (lua_Integer)(count / (size_t)channels) : 0);
  lua_setfield(L, -2, "pixels");
  return 1;
}

/* ---- which images they are of ---- */

/* The name of a file and of the folder that it is in, which is its class. */
static const char *last_names(const char *path) {
  const char *slash = strrchr(path, '/');
  while (slash > path && slash[-1] != '/')
    slash--;
  return slash;
}

/* What changes when a file does: its name, its size and, if `times`, its time. */
static icl_status add_file(const icl_image_folder *folder, int image, bool times, MD5_CTX *md5) {
  char path[ICL__PATH], facts[96];
  struct stat about;
  ICL__TRY(icl_image_folder_file(folder, image, path, sizeof path));
  if (stat(path, &about) != 0)
    return icl__file_fail(path, "look at it");
  const char *name = last_names(path);
  int length = snprintf(facts, sizeof facts, " %lld", (long long)about.st_size);
  if (times)
    length += snprintf(facts + length, sizeof facts - (size_t)length, " %lld.%09ld", (long long)about.st_mtim.tv_sec,
                       about.st_mtim.tv_nsec);
  MD5Update(md5, (const uint8_t *)name, strlen(name) + 1);
  MD5Update(md5, (const uint8_t *)facts, (size_t)length + 1);
  return ICL_OK;
}

/* The path and the form of what is made of the images. */
static icl_status add_place(const icl_image_folder *folder, const char *form, MD5_CTX *md5) {
  char real[PATH_MAX];
  if (!realpath(folder->path, real))
    return icl__file_fail(folder->path, "find it");
  MD5Update(md5, (const uint8_t *)real, strlen(real) + 1);
  MD5Update(md5, (const uint8_t *)form, strlen(form) + 1);
  return ICL_OK;
}

static icl_status fingerprint_of(const icl_image_folder *folder, const char *form, uint8_t digest[MD5_DIGEST_LENGTH]) {
  MD5_CTX md5;
  MD5Init(&md5);
  if (form)
    ICL__TRY(add_place(folder, form, &md5));
  for (int i = 0; i < folder->count; i++)
    ICL__TRY(add_file(folder, i, form != NULL, &md5));
  MD5Final(digest, &md5);
  return ICL_OK;
}

/* image_folder_fingerprint(folder [, form]) -> a text of 32 digits that is another one if the name or the size of one
 * of the images of a folder is another; with `form` also if that is, or the path of the folder, or the time of an image
 */
static int image_folder_fingerprint(lua_State *L) {
  uint8_t digest[MD5_DIGEST_LENGTH];
  const icl_image_folder *folder = icl__lua_check_image_folder(L, 1);
  ICL__LUA_TRY(L, fingerprint_of(folder, luaL_optstring(L, 2, NULL), digest));
  icl__lua_push_digest(L, digest);
  return 1;
}

/* ---- where they are kept ---- */

/* cache_home() -> the folder of the user for what can be made again; nil if there is none */
static int cache_home(lua_State *L) {
  char path[ICL__PATH];
  lua_pushstring(L, icl__set_cache(path) ? path : NULL);
  return 1;
}

void icl__lua_statistics_functions(lua_State *L) {
  static const luaL_Reg functions[] = {{"image_sums", image_sums},
                                       {"image_folder_fingerprint", image_folder_fingerprint},
                                       {"cache_home", cache_home},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
