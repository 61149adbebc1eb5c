/* library.c - see library.h. Libraries stay loaded. */
#include "data/library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static icl_status load(icl__library *l, const char *name, const char *format) {
  void *handle = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return icl__fail(ICL_ENOTSUP, "%s: it is a %s image, and the library that reads it cannot be loaded: %s", name,
                     format, dlerror());
  for (int i = 0; i < l->count; i++) {
    void *function = dlsym(handle, l->names[i]);
    if (!function)
      return icl__fail(ICL_ENOTSUP, "%s: it is a %s image, and %s has no function %s: another version is needed", name,
                       format, l->file, l->names[i]);
    memcpy((char *)l->functions + (size_t)i * sizeof function, &function, sizeof function);
  }
  l->loaded = true;
  return ICL_OK;
}

icl_status icl__library_load(icl__library *l, const char *name, const char *format) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&lock);
  icl_status status = l->loaded ? ICL_OK : load(l, name, format);
  pthread_mutex_unlock(&lock);
  return status;
}
