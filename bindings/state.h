/* state.h - the type icl.state; its functions come behind those of tensors. */
#ifndef ICL_BINDINGS_STATE_H
#define ICL_BINDINGS_STATE_H

#include "binding.h"

void icl__lua_state_functions(lua_State *L);

#endif
