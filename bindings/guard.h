/* guard.h - things that must be freed, whatever error passes. */
#ifndef ICL_BINDINGS_GUARD_H
#define ICL_BINDINGS_GUARD_H

#include "binding.h"

/* Pushes a holder for something that must be freed: the collector calls release() for what is put into the slot. */
void **icl__lua_guard(lua_State *L, void (*release)(void *));

#endif
