/* network.h - networks in files: writing down what a model computes, and using what was written. */
#ifndef ICL_BINDINGS_NETWORK_H
#define ICL_BINDINGS_NETWORK_H

#include "binding.h"

void icl__lua_network_functions(lua_State *L);

#endif
