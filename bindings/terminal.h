/* terminal.h - what is known of the terminal, and its keys one by one. */
#ifndef ICL_BINDINGS_TERMINAL_H
#define ICL_BINDINGS_TERMINAL_H

#include "binding.h"

void icl__lua_terminal_functions(lua_State *L);

#endif
