/* devices.c - what devices there are, asked of each. */
#include "icl.h"

#include <stdio.h>
#include <string.h>

#include "backend/registry.h"
#include "base/memory.h"

/* How many devices a backend has; 0: one, without a number. One that cannot be used is there as well. */
static int count_of(const char *name) {
  const icl__backend *backend;
  int ordinal;
  return icl__backend_find(name, &backend, &ordinal) == ICL_OK && backend->count ? backend->count() : 0;
}

/* The name of device number `index`; false: there are no more. */
static bool find(const char *names, int index, char *name, size_t size) {
  for (const char *at = names; at && *at; at += strcspn(at, "\n") + 1) {
    char one[64];
    snprintf(one, sizeof one, "%.*s", (int)strcspn(at, "\n"), at);
    int count = count_of(one);
    if (index < (count ? count : 1)) {
      if (count)
        snprintf(name, size, "%s:%d", one, index);
      else
        snprintf(name, size, "%s", one);
      return true;
    }
    index -= count ? count : 1;
  }
  return false;
}

icl_status icl_device_at(int index, char *name, size_t name_size, bool *usable, char *text, size_t text_size) {
  icl__text names = {0};
  icl__backend_names(&names);
  bool found = find(names.text, index, name, name_size);
  icl__free(names.text);
  if (!found)
    return names.status == ICL_OK ? icl__fail(ICL_ENOENT, "there is no device number %d", index) : names.status;
  icl_engine *engine = NULL;
  *usable = icl_engine_new(&(icl_config){.device = name}, &engine) == ICL_OK;
  if (*usable)
    icl_engine_describe_device(engine, text, text_size);
  else
    snprintf(text, text_size, "%s", icl_message());
  icl_engine_free(engine);
  return ICL_OK;
}
