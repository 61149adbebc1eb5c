/* owner.h - the Lua threads that the open step and the scopes of no_grad belong to. */
#ifndef ICL_BINDINGS_OWNER_H
#define ICL_BINDINGS_OWNER_H

#include "binding.h"

/* The step that begins now belongs to the running thread. */
void icl__lua_own_step(lua_State *L);
/* Does the open step, if there is one, belong to the running thread? One that failed and is closed later may find that
 * of another. */
bool icl__lua_owns_step(lua_State *L);
/* Does the open step belong to a coroutine that has yielded? */
bool icl__lua_step_is_suspended(lua_State *L);
/* Pushes the line where the open step began, or "". */
void icl__lua_push_step_line(lua_State *L);

/* A scope of no_grad of the running thread. */
void icl__lua_begin_no_grad(lua_State *L);
void icl__lua_end_no_grad(lua_State *L); /* raises if there is none, in the main thread */

/* Drops the step and ends the scopes of coroutines that are dead or collected, which nothing else will end; `all`:
 * those of every thread. */
void icl__lua_drop_abandoned(lua_State *L, bool all);

#endif
