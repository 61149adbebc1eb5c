/* registry.c - see registry.h. */
#include "backend/registry.h"

#include <string.h>

#include "backend/cpu/device.h"
#include "backend/ref/device.h"

icl_status icl__backend_find(const char *name, const icl__backend **result) {
  static const icl__backend *const all[] = {&icl__cpu_backend, &icl__ref_backend};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!strcmp(all[i]->name, name)) {
      *result = all[i];
      return ICL_OK;
    }
  return icl__fail(ICL_EINVAL, "device '%s' does not exist; choose cpu or ref", name);
}
