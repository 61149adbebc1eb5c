/* image.c - image folders, streams of decoded batches, and single images, which are written as well. */
#include "image.h"

#include "arguments.h"
#include "array.h"
#include "engine.h"
#include "error.h"
#include "guard.h"
#include "handle.h"

#include <string.h>

#include "data/crop.h"
#include "data/folder.h"

/* is_image_name(name) -> does the end of a file's name say that it is an image that is read? */
static int is_image_name(lua_State *L) {
  lua_pushboolean(L, icl__is_image_name(luaL_checkstring(L, 1)));
  return 1;
}

static const char folder_type[] = "icl.image_folder", stream_type[] = "icl.image_stream";

/* Pushes an empty holder of a type whose metatable has `release` and these methods. */
static void **new_holder(lua_State *L, const char *type, lua_CFunction release, const luaL_Reg *methods) {
  void **slot = lua_newuserdatauv(L, sizeof *slot, 1);
  *slot = NULL;
  if (luaL_newmetatable(L, type)) {
    lua_pushcfunction(L, release);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, release);
    lua_setfield(L, -2, "__close");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
  }
  lua_setmetatable(L, -2);
  return slot;
}

/* ---- folders ---- */

static int release_folder(lua_State *L) {
  void **slot = luaL_checkudata(L, 1, folder_type);
  icl_image_folder_free(*slot);
  *slot = NULL;
  return 0;
}

icl_image_folder *icl__lua_check_image_folder(lua_State *L, int arg) {
  void **slot = luaL_checkudata(L, arg, folder_type);
  if (!*slot)
    icl__lua_argument_error(L, arg, "the folder was closed");
  return *slot;
}

/* folder:file(number) -> the path of an image; numbers count from 0, as in index vectors */
static int folder_file(lua_State *L) {
  char path[4096];
  lua_Integer number = luaL_checkinteger(L, 2);
  const icl_image_folder *folder = icl__lua_check_image_folder(L, 1);
  int image = number < 0 || number > INT32_MAX ? -1 : (int)number;
  icl__lua_check(L, icl_image_folder_file(folder, image, path, sizeof path));
  lua_pushstring(L, path);
  return 1;
}

static bool flag_field(lua_State *L, int arg, const char *name) {
  lua_getfield(L, arg, name);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* Looks at the images if the options at `arg` say so, and adds `bad` and `report` to the table on top. */
static void check_images(lua_State *L, int arg, icl_image_folder *folder, icl_engine *engine) {
  if (!lua_istable(L, arg) || !flag_field(L, arg, "check"))
    return;
  lua_getfield(L, arg, "threads");
  int threads = (int)luaL_optinteger(L, -1, 0), bad;
  lua_pop(L, 1);
  void **report = icl__lua_guard(L, icl_free);
  char *text;
  ICL__LUA_TRY(L, icl_image_folder_check(folder, engine, threads, flag_field(L, arg, "drop"), &bad, &text));
  *report = text;
  lua_pushinteger(L, bad);
  lua_setfield(L, -3, "bad");
  lua_pushstring(L, text);
  lua_setfield(L, -3, "report");
  lua_pop(L, 1);
}

static void set_integer(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void **new_folder(lua_State *L) {
  static const luaL_Reg methods[] = {{"file", folder_file}, {NULL, NULL}};
  return new_holder(L, folder_type, release_folder, methods);
}

/* Adds what a folder has to the table on top. */
static void describe_folder(lua_State *L, const icl_image_folder *folder, icl_engine *engine) {
  icl_tensor **labels = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_tensor_new(engine, ICL_I64, 1, (int32_t[]){folder->count}, folder->labels, labels));
  lua_setfield(L, -2, "labels");
  lua_createtable(L, folder->classes, 0);
  for (int i = 0; i < folder->classes; i++) {
    lua_pushstring(L, folder->class_names[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "class_names");
  set_integer(L, "classes", folder->classes);
  set_integer(L, "count", folder->count);
  set_integer(L, "skipped", folder->skipped);
  set_integer(L, "dropped", folder->dropped);
}

/* image_folder(path [, { check = false, drop = false, threads = 0 }]) -> folder, { labels = i64 (n), count, classes,
 * class_names, skipped, dropped }. check: looks at every image; the table then has `bad`, how many cannot be read, and
 * `report`, lines about the first of them or nil. drop: the folder is without them. See icl.h. */
static int image_folder(lua_State *L) {
  static const char *const options[] = {"check", "drop", "threads", NULL};
  const char *path = luaL_checkstring(L, 1);
  icl__lua_check_options(L, 2, "image_folder", options);
  lua_settop(L, 2);
  icl_engine *engine = icl__lua_engine(L);
  void **slot = new_folder(L);
  ICL__LUA_TRY(L, icl_image_folder_open(path, (icl_image_folder **)slot));
  lua_newtable(L);
  check_images(L, 2, *slot, engine);
  describe_folder(L, *slot, engine);
  return 2;
}

/* image_folder_concat({ folder, ... }) -> folder, what image_folder tells of it: their images one after another */
static int image_folder_concat(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  icl_engine *engine = icl__lua_engine(L);
  int count = (int)lua_rawlen(L, 1);
  const icl_image_folder **folders = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *folders, 0);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, i + 1);
    folders[i] = icl__lua_check_image_folder(L, -1);
    lua_pop(L, 1); /* the list keeps it */
  }
  void **slot = new_folder(L);
  ICL__LUA_TRY(L, icl_image_folder_concat(count, folders, (icl_image_folder **)slot));
  lua_newtable(L);
  describe_folder(L, *slot, engine);
  return 2;
}

/* image_folder_compare(a, b): an error if one has a class that the other has not */
static int image_folder_compare(lua_State *L) {
  ICL__LUA_TRY(L, icl_image_folder_compare(icl__lua_check_image_folder(L, 1), icl__lua_check_image_folder(L, 2)));
  return 0;
}

/* ---- streams ---- */

static int release_stream(lua_State *L) {
  void **slot = luaL_checkudata(L, 1, stream_type);
  icl_image_stream_close(*slot);
  *slot = NULL;
  return 0;
}

/* stream:next() -> the next batch, u8 (n, size, size, 3); nil after the last one */
static int stream_next(lua_State *L) {
  void **slot = luaL_checkudata(L, 1, stream_type);
  if (!*slot)
    icl__lua_argument_error(L, 1, "the stream was closed");
  icl_engine *engine = icl__lua_engine(L);
  icl_tensor **batch = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_image_stream_next(*slot, engine, batch));
  if (!*batch)
    lua_pushnil(L);
  return 1;
}

static lua_Integer integer_field(lua_State *L, int arg, const char *name, lua_Integer least, lua_Integer most) {
  int is_integer;
  lua_getfield(L, arg, name);
  lua_Integer value = lua_tointegerx(L, -1, &is_integer);
  if (!is_integer || value < least || value > most)
    icl__lua_fail(L, "image_stream: %s is %s; it must be an integer from %I to %I", name, icl__lua_describe(L, -1),
                  (LUAI_UACINT)least, (LUAI_UACINT)most);
  lua_pop(L, 1);
  return value;
}

/* Two numbers; left as they are if the field is nil. */
static void range_field(lua_State *L, int arg, const char *name, double range[2]) {
  if (lua_getfield(L, arg, name) != LUA_TNIL)
    for (int i = 0; i < 2; i++) {
      if (!lua_istable(L, -1) || lua_rawgeti(L, -1, i + 1) != LUA_TNUMBER)
        icl__lua_fail(L, "image_stream: %s must be a list of two numbers", name);
      range[i] = lua_tonumber(L, -1);
      lua_pop(L, 1);
    }
  lua_pop(L, 1);
}

/* image_stream(folder, order i64 (n), { size =, batch =, threads =, resize = } or, for random crops,
 * { size =, batch =, threads =, area =, ratio =, key = }; and repeated = true where images come more than once, see
 * icl.h) -> stream */
static int image_stream(lua_State *L) {
  static const luaL_Reg methods[] = {{"next", stream_next}, {"close", release_stream}, {NULL, NULL}};
  const icl_image_folder *folder = icl__lua_check_image_folder(L, 1);
  icl_tensor *order = icl__lua_check_tensor(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  if (icl_tensor_dtype(order) != ICL_I64 || icl_tensor_rank(order) != 1)
    icl__lua_argument_error(L, 2, "it must be i64 of one axis");
  icl_image_stream_options o = {.size = (int)integer_field(L, 3, "size", 1, INT32_MAX),
                                .batch = (int)integer_field(L, 3, "batch", 1, INT32_MAX),
                                .threads = (int)integer_field(L, 3, "threads", 0, INT32_MAX)};
  o.random = lua_getfield(L, 3, "key") != LUA_TNIL;
  lua_pop(L, 1);
  lua_getfield(L, 3, "repeated");
  o.repeated = lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (o.random) {
    range_field(L, 3, "area", o.area);
    range_field(L, 3, "ratio", o.ratio);
    lua_getfield(L, 3, "key");
    icl__lua_check_key(L, -1, o.key);
    lua_pop(L, 1);
  } else {
    o.resize = (int)integer_field(L, 3, "resize", 0, INT32_MAX);
  }
  const int64_t *numbers = icl__lua_push_values(L, order);
  void **slot = new_holder(L, stream_type, release_stream, methods);
  lua_pushvalue(L, 1); /* the folder lives as long as the stream */
  lua_setiuservalue(L, -2, 1);
  int count = (int)icl_tensor_count(order);
  ICL__LUA_TRY(L, icl_image_stream_open(folder, &o, count, numbers, (icl_image_stream **)slot));
  return 1;
}

/* ---- single images ---- */

/* image_read(path) -> u8 (height, width, 3) */
static int image_read(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  icl_engine *engine = icl__lua_engine(L);
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl_image_read(engine, path, result));
  return 1;
}

/* images_clipped() -> how many images became nearly white so far; see icl_images_clipped in icl.h */
static int images_clipped(lua_State *L) {
  lua_pushinteger(L, icl_images_clipped());
  return 1;
}

/* An integer argument from `least` to `most`. */
static int check_size(lua_State *L, int arg, int least, int most) {
  lua_Integer size = luaL_checkinteger(L, arg);
  if (size < least || size > most)
    icl__lua_argument_error(L, arg, lua_pushfstring(L, "it must be from %d to %d", least, most));
  return (int)size;
}

enum { MOST_SIZE = 1 << 14 };

/* Pushes what the crop makes of an image. */
static int push_crop(lua_State *L, const icl__image *image, const icl__crop *crop) {
  int32_t shape[3] = {crop->window_height, crop->window_width, 3};
  uint8_t *out = lua_newuserdatauv(L, (size_t)shape[0] * (size_t)shape[1] * 3, 0);
  icl_tensor **result = icl__lua_new_tensor(L);
  ICL__LUA_TRY(L, icl__crop_render(image, crop, out));
  ICL__LUA_TRY(L, icl_tensor_new(icl__lua_engine(L), ICL_U8, 3, shape, out, result));
  return 1;
}

/* The image at argument 1, u8 (height, width, 3); its pixels are pushed. */
static icl__image check_image(lua_State *L) {
  icl_tensor *x = icl__lua_check_tensor(L, 1);
  const int32_t *shape = icl_tensor_shape(x);
  if (icl_tensor_dtype(x) != ICL_U8 || icl_tensor_rank(x) != 3 || shape[2] != 3 || !shape[0] || !shape[1])
    icl__lua_argument_error(L, 1, "an image must be u8 of shape (height, width, 3)");
  return (icl__image){.height = shape[0], .width = shape[1], .pixels = icl__lua_push_values(L, x)};
}

/* image_resize(x, height, width [, top, left, height, width]) -> the part of x whose first pixel is (top, left),
 * counted from 1, resized; all of x if no part is given */
static int image_resize(lua_State *L) {
  lua_settop(L, 7);
  icl__image image = check_image(L);
  int height = check_size(L, 2, 1, MOST_SIZE), width = check_size(L, 3, 1, MOST_SIZE);
  icl__crop crop = {.height = image.height,
                    .width = image.width,
                    .full_height = height,
                    .full_width = width,
                    .window_height = height,
                    .window_width = width};
  if (!lua_isnil(L, 4)) {
    crop.top = check_size(L, 4, 1, image.height) - 1;
    crop.left = check_size(L, 5, 1, image.width) - 1;
    crop.height = check_size(L, 6, 1, image.height - crop.top);
    crop.width = check_size(L, 7, 1, image.width - crop.left);
  }
  return push_crop(L, &image, &crop);
}

/* image_center(x, resize, size) -> the middle of x as evaluation sees it */
static int image_center(lua_State *L) {
  lua_settop(L, 3);
  icl__image image = check_image(L);
  int resize = check_size(L, 2, 0, MOST_SIZE), size = check_size(L, 3, 1, MOST_SIZE);
  icl__crop crop = icl__crop_center(image.height, image.width, resize, size);
  return push_crop(L, &image, &crop);
}

/* image_crop_size(height, width, area, log_ratio) -> height, width of the box of a random resized crop; nil if it does
 * not fit */
static int image_crop_size(lua_State *L) {
  int height, width;
  if (!icl__crop_size(check_size(L, 1, 1, INT32_MAX), check_size(L, 2, 1, INT32_MAX), luaL_checknumber(L, 3),
                      luaL_checknumber(L, 4), &height, &width))
    return 0;
  lua_pushinteger(L, height);
  lua_pushinteger(L, width);
  return 2;
}

/* image_largest_crop(height, width) -> top, left (from 1), height, width of the box where no try of a random resized
 * crop with ratios from 3/4 to 4/3 fits */
static int image_largest_crop(lua_State *L) {
  const icl__crop_range range = {.ratio = {3.0 / 4, 4.0 / 3}};
  icl__crop crop = icl__crop_largest(check_size(L, 1, 1, INT32_MAX), check_size(L, 2, 1, INT32_MAX), &range, 1);
  lua_pushinteger(L, crop.top + 1);
  lua_pushinteger(L, crop.left + 1);
  lua_pushinteger(L, crop.height);
  lua_pushinteger(L, crop.width);
  return 4;
}

/* png_encode(x) -> the PNG file of x, u8 (height, width, channels), as a string; channels: 1 grey, 3 colours, 4 with
 * alpha */
static int png_encode(lua_State *L) {
  icl_tensor *x = icl__lua_check_tensor(L, 1);
  const int32_t *shape = icl_tensor_shape(x);
  bool is_image = icl_tensor_dtype(x) == ICL_U8 && icl_tensor_rank(x) == 3 && shape[0] && shape[1] &&
                  (shape[2] == 1 || shape[2] == 3 || shape[2] == 4);
  if (!is_image)
    icl__lua_argument_error(L, 1, "an image to write must be u8 of shape (height, width, 1, 3 or 4)");
  const uint8_t *pixels = icl__lua_push_values(L, x);
  void **holder = icl__lua_guard(L, icl_free);
  icl__bytes file = {0};
  icl_status status = icl__png_encode(shape[0], shape[1], shape[2], pixels, &file);
  *holder = file.data;
  icl__lua_check(L, status);
  lua_pushlstring(L, (const char *)file.data, file.bytes);
  *holder = NULL; /* now, not when it is collected: these may be many bytes */
  icl_free(file.data);
  return 1;
}

void icl__lua_image_functions(lua_State *L) {
  static const luaL_Reg functions[] = {{"image_folder", image_folder},
                                       {"image_folder_compare", image_folder_compare},
                                       {"image_folder_concat", image_folder_concat},
                                       {"image_stream", image_stream},
                                       {"image_read", image_read},
                                       {"images_clipped", images_clipped},
                                       {"is_image_name", is_image_name},
                                       {"image_resize", image_resize},
                                       {"image_center", image_center},
                                       {"image_crop_size", image_crop_size},
                                       {"image_largest_crop", image_largest_crop},
                                       {"png_encode", png_encode},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
