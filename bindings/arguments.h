/* arguments.h - what is said about wrong arguments. */
#ifndef ICL_BINDINGS_ARGUMENTS_H
#define ICL_BINDINGS_ARGUMENTS_H

#include "binding.h"

/* luaL_argerror() with the line of the recipe; luaL_typeerror() with `expected`, as "a tensor". */
int icl__lua_argument_error(lua_State *L, int arg, const char *text);
int icl__lua_type_error(lua_State *L, int arg, const char *expected);

/* Raises "WHAT: ... is an argument too many" if there are more than `most`. */
void icl__lua_no_more(lua_State *L, int most, const char *what);

/* Pushes what a message calls the value at `index`: 3, 'text', a table. */
const char *icl__lua_describe(lua_State *L, int index);

/* Why the table at `index` is no list, "it is a list with holes"; may leave values on the stack. NULL if it is one. */
const char *icl__lua_list_fault(lua_State *L, int index);
/* The entries of the list at `index`; raises "WHAT: FAULT" if it is none. */
lua_Unsigned icl__lua_list_length(lua_State *L, int index, const char *what);

/* Raises "WHAT: there is no KIND 'NAME' (did you mean ...?)"; the keys of the table at `known` are the right names. */
int icl__lua_unknown(lua_State *L, const char *what, const char *kind, const char *name, int known);
/* Every key of the table at `arg` (nil is allowed) must be one of `names`, a list that NULL ends. */
void icl__lua_check_options(lua_State *L, int arg, const char *what, const char *const *names);

#endif
