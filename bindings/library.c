/* library.c - the module icl.core, and the modules of lua/icl that the build put into the program. */
#include "library.h"

#include "build.h"
#include "describe.h"
#include "digest.h"
#include "embedded.h"
#include "engine.h"
#include "events.h"
#include "fetch.h"
#include "files.h"
#include "folder.h"
#include "gradient.h"
#include "group.h"
#include "image.h"
#include "interrupt.h"
#include "json.h"
#include "network.h"
#include "npz.h"
#include "op.h"
#include "process.h"
#include "prompt.h"
#include "run.h"
#include "safetensors.h"
#include "state.h"
#include "statistics.h"
#include "step.h"
#include "suggest.h"
#include "system.h"
#include "tensor.h"
#include "terminal.h"
#include "transfer.h"
#include "where.h"

#include <stdio.h>
#include <string.h>

/* ---- icl.core ---- */

int luaopen_icl_core(lua_State *L) {
  lua_newtable(L);
  icl__lua_engine_functions(L);
  icl__lua_tensor_functions(L);
  icl__lua_state_functions(L);
  icl__lua_op_functions(L);
  icl__lua_gradient_functions(L);
  icl__lua_step_functions(L);
  icl__lua_system_functions(L);
  icl__lua_terminal_functions(L);
  icl__lua_json_functions(L);
  icl__lua_run_functions(L);
  icl__lua_interrupt_functions(L);
  icl__lua_where_functions(L);
  icl__lua_suggest_functions(L);
  icl__lua_describe_functions(L);
  icl__lua_files_functions(L);
  icl__lua_events_functions(L);
  icl__lua_safetensors_functions(L);
  icl__lua_folder_functions(L);
  icl__lua_build_functions(L);
  icl__lua_npz_functions(L);
  icl__lua_network_functions(L);
  icl__lua_digest_functions(L);
  icl__lua_fetch_functions(L);
  icl__lua_transfer_functions(L);
  icl__lua_statistics_functions(L);
  icl__lua_image_functions(L);
  icl__lua_prompt_functions(L);
  icl__lua_process_functions(L);
  icl__lua_group_functions(L);
  return 1;
}

/* ---- lua/icl ---- */

static const icl__embedded_module *find(const char *name) {
  for (const icl__embedded_module *module = icl__embedded; module->name; module++)
    if (!strcmp(module->name, name))
      return module;
  return NULL;
}

/* A searcher for require: the loader of a module of the library, or why there is none. */
static int search(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  const icl__embedded_module *module = find(name);
  if (!module) {
    lua_pushfstring(L, "no module '%s' in the library of icl", name);
    return 1;
  }
  lua_pushfstring(L, "=%s", module->file); /* by this name error.c knows the library */
  if (luaL_loadbufferx(L, (const char *)module->bytes, module->size, lua_tostring(L, -1), "t") != LUA_OK)
    return lua_error(L);
  lua_pushstring(L, module->file);
  return 2;
}

/* The searcher comes behind package.preload and before those that look for files. */
void icl__lua_install(lua_State *L) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_icl_core);
  lua_setfield(L, -2, "icl.core");
  lua_getfield(L, -2, "searchers");
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i >= 2; i--) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushcfunction(L, search);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 3);
}

int luaopen_icl(lua_State *L) {
  icl__lua_install(L);
  lua_pushcfunction(L, search);
  lua_pushliteral(L, "icl");
  lua_call(L, 1, 2);
  lua_pushliteral(L, "icl");
  lua_insert(L, -2);
  lua_call(L, 2, 1);
  return 1;
}
