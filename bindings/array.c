/* array.c - between Lua's numbers, tables and strings and arrays of elements. */
#include "array.h"

#include "arguments.h"
#include "error.h"

#include <string.h>

#include "backend/kernel.h"
#include "base/memory.h"

/* ---- dtypes and shapes ---- */

icl_dtype icl__lua_check_dtype(lua_State *L, int arg, icl_dtype missing) {
  icl_dtype dtype = missing;
  if (lua_isnoneornil(L, arg))
    return dtype;
  if (lua_type(L, arg) != LUA_TSTRING)
    icl__lua_type_error(L, arg, "name of a dtype");
  icl__lua_check(L, icl_dtype_find(lua_tostring(L, arg), &dtype));
  return dtype;
}

int icl__lua_check_shape(lua_State *L, int arg, const char *what, int32_t shape[ICL_MAX_RANK]) {
  if (!lua_istable(L, arg))
    icl__lua_fail(L, "%s: the shape is %s; it must be a list of sizes", what, icl__lua_describe(L, arg));
  lua_Unsigned rank = icl__lua_list_length(L, arg, what);
  if (rank > ICL_MAX_RANK)
    icl__lua_fail(L, "%s: the shape has %I sizes; a tensor has at most %d axes", what, (LUAI_UACINT)rank, ICL_MAX_RANK);
  for (int i = 0; i < (int)rank; i++) {
    int is_integer;
    lua_rawgeti(L, arg, i + 1);
    lua_Integer size = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || size < 0 || size > INT32_MAX)
      icl__lua_fail(L, "%s: size %d of the shape is %s; it must be an integer from 0 to 2^31 - 1", what, i + 1,
                    icl__lua_describe(L, -1));
    shape[i] = (int32_t)size;
    lua_pop(L, 1);
  }
  return (int)rank;
}

void icl__lua_push_shape(lua_State *L, int rank, const int32_t *shape) {
  lua_createtable(L, rank, 0);
  for (int i = 0; i < rank; i++) {
    lua_pushinteger(L, shape[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

void icl__lua_check_key(lua_State *L, int arg, uint32_t key[4]) {
  if (!lua_istable(L, arg))
    icl__lua_fail(L, "the key is %s; it must be a list of four words", icl__lua_describe(L, arg));
  arg = lua_absindex(L, arg);
  for (int i = 0; i < 4; i++) {
    int is_integer;
    lua_rawgeti(L, arg, i + 1);
    lua_Integer word = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || word < 0 || word > UINT32_MAX)
      icl__lua_fail(L, "word %d of the key is %s; it must be an integer from 0 to 2^32 - 1", i + 1,
                    icl__lua_describe(L, -1));
    key[i] = (uint32_t)word;
    lua_pop(L, 1);
  }
}

int icl__lua_infer_shape(lua_State *L, int arg, const char *what, int32_t shape[ICL_MAX_RANK]) {
  int rank = 0;
  lua_pushvalue(L, arg);
  while (lua_istable(L, -1)) {
    if (rank == ICL_MAX_RANK)
      icl__lua_fail(L, "%s: tables more than %d deep; a tensor has at most that many axes", what, ICL_MAX_RANK);
    lua_Unsigned size = lua_rawlen(L, -1);
    if (size > INT32_MAX)
      icl__lua_fail(L, "%s: more elements than an axis can have", what);
    shape[rank++] = (int32_t)size;
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
  return rank;
}

icl_dtype icl__lua_infer_dtype(lua_State *L, int arg) {
  lua_pushvalue(L, arg);
  for (int depth = 0; depth < ICL_MAX_RANK && lua_istable(L, -1); depth++) {
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
  }
  icl_dtype dtype = lua_isboolean(L, -1) ? ICL_BOOL : ICL_F32;
  lua_pop(L, 1);
  return dtype;
}

/* ---- elements ---- */

static bool is_integer_dtype(icl_dtype dtype) { return dtype == ICL_U8 || dtype == ICL_I32 || dtype == ICL_I64; }

void icl__lua_push_element(lua_State *L, icl_dtype dtype, const void *element) {
  double real;
  int64_t integer;
  if (dtype == ICL_BOOL) {
    lua_pushboolean(L, *(const uint8_t *)element);
  } else if (is_integer_dtype(dtype)) {
    icl__convert(dtype, element, ICL_I64, &integer, 1);
    lua_pushinteger(L, (lua_Integer)integer);
  } else {
    icl__convert(dtype, element, ICL_F64, &real, 1);
    lua_pushnumber(L, real);
  }
}

/* Walks through tables; the table or element being read is on top of the stack. */
typedef struct {
  lua_State *L;
  int arg;          /* the whole */
  const char *what; /* for messages */
  icl_dtype dtype;
  size_t bytes; /* of an element */
  int rank;
  const int32_t *shape;
  int32_t at[ICL_MAX_RANK]; /* where it is */
  char *next;
} reader;

/* Pushes "element [2][3]", "row [2]", or "the value" for the whole. */
static const char *push_place(const reader *r, const char *what, int depth) {
  lua_State *L = r->L;
  if (!depth)
    return lua_pushliteral(L, "the value");
  lua_pushfstring(L, "%s ", what);
  for (int i = 0; i < depth; i++) {
    lua_pushfstring(L, "[%d]", (int)r->at[i] + 1);
    lua_concat(L, 2);
  }
  return lua_tostring(L, -1);
}

static void element_error(const reader *r, int depth, const char *expected) {
  const char *value = icl__lua_describe(r->L, -1);
  if (!strcmp(value, "a tensor") || !strcmp(value, "a state"))
    expected = lua_pushfstring(r->L, "%s; icl.stack(list) makes one tensor of several", expected);
  icl__lua_fail(r->L, "%s: %s is %s; it must be %s", r->what, push_place(r, "element", depth), value, expected);
}

static bool integer_fits(icl_dtype dtype, lua_Integer value) {
  return dtype == ICL_I64 || (dtype == ICL_I32 && value >= INT32_MIN && value <= INT32_MAX) ||
         (dtype == ICL_U8 && value >= 0 && value <= UINT8_MAX);
}

static const char *integer_range(icl_dtype dtype) {
  return dtype == ICL_U8    ? "an integer from 0 to 255"
         : dtype == ICL_I32 ? "an integer from -2^31 to 2^31 - 1"
                            : "an integer";
}

/* Stores the value on top of the stack. */
static void read_element(reader *r, int depth) {
  lua_State *L = r->L;
  int type = lua_type(L, -1), is_integer = 0;
  if (type != LUA_TNUMBER && type != LUA_TBOOLEAN)
    element_error(r, depth, "a number");
  if (type == LUA_TBOOLEAN || r->dtype == ICL_BOOL) {
    bool flag = type == LUA_TBOOLEAN ? lua_toboolean(L, -1) != 0 : lua_tonumber(L, -1) != 0;
    icl__convert(ICL_BOOL, &flag, r->dtype, r->next, 1);
  } else if (is_integer_dtype(r->dtype)) {
    int64_t integer = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || !integer_fits(r->dtype, integer))
      element_error(r, depth, integer_range(r->dtype));
    icl__convert(ICL_I64, &integer, r->dtype, r->next, 1);
  } else {
    double real = lua_tonumber(L, -1);
    icl__convert(ICL_F64, &real, r->dtype, r->next, 1);
  }
  r->next += r->bytes;
}

/* Reads the table on top of the stack, which has the axes from `axis` on. */
static void read_table(reader *r, int axis) {
  lua_State *L = r->L;
  luaL_checkstack(L, 8, "nested tables");
  lua_Unsigned size = lua_rawlen(L, -1);
  if (size != (lua_Unsigned)r->shape[axis])
    icl__lua_fail(L, "%s: %s has %I entries, not %d", r->what, push_place(r, "row", axis), (LUAI_UACINT)size,
                  (int)r->shape[axis]);
  for (int32_t i = 0; i < r->shape[axis]; i++) {
    r->at[axis] = i;
    lua_rawgeti(L, -1, i + 1);
    if (axis + 1 < r->rank && !lua_istable(L, -1))
      element_error(r, axis + 1, "a table, as its neighbours are");
    if (axis + 1 < r->rank)
      read_table(r, axis + 1);
    else
      read_element(r, axis + 1);
    lua_pop(L, 1);
  }
}

static int64_t count_of(const reader *r) {
  int64_t count = 1;
  for (int i = 0; i < r->rank; i++) {
    if (r->shape[i] && count > ((int64_t)1 << 40) / r->shape[i])
      icl__lua_fail(r->L, "%s: more than 2^40 elements", r->what);
    count *= r->shape[i];
  }
  return count;
}

static void read_string(reader *r, int64_t count) {
  size_t length;
  const char *bytes = lua_tolstring(r->L, r->arg, &length);
  if (length != (size_t)count * r->bytes)
    icl__lua_fail(r->L, "%s: a string of %I bytes for %I elements of %s, which take %I", r->what, (LUAI_UACINT)length,
                  (LUAI_UACINT)count, icl_dtype_name(r->dtype), (LUAI_UACINT)((size_t)count * r->bytes));
  memcpy(r->next, bytes, length);
}

/* One value for every element. */
static void read_scalar(reader *r, int64_t count) {
  char *first = r->next;
  size_t bytes = (size_t)count * r->bytes;
  if (!count)
    return;
  lua_pushvalue(r->L, r->arg);
  read_element(r, 0);
  lua_pop(r->L, 1);
  for (size_t done = r->bytes; done < bytes; done *= 2)
    memcpy(first + done, first, done < bytes - done ? done : bytes - done);
}

/* A table of numbers alone holds all elements whatever the shape. */
static void read_list(reader *r, int64_t count) {
  lua_State *L = r->L;
  int32_t flat = (int32_t)count;
  lua_pushvalue(L, r->arg);
  lua_rawgeti(L, -1, 1);
  bool nested = lua_istable(L, -1);
  lua_pop(L, 1);
  if (!nested && r->rank != 1) {
    if (count > INT32_MAX)
      icl__lua_fail(L, "%s: a list cannot have so many elements", r->what);
    r->rank = 1;
    r->shape = &flat;
  }
  read_table(r, 0);
  lua_pop(L, 1);
}

/* An array that cannot fit is refused before the allocator is asked. */
static size_t bytes_of(const reader *r, int64_t count) {
  enum { SMALL = 64 << 20, MEGA = 1 << 20 };
  size_t bytes = (size_t)count * r->bytes;
  if (bytes > SMALL && bytes > icl__memory_available())
    icl__lua_fail(r->L, "%s: %I MB are more than the memory that is free", r->what, (LUAI_UACINT)(bytes / MEGA));
  return bytes;
}

void *icl__lua_push_array(lua_State *L, int arg, const char *what, icl_dtype dtype, int rank, const int32_t *shape) {
  reader r = {.L = L, .arg = arg, .what = what, .dtype = dtype, .rank = rank, .shape = shape};
  r.bytes = icl_dtype_bytes(dtype);
  int64_t count = count_of(&r);
  void *data = lua_newuserdatauv(L, bytes_of(&r, count) + 1, 0);
  r.next = data;
  switch (lua_type(L, arg)) {
  case LUA_TSTRING:
    read_string(&r, count);
    break;
  case LUA_TTABLE:
    read_list(&r, count);
    break;
  default:
    read_scalar(&r, count);
  }
  return data;
}

void *icl__lua_push_sequence(lua_State *L, const char *what, icl_dtype dtype, int32_t count) {
  reader r = {.L = L, .what = what, .dtype = dtype, .bytes = icl_dtype_bytes(dtype)};
  if (is_integer_dtype(dtype) && count && !integer_fits(dtype, count - 1))
    icl__lua_fail(L, "%s: %d is not %s, as %s needs it", what, (int)count - 1, integer_range(dtype),
                  icl_dtype_name(dtype));
  char *data = lua_newuserdatauv(L, bytes_of(&r, count) + 1, 0);
  for (int64_t i = 0; i < count; i++)
    icl__convert(ICL_I64, &i, dtype, data + (size_t)i * r.bytes, 1);
  return data;
}

/* ---- arrays as tables ---- */

static const char *push_rows(lua_State *L, icl_dtype dtype, int rank, const int32_t *shape, const char *data) {
  if (!rank) {
    icl__lua_push_element(L, dtype, data);
    return data + icl_dtype_bytes(dtype);
  }
  luaL_checkstack(L, 4, "nested tables");
  lua_createtable(L, *shape, 0);
  for (int32_t i = 0; i < *shape; i++) {
    data = push_rows(L, dtype, rank - 1, shape + 1, data);
    lua_rawseti(L, -2, i + 1);
  }
  return data;
}

void icl__lua_push_table(lua_State *L, icl_dtype dtype, int rank, const int32_t *shape, const void *data) {
  push_rows(L, dtype, rank, shape, data);
}
