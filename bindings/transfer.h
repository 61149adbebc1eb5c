/* transfer.h - files from other machines. */
#ifndef ICL_BINDINGS_TRANSFER_H
#define ICL_BINDINGS_TRANSFER_H

#include "binding.h"

void icl__lua_transfer_functions(lua_State *L);

#endif
