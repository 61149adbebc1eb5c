/* npz.h - the .npz files of numpy as tables of tensors and texts. */
#ifndef ICL_BINDINGS_NPZ_H
#define ICL_BINDINGS_NPZ_H

#include "binding.h"

void icl__lua_npz_functions(lua_State *L);

#endif
