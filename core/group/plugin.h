/* plugin.h - communicators by name. */
#ifndef ICL_GROUP_PLUGIN_H
#define ICL_GROUP_PLUGIN_H

#include "group/communicator.h"

/* The communicator of this kind: tcp, or that of a plug-in. ENOENT: there is none, and the message says where it was
 * looked for; ENOTSUP: it cannot be used. Plug-ins stay loaded. */
icl_status icl__communicator_find(const char *kind, const icl__communicator **result);
/* Does this plug-in, libicl_NAME.so, have a communicator? */
bool icl__communicator_is_plugin(const char *name);

#endif
