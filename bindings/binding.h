/* binding.h - the rules of the Lua binding. The binding offers libicl to Lua as the module icl.core; the
 * library in lua/icl is written against it.
 *
 * NAME.h declares what NAME.c defines, and icl__lua_NAME_functions() adds what that file offers to the table icl.core,
 * which is on top of the stack. Which file may include which is in tests/cli/test_layers.py.
 *
 * A Lua error leaves a C function by longjmp. Three rules keep it from leaking: a handle exists before what it will
 * hold (icl__lua_new_tensor() pushes an empty one, and its slot is filled afterwards); memory for the time of a call is
 * a userdata; between getting a reference of one's own and giving it back no function of Lua is called that can raise.
 *
 *   static int tensor_detach(lua_State *L) {
 *     icl_tensor *x = icl__lua_check_tensor(L, 1);  // anything else is an error that names the argument
 *     icl_tensor **result = icl__lua_new_tensor(L);
 *     ICL__LUA_TRY(L, icl_detach(x, result));
 *     return 1;
 *   } */
#ifndef ICL_BINDINGS_BINDING_H
#define ICL_BINDINGS_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include "icl.h"

#endif
