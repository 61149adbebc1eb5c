/* interrupt.c - stopping on INT and TERM. The handler sets a flag, asks the engine to stop between two phases, and sets
 * a hook that raises an error at the next instruction of Lua.
 *
 * A script cannot swallow that error with pcall: once some instructions have passed, in which scopes may close and put
 * back what they changed, such as the mode of each layer of a network, the hook raises it again before every
 * instruction, until icl__lua_take_signal() ends it. Where that takes longer than people are patient, a second signal
 * kills the process; one that comes sooner is taken for the same wish. */
#include "interrupt.h"

#include "error.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

static lua_State *volatile main_thread; /* NULL: no handlers are installed */
static icl_engine *volatile watched;
static atomic_int pending;
static volatile struct timespec came; /* when `pending` did */
static int raised;                    /* times since the signal */

enum { PATIENCE_MS = 1000 }; /* between two signals of which the second kills */
enum { EVERY_EVENT = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, GRACE = 100000 };
enum { WATCH = 10000 }; /* instructions of a coroutine between two looks for a signal */

static void watch(lua_State *L, lua_Debug *event);

static void stop(lua_State *L, lua_Debug *event) {
  (void)event;
  if (!pending) { /* a coroutine that lived on when the signal was taken */
    lua_sethook(L, watch, LUA_MASKCOUNT, WATCH);
    return;
  }
  if (raised++ == 0)
    lua_sethook(L, stop, LUA_MASKCOUNT, GRACE);
  else
    lua_sethook(L, stop, EVERY_EVENT, 1);
  icl__lua_fail(L, "stopped by %s", pending == SIGTERM ? "TERM" : "INT");
}

/* ---- coroutines, which a handler cannot know ---- */

static void watch(lua_State *L, lua_Debug *event) {
  if (pending)
    stop(L, event);
}

/* coroutine.create and coroutine.wrap, the upvalue, with a hook in the new thread that looks for signals. */
static int make_coroutine(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  if (lua_isthread(L, 1))
    lua_pushvalue(L, 1);
  else
    lua_getupvalue(L, 1, 1); /* of the function that wrap made */
  lua_sethook(lua_tothread(L, 2), watch, LUA_MASKCOUNT, WATCH);
  lua_settop(L, 1);
  icl__lua_poll_signal(L);
  return 1;
}

static void watch_coroutines(lua_State *L) {
  static const char *const makers[] = {"create", "wrap"};
  lua_getglobal(L, "coroutine");
  for (int i = 0; i < 2; i++) {
    lua_getfield(L, -1, makers[i]);
    lua_pushcclosure(L, make_coroutine, 1);
    lua_setfield(L, -2, makers[i]);
  }
  lua_pop(L, 1);
}

/* ---- signals ---- */

/* Stops what runs. */
static void ask_to_stop(void) {
  if (watched)
    icl_engine_interrupt(watched);
  lua_sethook(main_thread, stop, EVERY_EVENT, 1);
}

static bool is_impatient(const struct timespec *now) {
  int64_t passed = (int64_t)(now->tv_sec - came.tv_sec) * 1000 + (now->tv_nsec - came.tv_nsec) / 1000000;
  return passed >= PATIENCE_MS;
}

static void handle(int signal_number) {
  int before = errno;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!pending) {
    pending = signal_number;
    came.tv_sec = now.tv_sec, came.tv_nsec = now.tv_nsec;
    ask_to_stop();
  } else if (is_impatient(&now)) {
    signal(signal_number, SIG_DFL);
    raise(signal_number);
  } else if (signal_number == SIGTERM) {
    pending = signal_number; /* which ends more than INT does */
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
  watch_coroutines(L);
  catch_signal(SIGINT);
  catch_signal(SIGTERM);
}

int icl__lua_take_signal(lua_State *L) {
  int taken = atomic_exchange(&pending, 0);
  if (!taken)
    return 0;
  raised = 0;
  lua_sethook(L, NULL, 0, 0);
  lua_sethook(main_thread, NULL, 0, 0);
  if (watched)
    icl_engine_resume(watched);
  if (pending) /* one more came just now */
    ask_to_stop();
  return taken;
}

void icl__lua_poll_signal(lua_State *L) {
  if (pending && lua_gethook(L) != stop)
    lua_sethook(L, stop, EVERY_EVENT, 1);
}

void icl__lua_watch_engine(icl_engine *engine) { watched = engine; }
