/* interrupt.c - stopping on INT and TERM; USR2 is TERM by another name, from a launcher that kills the processes which
 * it gives TERM itself before they have answered. The handler sets a flag, asks the engine to stop between two phases,
 * and sets a hook that raises an error at the next instruction of Lua.
 *
 * A script cannot swallow that error with pcall: once some instructions have passed, in which scopes may close and put
 * back what they changed, such as the mode of each layer of a network, the hook raises it again before every
 * instruction, until icl__lua_take_signal() ends it. Where that takes longer than people are patient, a second signal
 * kills the process; one that comes sooner is taken for the same wish.
 *
 * While a script defers signals, the first one is only noted, for the script to ask about where it can stop. */
#include "interrupt.h"

#include "error.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "group/group.h"

static lua_State *volatile main_thread; /* NULL: no handlers are installed */
static icl_engine *volatile watched;
static atomic_int pending;
static atomic_bool deferring;
static atomic_int noted;              /* the signal that came while they are deferred, and was not taken */
static volatile struct timespec came; /* when `pending` or `noted` did */
static int raised;                    /* times since the signal */

enum { PATIENCE_MS = 1000 }; /* between two signals of which the second kills */
enum { EVERY_EVENT = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, GRACE = 100000 };
enum { WATCH = 10000 }; /* instructions of a coroutine between two looks for a signal */

/* The names that Lua gives and gets; the first two leave the program, the others are only known while deferred. */
static const char *const names[] = {"INT", "TERM", "HUP", "USR1", NULL};
static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
enum { LEAVING = 2, KNOWN = 4, TO_LEAVE = (1 << LEAVING) - 1 };

static const char *name_of(int signal_number) {
  int i = 0;
  while (numbers[i] != signal_number)
    i++;
  return names[i];
}

static bool leaves(int signal_number) { return signal_number == SIGINT || signal_number == SIGTERM; }

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
  icl__lua_fail(L, "stopped by %s", name_of(pending));
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
  icl__group_interrupt();
  lua_sethook(main_thread, stop, EVERY_EVENT, 1);
}

static bool has_passed(const struct timespec *now, int milliseconds) {
  int64_t passed = (int64_t)(now->tv_sec - came.tv_sec) * 1000 + (now->tv_nsec - came.tv_nsec) / 1000000;
  return passed >= milliseconds;
}

static void set_time(const struct timespec *now) { came.tv_sec = now->tv_sec, came.tv_nsec = now->tv_nsec; }

/* Notes a signal for the script. False: it is a second one to leave, which the script has not answered. */
static bool note(int signal_number, const struct timespec *now) {
  int before = noted;
  if (!leaves(signal_number)) {
    int none = 0;
    atomic_compare_exchange_strong(&noted, &none, signal_number);
    return true;
  }
  if (leaves(before) && has_passed(now, ICL__TWICE_MS))
    return false;
  if (!leaves(before))
    set_time(now);
  if (!leaves(before) || signal_number == SIGTERM)
    noted = signal_number;
  return true;
}

/* INT or TERM that is not deferred. */
static void stop_or_die(int signal_number, const struct timespec *now) {
  if (!pending) {
    noted = 0;
    pending = signal_number;
    set_time(now);
    ask_to_stop();
  } else if (has_passed(now, PATIENCE_MS)) {
    signal(signal_number, SIG_DFL);
    raise(signal_number);
  } else if (signal_number == SIGTERM) {
    pending = signal_number; /* which ends more than INT does */
  }
}

static void handle(int signal_number) {
  int before = errno;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (signal_number == SIGUSR2)
    signal_number = SIGTERM;
  bool is_noted = (deferring || !leaves(signal_number)) && !pending && note(signal_number, &now);
  if (!is_noted && leaves(signal_number))
    stop_or_die(signal_number, &now);
  errno = before;
}

/* What a shell made a job in the background ignore stays ignored. `flags` are those of sigaction(). */
static void catch_signal(int signal_number, int flags) {
  struct sigaction before, action = {.sa_handler = handle, .sa_flags = flags};
  sigemptyset(&action.sa_mask);
  if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
    sigaction(signal_number, &action, NULL);
}

static void catch_those_to_leave(int flags) {
  for (int i = 0; i < LEAVING; i++)
    catch_signal(numbers[i], flags);
  catch_signal(SIGUSR2, flags);
}

void icl__lua_catch_signals(lua_State *L) {
  main_thread = L;
  watch_coroutines(L);
  catch_those_to_leave(0);
}

int icl__lua_take_signal(lua_State *L) {
  int taken = atomic_exchange(&pending, 0);
  if (!taken)
    return 0;
  raised = 0;
  if (L != main_thread)
    lua_sethook(L, watch, LUA_MASKCOUNT, WATCH);
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

/* ---- deferral ----
 *
 * Calls of the system that a noted signal interrupts go on: the script goes on too, and would take a line that was only
 * written in part for an error. HUP and USR1 have a handler only while they are asked for, also where they were
 * ignored: what they mean then is not the end. */

typedef struct {
  bool caught;
  struct sigaction before;
} other_signal;

static other_signal others[KNOWN]; /* those of HUP and USR1 */

static void catch_other(int i) {
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  if (!others[i].caught)
    others[i].caught = sigaction(numbers[i], &action, &others[i].before) == 0;
}

static void release_other(int i) {
  if (others[i].caught)
    sigaction(numbers[i], &others[i].before, NULL);
  others[i].caught = false;
}

/* `asked`: a bit for each of `numbers`; 0 ends deferral. */
static void defer(unsigned asked) {
  if (!main_thread)
    return;
  bool to_leave = asked & TO_LEAVE;
  if (to_leave)
    deferring = true;
  catch_those_to_leave(to_leave ? SA_RESTART : 0);
  for (int i = LEAVING; i < KNOWN; i++)
    if (asked & 1u << i)
      catch_other(i);
    else
      release_other(i);
  if (!to_leave)
    deferring = false;
}

/* The signals that are deferred, as defer() gets them. */
static unsigned deferred(void) {
  unsigned asked = deferring ? TO_LEAVE : 0;
  for (int i = LEAVING; i < KNOWN; i++)
    asked |= (unsigned)others[i].caught << i;
  return asked;
}

/* Leaves with this signal as if it came now. */
static void leave_with(int signal_number) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!pending)
    stop_or_die(signal_number, &now);
}

/* A signal that nobody took is not lost. */
static void end_deferral(void) {
  defer(0);
  int left = atomic_exchange(&noted, 0);
  if (leaves(left))
    leave_with(left);
}

unsigned icl__lua_begin_call(void) {
  unsigned outer = deferred();
  if (outer)
    end_deferral();
  return outer;
}

void icl__lua_end_call(unsigned outer) {
  end_deferral();
  if (outer)
    defer(outer);
}

/* signals_defer(true [, { "HUP", "USR1" }]): from now on the first INT or TERM, and those of the list, are only noted;
 * a second INT or TERM stops at once. signals_defer(false) ends it, and so does the end of core.call. One that was
 * noted and not taken stops then. signals_defer(false, list) notes those of the list alone. */
static int signals_defer(lua_State *L) {
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  unsigned asked = lua_toboolean(L, 1) ? TO_LEAVE : 0;
  bool ends = !asked && deferring;
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
      asked |= 1u << luaL_checkoption(L, 3, NULL, names);
      lua_settop(L, 2);
    }
  }
  if (ends || !asked)
    end_deferral();
  if (asked)
    defer(asked);
  icl__lua_poll_signal(L);
  return 0;
}

static int push_name(lua_State *L, int signal_number) {
  if (signal_number)
    lua_pushstring(L, name_of(signal_number));
  else
    lua_pushnil(L);
  return 1;
}

/* signal_pending() -> "INT", "TERM", "HUP" or "USR1", the signal that was noted and not taken; nil: none. As long as
 * one is there, a second INT or TERM stops at once: who needs time to answer takes it afterwards. */
static int signal_pending(lua_State *L) { return push_name(L, noted); }

/* signal_take() -> the same; the next signal is a first one again */
static int signal_take(lua_State *L) { return push_name(L, atomic_exchange(&noted, 0)); }

/* signal_raise("INT" or "TERM"): leaves the program as that signal does that is not deferred */
static int signal_raise(lua_State *L) {
  static const char *const leaving[] = {"INT", "TERM", NULL};
  int signal_number = numbers[luaL_checkoption(L, 1, NULL, leaving)];
  if (!main_thread) { /* the signals are those of the program that loaded the library */
    raise(signal_number);
    return 0;
  }
  leave_with(signal_number);
  icl__lua_poll_signal(L);
  stop(L, NULL);
  return 0;
}

static void do_nothing(int signal_number) { (void)signal_number; }

/* signals_survive_pipes(): from now on PIPE does not end the program; what is written into a pipe that nobody reads any
 * more fails. Programs that it starts have the signal as it was. */
static int signals_survive_pipes(lua_State *L) {
  (void)L;
  struct sigaction before, action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  if (main_thread && sigaction(SIGPIPE, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
    sigaction(SIGPIPE, &action, NULL);
  return 0;
}

void icl__lua_interrupt_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"signals_defer", signals_defer},
      {"signal_pending", signal_pending},
      {"signal_take", signal_take},
      {"signal_raise", signal_raise},
      {"signals_survive_pipes", signals_survive_pipes},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
