/* old.c - a plug-in for tests that was built for another version of the interface. */
#include "backend/host.h"

icl__plugin_open_fn icl_backend_open;

const icl__backend *icl_backend_open(const icl__host *host) {
  static icl__backend old = {.name = "old"};
  old.abi = host->abi - 1;
  return &old;
}
