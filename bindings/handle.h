/* handle.h - tensors and states as Lua values: userdata that hold a reference. */
#ifndef ICL_BINDINGS_HANDLE_H
#define ICL_BINDINGS_HANDLE_H

#include "binding.h"

/* Their types: names of metatables. The address of the name is in each handle, which is faster to look at than the
 * metatable. */
extern const char icl__lua_tensor[], icl__lua_state[];

/* Pushes the metatable of a type, which is made. */
void icl__lua_make_type(lua_State *L, const char *type);

/* Pushes a handle without a tensor; the function that is called next puts a reference into the slot. */
icl_tensor **icl__lua_new_tensor(lua_State *L);
icl_state **icl__lua_new_state(lua_State *L);

/* The slot of the handle at `index`; NULL if something else is there. */
icl_tensor **icl__lua_tensor_slot(lua_State *L, int index);
icl_state **icl__lua_state_slot(lua_State *L, int index);

/* The tensor at `arg`; a state stands for its current version, which replaces it on the stack. */
icl_tensor *icl__lua_check_tensor(lua_State *L, int arg);
icl_state *icl__lua_check_state(lua_State *L, int arg);
/* The state at `index`, or NULL if something else is there. */
icl_state *icl__lua_test_state(lua_State *L, int index);
bool icl__lua_is_tensor(lua_State *L, int index);

/* Pushes a userdata with the elements of a tensor in its own dtype. */
void *icl__lua_push_values(lua_State *L, icl_tensor *tensor);

/* Raises unless a tensor, a state or a number is at `index`: "WHAT: input NUMBER is ...". */
void icl__lua_check_value(lua_State *L, int index, const char *what, int number);
/* A reference to what such a value means in arithmetic. Raises nothing. */
icl_status icl__lua_value(lua_State *L, int index, icl_engine *engine, icl_tensor **result);

/* Pushes x[place], x at 1 and the place at 2: what the method `at` of the table at `methods` makes of them. */
int icl__lua_part(lua_State *L, int methods);
/* __newindex of both types: raises. */
int icl__lua_refuse_assignment(lua_State *L);

#endif
