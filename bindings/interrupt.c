/* interrupt.c - stopping on INT and TERM. The handler sets a flag, asks the engine to stop between two phases, and sets
 * a hook that raises an error at the next instruction of Lua.
 *
 * A script cannot swallow that error with pcall: once some instructions have passed, in which scopes may close, the
 * hook raises it again before every instruction, until icl__lua_take_signal() ends it. A second signal kills the
 * process. */
#include "binding.h"

#include <errno.h>
#include <signal.h>

static lua_State *volatile main_thread; /* NULL: no handlers are installed */
static icl_engine *volatile watched;
static volatile sig_atomic_t pending;
static int raised; /* times since the signal */

enum { EVERY_EVENT = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, GRACE = 1000 };

static void stop(lua_State *L, lua_Debug *event) {
  (void)event;
  if (raised++ == 0)
    lua_sethook(L, stop, LUA_MASKCOUNT, GRACE);
  else
    lua_sethook(L, stop, EVERY_EVENT, 1);
  icl__lua_fail(L, "stopped by %s", pending == SIGTERM ? "TERM" : "INT");
}

static void handle(int signal_number) {
  int before = errno;
  if (pending) {
    signal(signal_number, SIG_DFL);
    raise(signal_number);
  } else {
    pending = signal_number;
    if (watched)
      icl_engine_interrupt(watched);
    lua_sethook(main_thread, stop, EVERY_EVENT, 1);
  }
  errno = before;
}

/* What a shell made a job in the background ignore stays ignored. */
static void catch_signal(int signal_number) {
  struct sigaction before, action = {.sa_handler = handle};
  sigemptyset(&action.sa_mask);
  if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
    sigaction(signal_number, &action, NULL);
}

void icl__lua_catch_signals(lua_State *L) {
  main_thread = L;
  catch_signal(SIGINT);
  catch_signal(SIGTERM);
}

int icl__lua_take_signal(lua_State *L) {
  int taken = pending;
  if (!taken)
    return 0;
  lua_sethook(L, NULL, 0, 0);
  lua_sethook(main_thread, NULL, 0, 0);
  if (watched)
    icl_engine_resume(watched);
  raised = 0;
  pending = 0;
  return taken;
}

void icl__lua_poll_signal(lua_State *L) {
  if (pending && !lua_gethook(L))
    lua_sethook(L, stop, EVERY_EVENT, 1);
}

void icl__lua_watch_engine(icl_engine *engine) { watched = engine; }
