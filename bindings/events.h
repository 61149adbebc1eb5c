/* events.h - what event files of TensorBoard need: names, checksums and histograms. */
#ifndef ICL_BINDINGS_EVENTS_H
#define ICL_BINDINGS_EVENTS_H

#include "binding.h"

void icl__lua_events_functions(lua_State *L);

#endif
