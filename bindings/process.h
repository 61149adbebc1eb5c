/* process.h - other programs, which run while this one waits. */
#ifndef ICL_BINDINGS_PROCESS_H
#define ICL_BINDINGS_PROCESS_H

#include "binding.h"

void icl__lua_process_functions(lua_State *L);

#endif
