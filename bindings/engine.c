/* engine.c - the engine of a Lua state: settings, opening, closing, and what it tells about itself. */
#include "engine.h"

#include "arguments.h"
#include "error.h"
#include "guard.h"
#include "interrupt.h"
#include "owner.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

#include "backend/registry.h"

/* ---- settings: a table { device =, threads =, ... } ---- */

static const char *const names[] = {"device",    "threads", "shares",        "chunk",     "eager", "profile",
                                    "check_nan", "precise", "deterministic", "precision", "plan",  NULL};
enum setting_type { TEXT, COUNT, FLAG };
static const enum setting_type types[] = {TEXT, COUNT, COUNT, COUNT, FLAG, FLAG, FLAG, FLAG, FLAG, TEXT, TEXT};

/* Is the value on top of the stack of the type of setting i? */
static bool is_right(lua_State *L, int i) {
  int is_integer;
  lua_Integer count = lua_tointegerx(L, -1, &is_integer);
  switch (types[i]) {
  case TEXT:
    return lua_type(L, -1) == LUA_TSTRING;
  case COUNT:
    return lua_type(L, -1) == LUA_TNUMBER && is_integer && count >= 0 && count <= INT32_MAX;
  case FLAG:
    return lua_isboolean(L, -1);
  }
  return false;
}

/* Does the open engine work as the value at `given` says? The value at `before` is what it was opened with, nil if that
 * was left to it. */
static bool is_in_force(lua_State *L, const icl_engine *engine, int i, int given, int before) {
  if (lua_rawequal(L, given, before))
    return true;
  if (types[i] == FLAG)
    return !lua_toboolean(L, given) && !lua_toboolean(L, before);
  if (lua_tointeger(L, before) != 0 || lua_type(L, before) == LUA_TSTRING)
    return false; /* another value was asked for */
  if (strcmp(names[i], "threads") == 0)
    return lua_tointeger(L, given) == 0 || lua_tointeger(L, given) == icl_engine_threads(engine);
  if (strcmp(names[i], "shares") == 0)
    return lua_tointeger(L, given) == 0 || lua_tointeger(L, given) == icl_engine_shares(engine);
  const char *standard = strcmp(names[i], "device") == 0 ? "cpu" : strcmp(names[i], "precision") == 0 ? "f32" : NULL;
  return standard && strcmp(lua_tostring(L, given), standard) == 0;
}

/* configure(settings): they add up until the engine is open; then only those in force are accepted. */
static int configure(lua_State *L) {
  static const char *const expected[] = {"a string", "an integer of at least 0", "true or false"};
  icl__lua_check_options(L, 1, "icl.configure", names);
  if (lua_isnoneornil(L, 1))
    return 0;
  lua_settop(L, 1);
  const icl__lua_session *session = icl__lua_push_session(L);
  lua_getiuservalue(L, 2, ICL__LUA_SETTINGS);
  for (int i = 0; names[i]; i++) {
    lua_settop(L, 3);
    if (lua_getfield(L, 1, names[i]) == LUA_TNIL)
      continue;
    if (!is_right(L, i))
      icl__lua_fail(L, "icl.configure: %s is %s; it must be %s", names[i], icl__lua_describe(L, -1),
                    expected[types[i]]);
    lua_getfield(L, 3, names[i]);
    if (session->engine) {
      if (!is_in_force(L, session->engine, i, -2, -1))
        icl__lua_fail(
            L,
            "icl.configure: %s %s is not in force, and it can only be set before the first tensor or state is "
            "made",
            names[i], icl__lua_describe(L, -2));
      continue;
    }
    lua_pop(L, 1);
    lua_setfield(L, 3, names[i]);
  }
  return 0;
}

/* configured() -> a copy of the settings so far. */
static int configured(lua_State *L) {
  icl__lua_push_session(L);
  lua_getiuservalue(L, -1, ICL__LUA_SETTINGS);
  lua_newtable(L);
  for (int i = 0; names[i]; i++) {
    lua_getfield(L, -2, names[i]);
    lua_setfield(L, -2, names[i]);
  }
  return 1;
}

/* ---- opening and closing ---- */

/* Reads one setting of the table on top; strings stay alive in that table. */
static const char *text_setting(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  const char *text = lua_tostring(L, -1);
  lua_pop(L, 1);
  return text;
}

static int count_setting(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  int count = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return count;
}

static bool flag_setting(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  bool flag = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}

static void open_engine(lua_State *L, icl__lua_session *session) {
  if (session->closed)
    icl__lua_fail(L, "the engine is closed, because the program ends");
  icl__lua_push_session(L);
  lua_getiuservalue(L, -1, ICL__LUA_SETTINGS);
  icl_config config = {
      .device = text_setting(L, "device"),
      .threads = count_setting(L, "threads"),
      .shares = count_setting(L, "shares"),
      .chunk = count_setting(L, "chunk"),
      .eager = flag_setting(L, "eager"),
      .profile = flag_setting(L, "profile"),
      .check_nan = flag_setting(L, "check_nan"),
      .precise = flag_setting(L, "precise"),
      .deterministic = flag_setting(L, "deterministic"),
      .precision = text_setting(L, "precision"),
      .plan = text_setting(L, "plan"),
  };
  ICL__LUA_TRY(L, icl_engine_new(&config, &session->engine));
  lua_pop(L, 2);
  session->profile = config.profile;
  icl__lua_watch_engine(session->engine);
}

icl_engine *icl__lua_engine(lua_State *L) {
  icl__lua_session *session = icl__lua_session_of(L);
  icl__lua_poll_signal(L);
  if (!session->engine)
    open_engine(L, session);
  if (session->coroutines)
    icl__lua_drop_abandoned(L, false);
  return session->engine;
}

icl_engine *icl__lua_engine_or_null(lua_State *L) { return icl__lua_session_of(L)->engine; }

static int close_session(lua_State *L) {
  icl__lua_session *session = lua_touserdata(L, 1);
  char *text = NULL;
  if (session->engine && session->profile && icl_engine_profile(session->engine, &text) == ICL_OK)
    fputs(text, stderr);
  icl_free(text);
  if (session->engine && icl_engine_wait(session->engine) != ICL_OK)
    lua_warning(L, icl_message(), 0);
  icl__lua_watch_engine(NULL);
  icl_engine_free(session->engine);
  session->engine = NULL;
  session->closed = true;
  return 0;
}

/* ---- questions ---- */

/* statistics() -> { steps =, evaluations =, plans_made =, plan_hits =, arena_bytes =, value_bytes =, lasting_bytes =,
 * lasting_hits =, plan_seconds =, record_seconds =, run_seconds = }; zeros before the engine is open. */
static int statistics(lua_State *L) {
  const icl_engine *engine = icl__lua_engine_or_null(L);
  icl_statistics s = {0};
  if (engine)
    icl_engine_statistics(engine, &s);
  const struct {
    const char *name;
    uint64_t count;
  } counts[] = {{"steps", s.steps},
                {"evaluations", s.evaluations},
                {"plans_made", s.plans_made},
                {"plan_hits", s.plan_hits},
                {"arena_bytes", s.arena_bytes},
                {"value_bytes", s.value_bytes},
                {"lasting_bytes", s.lasting_bytes},
                {"lasting_hits", s.lasting_hits}};
  const struct {
    const char *name;
    double seconds;
  } times[] = {{"plan_seconds", s.plan_seconds}, {"record_seconds", s.record_seconds}, {"run_seconds", s.run_seconds}};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    lua_pushinteger(L, (lua_Integer)counts[i].count);
    lua_setfield(L, -2, counts[i].name);
  }
  for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
    lua_pushnumber(L, times[i].seconds);
    lua_setfield(L, -2, times[i].name);
  }
  return 1;
}

/* profile() -> what took time so far, by op, layer and phase. */
static int profile(lua_State *L) {
  icl_engine *engine = icl__lua_engine(L);
  char **text = (char **)icl__lua_guard(L, icl_free);
  icl__lua_check(L, icl_engine_profile(engine, text));
  lua_pushstring(L, *text);
  return 1;
}

/* describe_device() -> what computes: units of the processor, kernels, versions of libraries. */
static int describe_device(lua_State *L) {
  char text[256];
  icl_engine_describe_device(icl__lua_engine(L), text, sizeof text);
  lua_pushstring(L, text);
  return 1;
}

/* devices() -> list of { name =, usable =, text = }: what each is, or why it cannot be used. */
static int devices(lua_State *L) {
  lua_newtable(L);
  for (int i = 0;; i++) {
    char name[64], text[1024];
    bool usable;
    icl_status status = icl_device_at(i, name, sizeof name, &usable, text, sizeof text);
    if (status == ICL_ENOENT)
      return 1;
    icl__lua_check(L, status);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "name");
    lua_pushboolean(L, usable);
    lua_setfield(L, -2, "usable");
    lua_pushstring(L, text);
    lua_setfield(L, -2, "text");
    lua_rawseti(L, -2, i + 1);
  }
}

/* device_problem(name) -> why there is no such device, or nil. It is not opened. */
static int device_problem(lua_State *L) {
  const icl__backend *backend;
  int ordinal;
  if (icl__backend_find(luaL_checkstring(L, 1), &backend, &ordinal) == ICL_OK)
    lua_pushnil(L);
  else
    lua_pushstring(L, icl_message());
  return 1;
}

/* device_precisions(name) -> what activations and products of them can have there, a list in which "f32" is the first;
 * nil if there is no such device. It is not opened. */
static int device_precisions(lua_State *L) {
  const icl__backend *backend;
  int ordinal;
  lua_Integer count = 0;
  if (icl__backend_find(luaL_checkstring(L, 1), &backend, &ordinal) != ICL_OK) {
    lua_pushnil(L);
    return 1;
  }
  lua_newtable(L);
  for (const char *at = backend->precisions; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
    lua_pushlstring(L, at, strcspn(at, " "));
    lua_rawseti(L, -2, ++count);
  }
  lua_pushliteral(L, "bf16");
  lua_rawseti(L, -2, ++count);
  if (!backend->slow_f16) {
    lua_pushliteral(L, "f16");
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

/* describe_plan() -> the plan of the last evaluation: phases, instructions, storage. */
static int describe_plan(lua_State *L) {
  icl_engine *engine = icl__lua_engine(L);
  char **text = (char **)icl__lua_guard(L, icl_free);
  icl__lua_check(L, icl_engine_describe_plan(engine, text));
  lua_pushstring(L, *text);
  return 1;
}

/* threads() -> how many the engine uses. */
static int threads(lua_State *L) {
  lua_pushinteger(L, icl_engine_threads(icl__lua_engine(L)));
  return 1;
}

/* shares() -> how many parts of a batch have sums of their own. */
static int shares(lua_State *L) {
  lua_pushinteger(L, icl_engine_shares(icl__lua_engine(L)));
  return 1;
}

void icl__lua_engine_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"configure", configure},
      {"configured", configured},
      {"statistics", statistics},
      {"profile", profile},
      {"describe_device", describe_device},
      {"devices", devices},
      {"device_problem", device_problem},
      {"device_precisions", device_precisions},
      {"describe_plan", describe_plan},
      {"threads", threads},
      {"shares", shares},
      {NULL, NULL},
  };
  icl__lua_make_session(L, close_session);
  luaL_setfuncs(L, functions, 0);
}
