/* image.h - image folders and images. */
#ifndef ICL_BINDINGS_IMAGE_H
#define ICL_BINDINGS_IMAGE_H

#include "binding.h"

void icl__lua_image_functions(lua_State *L);

#endif
