/* suggest.c - what a mistyped name was probably meant to be: the one at the least distance, if that is small. */
#include "suggest.h"

#include <string.h>

static int least(int a, int b) { return a < b ? a : b; }

/* Letters inserted, left out, changed, or exchanged with their neighbours (Levenshtein, Damerau). `scratch` holds three
 * rows of n + 1 numbers. */
static int distance(const char *a, size_t m, const char *b, size_t n, int *scratch) {
  int *before = scratch, *above = before + n + 1, *row = above + n + 1;
  for (size_t j = 0; j <= n; j++)
    above[j] = (int)j;
  for (size_t i = 1; i <= m; i++) {
    row[0] = (int)i;
    for (size_t j = 1; j <= n; j++) {
      row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = least(row[j], before[j - 2] + 1);
    }
    int *free_row = before;
    before = above;
    above = row;
    row = free_row;
  }
  return above[n];
}

typedef struct {
  const char *name, *best; /* best: NULL while nothing is like the name */
  int distance;            /* of the best; at first what is too much */
} search;

/* Looks at the candidate on top of the stack. Of keys, which have no order, the first of the alphabet wins a tie. */
static void consider(lua_State *L, search *s, bool is_key) {
  size_t length = strlen(s->name), n;
  const char *candidate = lua_tolstring(L, -1, &n);
  int d = distance(s->name, length, candidate, n, lua_newuserdatauv(L, 3 * (n + 1) * sizeof(int), 0));
  lua_pop(L, 1);
  if (!strncmp(candidate, s->name, length))
    d = least(d, 1);
  if (d < s->distance || (is_key && s->best && d == s->distance && strcmp(candidate, s->best) < 0)) {
    s->best = candidate;
    s->distance = d;
  }
}

void icl__lua_push_suggestion(lua_State *L, const char *name, int names) {
  int length = (int)strlen(name), most = length > 5 ? length / 3 : length > 1;
  search s = {name, NULL, most + 1};
  names = lua_absindex(L, names);
  for (lua_Unsigned i = 1; i <= lua_rawlen(L, names); i++) {
    if (lua_rawgeti(L, names, (lua_Integer)i) == LUA_TSTRING)
      consider(L, &s, false);
    lua_pop(L, 1);
  }
  for (lua_pushnil(L); lua_next(L, names);) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING)
      consider(L, &s, true);
  }
  if (s.best)
    lua_pushfstring(L, " (did you mean %s?)", s.best);
  else
    lua_pushliteral(L, "");
}

/* suggestion(name, names) -> " (did you mean X?)", or "" */
static int suggestion(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  icl__lua_push_suggestion(L, name, 2);
  return 1;
}

/* ---- names that others have ---- */

static const char ELSEWHERE[] = "icl.elsewhere";

bool icl__lua_push_elsewhere(lua_State *L, const char *name) {
  int top = lua_gettop(L);
  if (lua_getfield(L, LUA_REGISTRYINDEX, ELSEWHERE) == LUA_TTABLE && lua_getfield(L, -1, name) == LUA_TSTRING) {
    lua_remove(L, -2);
    return true;
  }
  lua_settop(L, top);
  return false;
}

/* elsewhere({ name = text }): what errors say of methods that are looked for by a name that they have elsewhere */
static int elsewhere(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, ELSEWHERE);
  return 0;
}

void icl__lua_suggest_functions(lua_State *L) {
  static const luaL_Reg functions[] = {{"suggestion", suggestion}, {"elsewhere", elsewhere}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
