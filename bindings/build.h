/* build.h - what tells one build of the program from another. */
#ifndef ICL_BINDINGS_BUILD_H
#define ICL_BINDINGS_BUILD_H

#include "binding.h"

void icl__lua_build_functions(lua_State *L);

#endif
