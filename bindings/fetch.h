/* fetch.h - what bringing an image set onto the machine consists of, besides the transfer. */
#ifndef ICL_BINDINGS_FETCH_H
#define ICL_BINDINGS_FETCH_H

#include "binding.h"

void icl__lua_fetch_functions(lua_State *L);

#endif
