/* binding.h - what the files of the Lua binding share. The binding offers libicl to Lua as the module icl.core; the
 * library in lua/icl is written against it.
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

/* ---- engine.c: one engine for each Lua state ---- */

/* The engine, opened when it is first asked for. Every function that calls the core gets it here. */
icl_engine *icl__lua_engine(lua_State *L);
/* The engine if it is open, else NULL. */
icl_engine *icl__lua_engine_or_null(lua_State *L);
/* Tells the engine the line of the recipe that is running; for functions that record ops. */
void icl__lua_locate(lua_State *L, icl_engine *engine);
/* Drops a step and scopes of no_grad that an interrupt left open. */
void icl__lua_leave_step(lua_State *L);

/* ---- error.c ---- */

/* The one way from a status to Lua: raises the message that the core left, with the line of the recipe before it,
 * unless the status is ICL_OK. */
void icl__lua_check(lua_State *L, icl_status status);

/* Checks the status of `call`. Where memory is out, everything unused is collected and the call is made once more. */
#define ICL__LUA_TRY(L, call)                                                                                          \
  do {                                                                                                                 \
    icl_status status_ = (call);                                                                                       \
    if (status_ == ICL_ENOMEM) {                                                                                       \
      lua_gc((L), LUA_GCCOLLECT);                                                                                      \
      status_ = (call);                                                                                                \
    }                                                                                                                  \
    icl__lua_check((L), status_);                                                                                      \
  } while (0)

/* luaL_error() with the line of the recipe, not of the library function that called. */
int icl__lua_fail(lua_State *L, const char *format, ...);
/* Raises "WHAT: there is no KIND 'NAME' (did you mean ...?)"; the keys of the table at `known` are the right names. */
int icl__lua_unknown(lua_State *L, const char *what, const char *kind, const char *name, int known);
/* Every key of the table at `arg` (nil is allowed) must be one of `names`, a list that NULL ends. */
void icl__lua_check_options(lua_State *L, int arg, const char *what, const char *const *names);

/* luaL_argerror() in the same way; luaL_typeerror() with `expected`, as "a tensor". */
int icl__lua_argument_error(lua_State *L, int arg, const char *text);
int icl__lua_type_error(lua_State *L, int arg, const char *expected);

/* Pushes what a message calls the value at `index`: 3, 'text', a table. */
const char *icl__lua_describe(lua_State *L, int index);

/* Pushes a holder for something that must be freed: the collector calls release() for what is put into the slot. */
void **icl__lua_guard(lua_State *L, void (*release)(void *));

/* Fills in where the innermost function that is not part of the library is; false if there is none. */
bool icl__lua_user(lua_State *L, lua_Debug *where);
/* A message handler for lua_pcall: the error as text and, where that says more, the calls in the recipe. */
int icl__lua_traceback(lua_State *L);

/* ---- tensor.c, state.c ---- */

/* Pushes a handle without a tensor; the function that is called next puts a reference into the slot. */
icl_tensor **icl__lua_new_tensor(lua_State *L);
icl_state **icl__lua_new_state(lua_State *L);

/* The tensor at `arg`; a state stands for its current version, which replaces it on the stack. */
icl_tensor *icl__lua_check_tensor(lua_State *L, int arg);
icl_state *icl__lua_check_state(lua_State *L, int arg);
/* The state at `index`, or NULL if something else is there. */
icl_state *icl__lua_test_state(lua_State *L, int index);
bool icl__lua_is_tensor(lua_State *L, int index);

/* Pushes a userdata with the elements of a tensor in its own dtype. */
void *icl__lua_push_values(lua_State *L, icl_tensor *tensor);

/* Raises unless a tensor, a state or a number is at `arg`. */
void icl__lua_check_value(lua_State *L, int arg);
/* A reference to what such a value means in arithmetic. Raises nothing. */
icl_status icl__lua_value(lua_State *L, int index, icl_engine *engine, icl_tensor **result);

/* ---- interrupt.c: only the executable installs signal handlers ---- */

/* INT and TERM end what is running with an error that pcall cannot swallow; a second one kills the process. */
void icl__lua_catch_signals(lua_State *L);
/* The signal that came, after which handlers are in place again; 0 if none came. */
int icl__lua_take_signal(lua_State *L);
/* After a signal: makes the thread L stop as well, in case it is a coroutine that began before. */
void icl__lua_poll_signal(lua_State *L);
/* The engine whose evaluation a signal is to stop; NULL: none. */
void icl__lua_watch_engine(icl_engine *engine);

/* ---- what the files add to the table icl.core, which is on top of the stack ---- */

void icl__lua_engine_functions(lua_State *L);
void icl__lua_tensor_functions(lua_State *L);
void icl__lua_state_functions(lua_State *L);
void icl__lua_op_functions(lua_State *L);
void icl__lua_gradient_functions(lua_State *L);
void icl__lua_step_functions(lua_State *L);
void icl__lua_system_functions(lua_State *L);
void icl__lua_json_functions(lua_State *L);
void icl__lua_run_functions(lua_State *L);
void icl__lua_library_functions(lua_State *L);
void icl__lua_describe_functions(lua_State *L);
void icl__lua_file_functions(lua_State *L);
void icl__lua_image_functions(lua_State *L);
void icl__lua_prompt_functions(lua_State *L);

/* ---- library.c: the Lua library inside the program ---- */

/* Makes require find icl.core and the modules of lua/icl. */
void icl__lua_install(lua_State *L);
int luaopen_icl_core(lua_State *L);
int luaopen_icl(lua_State *L); /* what `require "icl"` of a stock interpreter calls */

#endif
