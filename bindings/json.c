/* json.c - JSON texts as Lua values. */
#include "json.h"

#include "error.h"
#include "guard.h"

#include "base/json.h"

static void release_json(void *json) { icl__json_free(json); }

static void push_value(lua_State *L, json_t *json);

static void push_object(lua_State *L, json_t *object) {
  const char *key;
  json_t *value;
  lua_createtable(L, 0, (int)json_object_size(object));
  json_object_foreach(object, key, value) {
    push_value(L, value);
    lua_setfield(L, -2, key);
  }
}

static void push_list(lua_State *L, json_t *list) {
  lua_createtable(L, (int)json_array_size(list), 0);
  for (size_t i = 0; i < json_array_size(list); i++) {
    push_value(L, json_array_get(list, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_value(lua_State *L, json_t *json) {
  luaL_checkstack(L, 4, "JSON");
  switch (json_typeof(json)) {
  case JSON_OBJECT:
    push_object(L, json);
    break;
  case JSON_ARRAY:
    push_list(L, json);
    break;
  case JSON_STRING:
    lua_pushlstring(L, json_string_value(json), json_string_length(json));
    break;
  case JSON_INTEGER:
    lua_pushinteger(L, json_integer_value(json));
    break;
  case JSON_REAL:
    lua_pushnumber(L, json_real_value(json));
    break;
  case JSON_TRUE:
  case JSON_FALSE:
    lua_pushboolean(L, json_is_true(json));
    break;
  case JSON_NULL:
    lua_pushnil(L);
    break;
  }
}

/* json_decode(text) -> tables, strings, numbers, booleans; null is nil. A text that is not JSON is an error. */
static int json_decode(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  json_error_t error;
  icl__json *json;
  void **guard = icl__lua_guard(L, release_json);
  icl_status status =
      icl__json_parse(text, length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error, &json);
  if (status == ICL_EFORMAT)
    icl__lua_fail(L, "json_decode: line %d, column %d: %s", error.line, error.column, error.text);
  icl__lua_check(L, status);
  *guard = json;
  push_value(L, icl__json_value(json));
  return 1;
}

void icl__lua_json_functions(lua_State *L) {
  lua_pushcfunction(L, json_decode);
  lua_setfield(L, -2, "json_decode");
}
