/* array.h - between Lua's numbers, tables and strings and arrays of elements in memory. */
#ifndef ICL_BINDINGS_ARRAY_H
#define ICL_BINDINGS_ARRAY_H

#include "binding.h"

/* "f32": the dtype named at `arg`; `missing` where there is nil. */
icl_dtype icl__lua_check_dtype(lua_State *L, int arg, icl_dtype missing);
/* The list of sizes at `arg`; -> the rank. `what` begins error messages, here and below. */
int icl__lua_check_shape(lua_State *L, int arg, const char *what, int32_t shape[ICL_MAX_RANK]);
void icl__lua_push_shape(lua_State *L, int rank, const int32_t *shape);

/* The four words of a random key in the table at `arg`, a field or an argument. */
void icl__lua_check_key(lua_State *L, int arg, uint32_t key[4]);

/* Of a number or of tables in tables at `arg`, looking at first entries only; -> the rank. */
int icl__lua_infer_shape(lua_State *L, int arg, const char *what, int32_t shape[ICL_MAX_RANK]);
/* bool where its first element is true or false, else f32. */
icl_dtype icl__lua_infer_dtype(lua_State *L, int arg);

/* Pushes a userdata with the elements at `arg`: a number, which is for every element; a table, one list or nested as
 * the shape says; or a string of bytes. */
void *icl__lua_push_array(lua_State *L, int arg, const char *what, icl_dtype dtype, int rank, const int32_t *shape);

/* Pushes a userdata with 0, 1, ..., count - 1. */
void *icl__lua_push_sequence(lua_State *L, const char *what, icl_dtype dtype, int32_t count);

/* Pushes an element as an integer, a float or a boolean; an array as tables in tables, rank 0 as its element. */
void icl__lua_push_element(lua_State *L, icl_dtype dtype, const void *element);
void icl__lua_push_table(lua_State *L, icl_dtype dtype, int rank, const int32_t *shape, const void *data);

#endif
