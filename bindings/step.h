/* step.h - steps. */
#ifndef ICL_BINDINGS_STEP_H
#define ICL_BINDINGS_STEP_H

#include "binding.h"

/* Drops a step and scopes of no_grad that an interrupt left open. */
void icl__lua_leave_step(lua_State *L);
void icl__lua_step_functions(lua_State *L);

#endif
