/* plugin.c - see plugin.h. */
#include "group/plugin.h"

#include <string.h>

#include "base/memory.h"
#include "base/plugin.h"

static const char *const plugins[] = {"mpi"};
enum { PLUGINS = sizeof plugins / sizeof *plugins };

static const icl__communicator_host host = {
    .abi = ICL__COMMUNICATOR_ABI,
    .fail = icl__fail,
    .allocate = icl__alloc,
    .release = icl__free,
};

bool icl__communicator_is_plugin(const char *name) {
  for (int i = 0; i < PLUGINS; i++)
    if (!strcmp(plugins[i], name))
      return true;
  return false;
}

static icl_status open_plugin(const char *kind, const icl__communicator **result) {
  icl__communicator_open_fn *open;
  void *symbol;
  ICL__TRY(icl__plugin_open(kind, ICL__COMMUNICATOR_OPEN, &symbol));
  memcpy(&open, &symbol, sizeof open);
  *result = open(&host);
  if (!*result)
    return ICL_ENOTSUP;
  return (*result)->abi == ICL__COMMUNICATOR_ABI ? ICL_OK : icl__plugin_outdated(kind);
}

icl_status icl__communicator_find(const char *kind, const icl__communicator **result) {
  if (!strcmp(kind, icl__tcp.name)) {
    *result = &icl__tcp;
    return ICL_OK;
  }
  if (!icl__communicator_is_plugin(kind))
    return icl__fail(ICL_EINVAL, "groups do not talk by '%s'; choose tcp or mpi", kind);
  icl_status status = open_plugin(kind, result);
  return status == ICL_OK
             ? status
             : icl__wrap(status,
                         "groups cannot talk by %s here; icl needs libopenmpi-dev when it is built, and openmpi-bin",
                         kind);
}
