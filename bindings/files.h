/* files.h - image sets. */
#ifndef ICL_BINDINGS_FILES_H
#define ICL_BINDINGS_FILES_H

#include "binding.h"

void icl__lua_files_functions(lua_State *L);

#endif
