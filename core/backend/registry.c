/* registry.c - see registry.h. */
#include "backend/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/device.h"
#include "backend/host.h"
#include "backend/ref/device.h"
#include "base/memory.h"
#include "base/plugin.h"
#include "base/threads.h"
#include "group/group.h"
#include "group/plugin.h"

/* ---- names ---- */

enum { NAME = 32, MOST_ORDINAL = 1023 };

static const icl__backend *const all[] = {&icl__cpu_backend, &icl__ref_backend};
enum { BUILT_IN = sizeof all / sizeof *all };

static const icl__backend *built_in(const char *name) {
  for (int i = 0; i < BUILT_IN; i++)
    if (!strcmp(all[i]->name, name))
      return all[i];
  return NULL;
}

/* "cuda:1" -> "cuda", 1; false: it is no name. */
static bool parse(const char *device, char name[NAME], int *ordinal) {
  size_t length = strspn(device, "abcdefghijklmnopqrstuvwxyz0123456789_");
  if (!length || length >= NAME)
    return false;
  snprintf(name, NAME, "%.*s", (int)length, device);
  *ordinal = 0;
  if (!device[length])
    return true;
  const char *number = device + length + 1;
  size_t digits = strspn(number, "0123456789");
  if (device[length] != ':' || !digits || digits > 4 || number[digits])
    return false;
  *ordinal = atoi(number);
  return *ordinal <= MOST_ORDINAL;
}

static const icl__host host = {
    .abi = ICL__BACKEND_ABI,
    .fail = icl__fail,
    .message = icl_message,
    .allocate = icl__alloc,
    .release = icl__free,
    .built_in = built_in,
    .thread_start = icl__thread_start,
    .rank = icl_group_rank,
    .size = icl_group_size,
    .host_of = icl_group_host,
    .fast_reduce = icl__group_fast_reduce,
    .broadcast = icl_group_broadcast,
    .gather = icl_group_gather,
    .check = icl__group_check,
    .abort = icl_group_abort,
};

static icl_status open_plugin(const char *name, const icl__backend **result) {
  icl__plugin_open_fn *open;
  void *symbol;
  ICL__TRY(icl__plugin_open(name, ICL__PLUGIN_OPEN, &symbol));
  memcpy(&open, &symbol, sizeof open);
  const icl__backend *backend = open(&host);
  if (!backend)
    return ICL_ENOTSUP;
  if (backend->abi != ICL__BACKEND_ABI)
    return icl__plugin_outdated(name);
  *result = backend;
  return ICL_OK;
}

icl_status icl__backend_find(const char *device, const icl__backend **result, int *ordinal) {
  char name[NAME];
  if (!parse(device, name, ordinal))
    return icl__fail(ICL_EINVAL, "'%s' is no name of a device; choose cpu, ref, or one like cuda or cuda:1", device);
  *result = built_in(name);
  if (!*result)
    return icl__wrap(open_plugin(name, result), "device '%s' cannot be used; cpu and ref are built in", device);
  if (strchr(device, ':'))
    return icl__fail(ICL_EINVAL, "device '%s': there is one %s, so it has no number", device, name);
  return ICL_OK;
}

/* Those that are devices. */
static void add_plugins(icl__text *names) {
  icl__text plugins = {0};
  icl__plugin_names(&plugins);
  for (char *line = plugins.text, *end; line && *line; line = end + 1) {
    end = strchr(line, '\n');
    *end = '\0';
    if (!icl__communicator_is_plugin(line))
      icl__say(names, "%s\n", line);
  }
  if (plugins.status != ICL_OK)
    names->status = plugins.status;
  icl__free(plugins.text);
}

void icl__backend_names(icl__text *names) {
  for (int i = 0; i < BUILT_IN; i++)
    icl__say(names, "%s\n", all[i]->name);
  add_plugins(names);
  if (names->status == ICL_OK && !strstr(names->text, "\ncuda\n"))
    icl__say(names, "cuda\n");
}
