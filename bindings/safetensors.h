/* safetensors.h - safetensors files. */
#ifndef ICL_BINDINGS_SAFETENSORS_H
#define ICL_BINDINGS_SAFETENSORS_H

#include "binding.h"

void icl__lua_safetensors_functions(lua_State *L);

#endif
