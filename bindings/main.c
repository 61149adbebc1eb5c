/* main.c - the executable icl: a Lua state with the library in it. What the command line means is in
 * lua/icl/program. */
#include "interrupt.h"
#include "library.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Warnings of Lua and of the engine, whose pieces arrive one by one; messages that begin with @ are for Lua itself. */
static void warn(void *state, const char *message, int to_be_continued) {
  bool *within = state;
  if (!*within && !to_be_continued && *message == '@')
    return;
  fprintf(stderr, "%s%s%s", *within ? "" : "icl: warning: ", message, to_be_continued ? "" : "\n");
  *within = to_be_continued;
}

/* Protected: opens the libraries and hands the words of the command line to icl.program; -> exit code. */
static int run(lua_State *L) {
  int words = (int)lua_tointeger(L, 1);
  char **word = lua_touserdata(L, 2);
  luaL_openlibs(L);
  icl__lua_install(L);
  icl__lua_catch_signals(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "icl.program");
  lua_call(L, 1, 1);
  lua_createtable(L, words, 1);
  for (int i = 0; i < words; i++) {
    lua_pushstring(L, word[i]);
    lua_rawseti(L, -2, i);
  }
  lua_call(L, 1, 1);
  return 1;
}

/* Takes the places of standard input, output and error that are closed, so that no file which is opened later gets one
 * of them and our messages with it. Using them is the same error as before. */
static void fill_standard_places(void) {
  for (int place = 0; place <= STDERR_FILENO; place++)
    if (fcntl(place, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", place == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* At exit: output that could not be written is a failure, whatever the script did. Where the failure is a while ago,
 * one more line end asks for its reason. */
static void finish_output(void) {
  bool failed = ferror(stdout);
  errno = 0;
  if (fflush(stdout) == 0 && !failed)
    return;
  if (!errno && write(STDOUT_FILENO, "\n", 1) == 1)
    errno = EIO;
  fprintf(stderr, "icl: cannot write standard output: %s\n", strerror(errno));
  _exit(1);
}

/* Ends the process as that signal would have, so that a shell knows. */
static void die_of(int signal_number) {
  fflush(stdout);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

int main(int argc, char **argv) {
  enum { SIGNALLED = 128 };
  bool within = false;
  fill_standard_places();
  lua_State *L = luaL_newstate();
  if (!L) {
    fputs("icl: out of memory\n", stderr);
    return 1;
  }
  atexit(finish_output);
  signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of writing, not the end */
  lua_setwarnf(L, warn, &within);
  lua_pushcfunction(L, icl__lua_traceback);
  lua_pushcfunction(L, run);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  if (lua_pcall(L, 2, 1, 1) != LUA_OK)
    fprintf(stderr, "icl: %s\n", lua_tostring(L, -1));
  int code = lua_isinteger(L, -1) ? (int)lua_tointeger(L, -1) : 1;
  int signal_number = icl__lua_take_signal(L);
  lua_close(L);
  if (signal_number || code > SIGNALLED)
    die_of(signal_number ? signal_number : code - SIGNALLED);
  return code;
}
