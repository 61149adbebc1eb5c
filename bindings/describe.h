/* describe.h - what help and completion look at. */
#ifndef ICL_BINDINGS_DESCRIBE_H
#define ICL_BINDINGS_DESCRIBE_H

#include "binding.h"

void icl__lua_describe_functions(lua_State *L);

#endif
