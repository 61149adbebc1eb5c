/* image.h - image folders and images. */
#ifndef ICL_BINDINGS_IMAGE_H
#define ICL_BINDINGS_IMAGE_H

#include "binding.h"

/* The folder at `arg`, which image_folder() returned. */
icl_image_folder *icl__lua_check_image_folder(lua_State *L, int arg);
void icl__lua_image_functions(lua_State *L);

#endif
