/* run.h - calling a script. */
#ifndef ICL_BINDINGS_RUN_H
#define ICL_BINDINGS_RUN_H

#include "binding.h"

/* A message handler for lua_pcall: the error as text and, where that says more, the calls in the recipe. */
int icl__lua_traceback(lua_State *L);
void icl__lua_run_functions(lua_State *L);

#endif
