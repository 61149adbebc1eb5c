/* print.h - tensors as text. */
#ifndef ICL_BINDINGS_PRINT_H
#define ICL_BINDINGS_PRINT_H

#include "binding.h"

/* Pushes the values of a tensor in nested brackets, with "..." where they are many, and its dtype and shape. Reads the
 * value; where it was not kept the text says so instead. */
void icl__lua_push_tensor_text(lua_State *L, icl_tensor *tensor);

#endif
