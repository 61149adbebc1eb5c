/* statistics.h - what the statistics of images are computed from, and where they are kept. */
#ifndef ICL_BINDINGS_STATISTICS_H
#define ICL_BINDINGS_STATISTICS_H

#include "binding.h"

void icl__lua_statistics_functions(lua_State *L);

#endif
