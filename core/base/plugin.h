/* plugin.h - finds and opens plug-ins, libicl_NAME.so, which stay loaded.
 *
 * They are looked for in the folders that ICL_PLUGINS names, parted by colons, then in the folder of the program or
 * library that this is part of, then in the folder icl of the libraries where it was installed. */
#ifndef ICL_BASE_PLUGIN_H
#define ICL_BASE_PLUGIN_H

#include "base/text.h"

/* The address of a function of the plug-in. ENOENT: there is no such file, and the message says where it was looked
 * for; ENOTSUP: it cannot be used, and the message says why. */
icl_status icl__plugin_open(const char *name, const char *function, void **symbol);
icl_status icl__plugin_outdated(const char *name); /* ENOTSUP: its interface has another version */

/* Adds the names of the plug-ins that are there, each once, in their order, as lines. */
void icl__plugin_names(icl__text *names);

#endif
