/* suggest.h - what a mistyped name was probably meant to be. */
#ifndef ICL_BINDINGS_SUGGEST_H
#define ICL_BINDINGS_SUGGEST_H

#include "binding.h"

/* Pushes " (did you mean X?)", where X is the name in the table at `names` that is most like `name`, or "". The names
 * are the entries of a list, or the keys of another table. */
void icl__lua_push_suggestion(lua_State *L, const char *name, int names);

/* Pushes what to use in place of a method that has this name elsewhere, in PyTorch; false: none is known. */
bool icl__lua_push_elsewhere(lua_State *L, const char *name);
void icl__lua_suggest_functions(lua_State *L);

#endif
