/* prompt.c - icl.core.prompt: lines typed at a terminal. libedit edits them where it is built in; otherwise, and where
 * input or output is no terminal, they are read as they come. What is completed, remembered and kept in files is
 * decided in lua/icl/repl. */
#include "prompt.h"

#include "error.h"

#include "interrupt.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#ifndef ICL_WITH_EDIT
#define ICL_WITH_EDIT 0
#endif
#if ICL_WITH_EDIT
#include <histedit.h>
#include <langinfo.h>
#endif

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCONT, SIGWINCH};
enum { SIGNALS = sizeof signals / sizeof *signals };

typedef struct {
  struct sigaction outer[SIGNALS]; /* what signals meant before the prompt caught them */
  bool catching;
  lua_State *L; /* of the read that is under way */
  const char *prompt;
  int caught; /* a signal that ended the read, or 0 */
  char *text; /* a line read without an editor */
  size_t bytes, capacity;
#if ICL_WITH_EDIT
  EditLine *line; /* NULL: no editor */
  History *history;
#endif
} editor;

static const char editor_name[] = "icl.prompt";

/* ---- signals ----
 *
 * While the prompt has the word, a handler writes the signal's number into a pipe, which is polled together with the
 * input: no signal is missed, whatever thread it reaches. While a line runs they mean what they meant before. */

static int wake[2] = {-1, -1};

static void on_signal(int number) {
  int error = errno;
  unsigned char byte = (unsigned char)number;
  (void)!write(wake[1], &byte, 1);
  errno = error;
}

static void catch_signals(editor *e) {
  struct sigaction action = {.sa_handler = on_signal};
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < SIGNALS; i++)
    sigaction(signals[i], &action, &e->outer[i]);
  e->catching = true;
}

static void release_signals(editor *e) {
  if (!e->catching)
    return;
  for (int i = 0; i < SIGNALS; i++)
    sigaction(signals[i], &e->outer[i], NULL);
  e->catching = false;
}

/* What a signal means for the line; false: the read ends. */
static bool handle_signal(editor *e, int number) {
#if ICL_WITH_EDIT
  if (e->line && number == SIGCONT) {
    el_set(e->line, EL_PREP_TERM, 1);
    el_set(e->line, EL_REFRESH);
  } else if (e->line && number == SIGWINCH) {
    el_resize(e->line);
  }
#endif
  if (number == SIGCONT || number == SIGWINCH)
    return true;
  e->caught = number;
  return false;
}

/* The next byte of the input: 1; 0 at the end; -1 if a signal ends the read. */
static int read_byte(editor *e, char *byte) {
  for (;;) {
    struct pollfd sources[] = {{STDIN_FILENO, POLLIN, 0}, {wake[0], POLLIN, 0}};
    if (poll(sources, 2, -1) < 0 && errno != EINTR)
      return 0;
    unsigned char number;
    if (read(wake[0], &number, 1) == 1) {
      if (!handle_signal(e, number))
        return -1;
      continue;
    }
    if (!sources[0].revents)
      continue;
    ssize_t got = read(STDIN_FILENO, byte, 1);
    if (got >= 0 || errno != EINTR)
      return got > 0 ? 1 : 0;
  }
}

/* ---- without an editor ---- */

/* A line up to its end, or to the end of the input. NULL: there is none. */
static const char *read_plain(editor *e) {
  fputs(e->prompt, stdout);
  fflush(stdout);
  e->bytes = 0;
  int got;
  char byte;
  while ((got = read_byte(e, &byte)) > 0 && byte != '\n') {
    char *grown = icl__grow(e->text, &e->capacity, e->bytes + 2, 1);
    if (!grown)
      return NULL;
    e->text = grown;
    e->text[e->bytes++] = byte;
  }
  if (got < 0 || (got == 0 && e->bytes == 0))
    return NULL;
  if (e->bytes == 0)
    return "";
  e->text[e->bytes] = 0;
  return e->text;
}

/* ---- with libedit ---- */

#if ICL_WITH_EDIT
static int read_character(EditLine *line, wchar_t *result) {
  editor *e;
  el_get(line, EL_CLIENTDATA, &e);
  mbstate_t state = {0};
  for (;;) {
    char byte;
    int got = read_byte(e, &byte);
    if (got <= 0)
      return got;
    size_t used = mbrtowc(result, &byte, 1, &state);
    if (used == 0 || used == 1)
      return 1;
    if (used == (size_t)-1)
      state = (mbstate_t){0}; /* bytes that are no character are left out */
  }
}

static char *show_prompt(EditLine *line) {
  editor *e;
  el_get(line, EL_CLIENTDATA, &e);
  return (char *)(uintptr_t)e->prompt;
}

/* Lua: (LineInfo) -> what the completion function says about the line up to the cursor. */
static int call_completion(lua_State *L) {
  const LineInfo *info = lua_touserdata(L, 2);
  lua_getiuservalue(L, 1, 1);
  lua_pushlstring(L, info->buffer, (size_t)(info->cursor - info->buffer));
  lua_call(L, 1, 2);
  return 2;
}

/* Tab. The completion function returns what to insert and a text to show below the line. */
static unsigned char complete(EditLine *line, int key) {
  (void)key;
  editor *e;
  el_get(line, EL_CLIENTDATA, &e);
  lua_State *L = e->L;
  unsigned char action = CC_ERROR;
  int top = lua_gettop(L);
  lua_pushcfunction(L, call_completion);
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, (void *)(uintptr_t)el_line(line));
  if (lua_pcall(L, 2, 2, 0) == LUA_OK) {
    const char *insert = lua_tostring(L, -2), *shown = lua_tostring(L, -1);
    if (insert && *insert && el_insertstr(line, insert) == 0)
      action = CC_REFRESH;
    if (shown) {
      printf("\n%s\n", shown);
      fflush(stdout);
      action = CC_REDISPLAY;
    }
  }
  lua_settop(L, top);
  return action;
}

/* The editor takes what is no character of the locale for noise, so where there is only ASCII it gets UTF-8. */
static void set_locale(void) {
  if (!setlocale(LC_CTYPE, "") || !strcmp(nl_langinfo(CODESET), "ANSI_X3.4-1968"))
    setlocale(LC_CTYPE, "C.UTF-8");
}

/* An editor where input and output are terminals that can move the cursor. */
static void open_line(editor *e, int limit) {
  const char *terminal = getenv("TERM");
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !terminal || strcmp(terminal, "dumb") == 0)
    return;
  set_locale();
  e->history = history_init();
  e->line = e->history ? el_init("icl", stdin, stdout, stderr) : NULL;
  if (!e->line)
    return;
  HistEvent event;
  history(e->history, &event, H_SETSIZE, limit);
  history(e->history, &event, H_SETUNIQUE, 1);
  el_set(e->line, EL_CLIENTDATA, e);
  el_set(e->line, EL_SIGNAL, 0);
  el_set(e->line, EL_GETCFN, read_character);
  el_set(e->line, EL_PROMPT, show_prompt);
  el_set(e->line, EL_EDITOR, "emacs");
  el_set(e->line, EL_HIST, history, e->history);
  el_wset(e->line, EL_ADDFN, L"icl-complete", L"Complete a name", complete);
  el_set(e->line, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_source(e->line, NULL); /* ~/.editrc */
  el_set(e->line, EL_BIND, "\t", "icl-complete", NULL);
}

static const char *read_line(editor *e) {
  if (!e->line)
    return read_plain(e);
  int count;
  el_resize(e->line);               /* in case the terminal changed while a line ran */
  el_set(e->line, EL_PREP_TERM, 1); /* before the prompt is seen, or keys pressed at once would be taken literally */
  return el_gets(e->line, &count);
}
#else
static void open_line(editor *e, int limit) { (void)e, (void)limit; }
static const char *read_line(editor *e) { return read_plain(e); }
#endif

/* ---- Lua ---- */

/* prompt.open(complete, limit): an editor, which catches signals until it is closed. complete(line up to the cursor) ->
 * what to insert there, and a text to show; limit: lines that can be recalled. */
static int prompt_open(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  int limit = (int)luaL_checkinteger(L, 2);
  editor *e = lua_newuserdatauv(L, sizeof *e, 1);
  *e = (editor){0};
  luaL_setmetatable(L, editor_name);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  if (wake[0] < 0 && pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0)
    return luaL_error(L, "the prompt cannot open a pipe: %s", strerror(errno));
  catch_signals(e);
  open_line(e, limit);
  return 1;
}

/* editor:read(prompt): a line without its end, or several where an entry of such was recalled; nil at the end of the
 * input; nil and the number of the signal (INT, TERM, HUP) that came meanwhile. */
static int editor_read(lua_State *L) {
  editor *e = luaL_checkudata(L, 1, editor_name);
  e->prompt = luaL_checkstring(L, 2);
  e->L = L;
  e->caught = 0;
  const char *text = read_line(e);
  if (e->caught) {
    lua_pushnil(L);
    lua_pushinteger(L, e->caught);
    return 2;
  }
  if (!text) {
    lua_pushnil(L);
    return 1;
  }
  size_t bytes = strlen(text);
  lua_pushlstring(L, text, bytes && text[bytes - 1] == '\n' ? bytes - 1 : bytes);
  return 1;
}

/* editor:call(f, ...): what icl.core.call, the upvalue, makes of it, with signals meaning what they mean outside of the
 * prompt. One that comes too late to stop f is forgotten. */
static int editor_call(lua_State *L) {
  editor *e = luaL_checkudata(L, 1, editor_name);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 2);
  release_signals(e);
  int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
  catch_signals(e);
  icl__lua_take_signal(L);
  if (status != LUA_OK) {
    lua_pushboolean(L, false);
    lua_insert(L, -2);
  }
  return lua_gettop(L) - 1;
}

/* editor:remember(text): it can be recalled. */
static int editor_remember(lua_State *L) {
  editor *e = luaL_checkudata(L, 1, editor_name);
  const char *text = luaL_checkstring(L, 2);
#if ICL_WITH_EDIT
  HistEvent event;
  if (e->history)
    history(e->history, &event, H_ENTER, text);
#else
  (void)e, (void)text;
#endif
  return 0;
}

/* editor:close(): signals mean again what they meant before it. */
static int editor_close(lua_State *L) {
  editor *e = luaL_checkudata(L, 1, editor_name);
  release_signals(e);
#if ICL_WITH_EDIT
  if (e->line)
    el_end(e->line);
  if (e->history)
    history_end(e->history);
#endif
  icl__free(e->text);
  memset(e, 0, sizeof *e);
  return 0;
}

/* ---- files ---- */

/* Creates the folders that lead to a file, for its owner only. */
static bool make_folders(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
    *slash = '/';
    if (!made)
      return false;
  }
  return true;
}

/* prompt.append(path, text): adds to the end of a file in one piece; it and its folders are created for the owner only.
 * true, or nil and a message. */
static int prompt_append(lua_State *L) {
  size_t bytes;
  const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &bytes);
  char *copy = lua_newuserdatauv(L, strlen(path) + 1, 0);
  strcpy(copy, path);
  int fd = make_folders(copy) ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
  bool written = fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes;
  int error = errno;
  if (fd >= 0)
    close(fd);
  if (!written) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: cannot write it: %s", path, strerror(error));
    return 2;
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* prompt.replace(path, text): a file as a whole, or not at all. true, or nil and a message. */
static int prompt_replace(lua_State *L) {
  size_t bytes;
  const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &bytes);
  return icl__lua_push_outcome(L, icl__file_write(path, text, bytes));
}

void icl__lua_prompt_functions(lua_State *L) {
  static const luaL_Reg methods[] = {{"read", editor_read},
                                     {"call", editor_call},
                                     {"remember", editor_remember},
                                     {"close", editor_close},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"open", prompt_open},
      {"append", prompt_append},
      {"replace", prompt_replace},
      {NULL, NULL},
  };
  luaL_newmetatable(L, editor_name);
  lua_pushcfunction(L, editor_close);
  lua_setfield(L, -2, "__gc");
  luaL_newlibtable(L, methods);
  lua_getfield(L, -3, "call");
  luaL_setfuncs(L, methods, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "prompt");
}
