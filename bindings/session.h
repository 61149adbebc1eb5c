/* session.h - what the binding keeps for each Lua state; for the files that share it. */
#ifndef ICL_BINDINGS_SESSION_H
#define ICL_BINDINGS_SESSION_H

#include "binding.h"

/* A call of a module, and the line of the recipe from which it was reached. */
typedef struct {
  const void *frame; /* of the function that calls the module's forward */
  int line;          /* 0: nobody has asked yet */
  char source[LUA_IDSIZE];
} icl__lua_module_call;
enum { ICL__LUA_MODULE_CALLS = 32 };

/* A userdata in the registry. It is made before any tensor, so Lua's finalizers, which run in reverse order, close the
 * engine last. */
typedef struct {
  icl_engine *engine; /* NULL: not yet opened, or closed */
  bool closed;
  bool profile;       /* the profile is printed when the engine closes */
  int no_grad;        /* depth of no_grad_begin */
  bool coroutines;    /* the step or a scope of no_grad may belong to one, which may be abandoned */
  size_t limit;       /* bytes of values from which on the next handle starts a full collection */
  lua_State *running; /* the Lua thread of the backward pass: gradient functions run on it */
  bool raised;        /* a gradient function raised an error, which waits as a user value */
  int calls;          /* of modules that the main thread is in; those beyond the array are not in it */
  icl__lua_module_call call[ICL__LUA_MODULE_CALLS];
} icl__lua_session;

/* Its user values. */
enum {
  ICL__LUA_SETTINGS = 1, /* table: what configure was given */
  ICL__LUA_LAYER,        /* path of the layer that is being called, for messages */
  ICL__LUA_RAISED,       /* the error of a gradient function */
  ICL__LUA_OWNERS,       /* table: the threads that the step and scopes of no_grad belong to; see owner.c */
  ICL__LUA_USER_VALUES = ICL__LUA_OWNERS
};

/* Makes it, unless it is there already; close() is its finalizer. */
void icl__lua_make_session(lua_State *L, lua_CFunction close);
icl__lua_session *icl__lua_session_of(lua_State *L);
/* The same, and leaves the userdata on the stack. */
icl__lua_session *icl__lua_push_session(lua_State *L);

#endif
