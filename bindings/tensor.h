/* tensor.h - the type icl.tensor. */
#ifndef ICL_BINDINGS_TENSOR_H
#define ICL_BINDINGS_TENSOR_H

#include "binding.h"

void icl__lua_tensor_functions(lua_State *L);

#endif
