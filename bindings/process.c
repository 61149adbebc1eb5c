/* process.c - other programs, which run while this one waits. Signals that would stop or wake this program meanwhile
 * are for the other one; those that the keys of a terminal send reach it by themselves, since both are in one group,
 * unless it is handed them gently. */
#include "process.h"

#include "error.h"
#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

/* Pushes memory for `count` strings and the NULL behind them. */
static char **push_strings(lua_State *L, size_t count) {
  char **strings = lua_newuserdatauv(L, (count + 1) * sizeof *strings, 0);
  strings[count] = NULL;
  return strings;
}

/* The list of strings at `arg`, which stay referenced by it. */
static char **push_words(lua_State *L, int arg) {
  size_t count = lua_rawlen(L, arg);
  if (count == 0)
    icl__lua_fail(L, "spawn: a list of words is needed, of which the first is the program");
  char **words = push_strings(L, count);
  for (size_t i = 0; i < count; i++) {
    if (lua_rawgeti(L, arg, (lua_Integer)i + 1) != LUA_TSTRING)
      icl__lua_fail(L, "spawn: word %d must be a string, not %s", (int)i + 1, luaL_typename(L, -1));
    words[i] = (char *)lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  return words;
}

/* The variables of this program with `entry`, a NAME=VALUE, in place of its own of that name. */
static char **push_variables(lua_State *L, char *entry) {
  size_t count = 0, used = 0, name = strcspn(entry, "=") + 1;
  while (environ[count])
    count++;
  char **variables = push_strings(L, count + 1);
  for (size_t i = 0; i < count; i++)
    if (strncmp(environ[i], entry, name) != 0)
      variables[used++] = environ[i];
  variables[used] = entry;
  variables[used + 1] = NULL;
  return variables;
}

/* What a process is started with: the signal mask that this one had before it began to wait; apart: in a group of its
 * own, so that it has no signals from a terminal but those that it is handed. */
static int start(char **words, char **variables, const sigset_t *mask, bool apart, pid_t *process) {
  posix_spawnattr_t attributes;
  int failure = posix_spawnattr_init(&attributes);
  if (failure)
    return failure;
  posix_spawnattr_setsigmask(&attributes, mask);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | (apart ? POSIX_SPAWN_SETPGROUP : 0));
  failure = posix_spawnp(process, words[0], NULL, &attributes, words, variables);
  posix_spawnattr_destroy(&attributes);
  return failure;
}

/* Waits for the end of a process and hands it the signals of the set, which are blocked; -> its status, as waitpid()
 * has it, or -1. Those from a terminal come to both, unless `asked` is there: then the first INT or TERM is handed on
 * as USR2, and noted in it. */
static int wait_for(pid_t process, const sigset_t *signals, int *asked) {
  double since = 0;
  for (;;) {
    int status;
    pid_t ended = waitpid(process, &status, WNOHANG);
    if (ended == process)
      return status;
    if (ended < 0 && errno != EINTR)
      return -1;
    siginfo_t info;
    int number = sigwaitinfo(signals, &info);
    bool is_for_it = number > 0 && (asked || info.si_code <= 0) && number != SIGCHLD;
    bool ends = is_for_it && asked && (number == SIGTERM || number == SIGINT);
    if (ends && *asked && 1000 * (icl__seconds() - since) < ICL__TWICE_MS)
      continue;
    if (ends && !*asked) {
      *asked = number;
      since = icl__seconds();
      number = SIGUSR2;
    }
    if (is_for_it)
      kill(process, number);
  }
}

/* spawn({ words } [, "NAME=VALUE" [, gently = false]]) -> the exit code of the program that the first word names,
 * 128 + N where signal N ended it. The variable NAME has that value in it. It is handed on the signals that come; with
 * `gently` the first INT or TERM as USR2, and 128 + that is the code unless it ends well. */
static int spawn(lua_State *L) {
  static const int handed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
  enum { SIGNALLED = 128 };
  luaL_checktype(L, 1, LUA_TTABLE);
  char *entry = (char *)luaL_optstring(L, 2, NULL);
  bool gently = lua_toboolean(L, 3);
  lua_settop(L, 2);
  char **words = push_words(L, 1);
  char **variables = entry ? push_variables(L, entry) : environ;
  fflush(NULL);

  sigset_t signals, before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  for (size_t i = 0; i < sizeof handed_on / sizeof *handed_on; i++)
    sigaddset(&signals, handed_on[i]);
  struct sigaction child_before, child = {.sa_handler = SIG_DFL};
  sigaction(SIGCHLD, &child, &child_before); /* where it is ignored, nobody can wait */
  sigprocmask(SIG_BLOCK, &signals, &before);
  pid_t process;
  int asked = 0, failure = start(words, variables, &before, gently, &process);
  int status = failure ? -1 : wait_for(process, &signals, gently ? &asked : NULL);
  if (!failure && status < 0)
    failure = errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  sigaction(SIGCHLD, &child_before, NULL);

  if (failure)
    return icl__lua_fail(L, "cannot run %s: %s", words[0], strerror(failure));
  int code = WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
  lua_pushinteger(L, asked && code ? SIGNALLED + asked : code);
  return 1;
}

void icl__lua_process_functions(lua_State *L) {
  lua_pushcfunction(L, spawn);
  lua_setfield(L, -2, "spawn");
}
