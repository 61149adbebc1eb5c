/* gradient.h - gradients. */
#ifndef ICL_BINDINGS_GRADIENT_H
#define ICL_BINDINGS_GRADIENT_H

#include "binding.h"

void icl__lua_gradient_functions(lua_State *L);

#endif
