/* error.h - errors that point at the line of the recipe. */
#ifndef ICL_BINDINGS_ERROR_H
#define ICL_BINDINGS_ERROR_H

#include "binding.h"

/* The one way from a status to Lua: raises the message that the core left, with the line of the recipe before it,
 * unless the status is ICL_OK. */
void icl__lua_check(lua_State *L, icl_status status);

/* Checks the status of `call`. Where memory is out, everything unused is collected and the call is made once more. */
#define ICL__LUA_TRY(L, call)                                                                                          \
  do {                                                                                                                 \
    icl_status status_ = (call);                                                                                       \
    if (status_ == ICL_ENOMEM) {                                                                                       \
      lua_gc((L), LUA_GCCOLLECT);                                                                                      \
      status_ = (call);                                                                                                \
    }                                                                                                                  \
    icl__lua_check((L), status_);                                                                                      \
  } while (0)

/* luaL_error() with the line of the recipe, not of the library function that called. */
int icl__lua_fail(lua_State *L, const char *format, ...);

/* Pushes what a function that raises no errors returns: true, or nil and the message. -> how many. */
int icl__lua_push_outcome(lua_State *L, icl_status status);

#endif
