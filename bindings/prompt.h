/* prompt.h - lines typed at a terminal. */
#ifndef ICL_BINDINGS_PROMPT_H
#define ICL_BINDINGS_PROMPT_H

#include "binding.h"

void icl__lua_prompt_functions(lua_State *L);

#endif
