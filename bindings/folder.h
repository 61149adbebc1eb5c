/* folder.h - folders, locks, and files that are written as a whole. */
#ifndef ICL_BINDINGS_FOLDER_H
#define ICL_BINDINGS_FOLDER_H

#include "binding.h"

void icl__lua_folder_functions(lua_State *L);

#endif
