/* interrupt.h - stopping on INT and TERM. Only the executable installs signal handlers. */
#ifndef ICL_BINDINGS_INTERRUPT_H
#define ICL_BINDINGS_INTERRUPT_H

#include "binding.h"

/* Between two signals that are one wish: timeout(1) sends to the process, and then to its group. */
enum { ICL__TWICE_MS = 200 };

/* INT and TERM end what is running with an error that pcall cannot swallow; a second one after a while kills the
 * process. */
void icl__lua_catch_signals(lua_State *L);
/* The signal that came, after which handlers are in place again; 0 if none came. */
int icl__lua_take_signal(lua_State *L);
/* After a signal: makes the thread L stop as well, in case it is a coroutine that began before. */
void icl__lua_poll_signal(lua_State *L);
/* The engine whose evaluation a signal is to stop; NULL: none. */
void icl__lua_watch_engine(icl_engine *engine);
/* A call that is protected against signals begins, in which nothing is deferred; -> what its end gets, which puts back
 * what was deferred around it. */
unsigned icl__lua_begin_call(void);
void icl__lua_end_call(unsigned outer);

void icl__lua_interrupt_functions(lua_State *L);

#endif
