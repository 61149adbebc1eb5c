/* plugin.h - finds and opens plug-ins (host.h).
 *
 * They are looked for in the folders that ICL_PLUGINS names, parted by colons, then in the folder of the program or
 * library that this is part of, then in the folder icl of the libraries where it was installed. */
#ifndef ICL_BACKEND_PLUGIN_H
#define ICL_BACKEND_PLUGIN_H

#include "backend/host.h"
#include "base/text.h"

/* ENOENT: there is no such file, and the message says where it was looked for; ENOTSUP: it cannot be used, and the
 * message says why. */
icl_status icl__plugin_open(const char *name, const icl__host *host, const icl__backend **result);

/* Adds the names of the plug-ins that are there, each once, in their order, as lines. */
void icl__plugin_names(icl__text *names);

#endif
