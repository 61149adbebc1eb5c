/* terminal.c - what is known of the terminal, and its keys one by one. */
#include "terminal.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* ---- its size ---- */

/* isatty(fd) -> is 0, 1 or 2, standard input, output or error, a terminal? */
static int is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* Pushes what the terminal says, else what the variable does, else `otherwise`. */
static int push_size(lua_State *L, int size, const char *variable, int otherwise) {
  if (size <= 0 && getenv(variable))
    size = atoi(getenv(variable));
  lua_pushinteger(L, size > 0 ? size : otherwise);
  return 1;
}

static struct winsize size_of_terminal(void) {
  struct winsize size;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size : (struct winsize){0};
}

/* terminal_width() -> columns of the terminal on standard output; 80 if there is none */
static int terminal_width(lua_State *L) { return push_size(L, size_of_terminal().ws_col, "COLUMNS", 80); }

/* terminal_height() -> its lines; 24 if there is none */
static int terminal_height(lua_State *L) { return push_size(L, size_of_terminal().ws_row, "LINES", 24); }

/* ---- its keys ---- */

typedef struct {
  struct termios before;
  bool changed;
} keys;

static const char keys_name[] = "icl.keys";

/* terminal_keys() -> the keys of the terminal on standard input, which until `close` come at once, unseen, Ctrl-C among
 * them; nil if it is no terminal. */
static int terminal_keys(lua_State *L) {
  keys *k = lua_newuserdatauv(L, sizeof *k, 0);
  *k = (keys){0};
  luaL_setmetatable(L, keys_name);
  if (tcgetattr(STDIN_FILENO, &k->before) != 0) {
    lua_pushnil(L);
    return 1;
  }
  struct termios raw = k->before;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  k->changed = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
  return 1;
}

/* keys:read(seconds) -> the bytes of what is pressed, nil if that is nothing within this time; "" at the end */
static int keys_read(lua_State *L) {
  enum { MILLISECONDS = 1000 };
  luaL_checkudata(L, 1, keys_name);
  struct pollfd source = {STDIN_FILENO, POLLIN, 0};
  if (poll(&source, 1, (int)(luaL_checknumber(L, 2) * MILLISECONDS)) <= 0) {
    lua_pushnil(L);
    return 1;
  }
  char bytes[64];
  ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
  lua_pushlstring(L, bytes, count > 0 ? (size_t)count : 0);
  return 1;
}

/* keys:close(): the terminal is as it was. */
static int keys_close(lua_State *L) {
  keys *k = luaL_checkudata(L, 1, keys_name);
  if (k->changed)
    tcsetattr(STDIN_FILENO, TCSADRAIN, &k->before);
  k->changed = false;
  return 0;
}

void icl__lua_terminal_functions(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"read", keys_read}, {"close", keys_close}, {"__gc", keys_close}, {"__close", keys_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"isatty", is_terminal},
                                       {"terminal_width", terminal_width},
                                       {"terminal_height", terminal_height},
                                       {"terminal_keys", terminal_keys},
                                       {NULL, NULL}};
  luaL_newmetatable(L, keys_name);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
