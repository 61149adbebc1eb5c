/* guard.c - things that must be freed, whatever error passes. */
#include "guard.h"

typedef struct {
  void *object;
  void (*release)(void *);
} guard;

static int release_guard(lua_State *L) {
  guard *g = lua_touserdata(L, 1);
  if (g->object)
    g->release(g->object);
  g->object = NULL;
  return 0;
}

void **icl__lua_guard(lua_State *L, void (*release)(void *)) {
  guard *g = lua_newuserdatauv(L, sizeof *g, 0);
  *g = (guard){NULL, release};
  if (luaL_newmetatable(L, "icl.guard")) {
    lua_pushcfunction(L, release_guard);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return &g->object;
}
