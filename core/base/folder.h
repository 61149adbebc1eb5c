/* folder.h - making folders, and files that say by a lock that someone is at work. Paths may begin with ~/. */
#ifndef ICL_BASE_FOLDER_H
#define ICL_BASE_FOLDER_H

#include "base/status.h"

/* Makes the folder and those above it; one that is there is fine. */
icl_status icl__folder_make(const char *path);
/* EEXIST: something of this name is there. Of several processes that try, one succeeds. */
icl_status icl__folder_new(const char *path);

/* Locks a file, which is made if it is not there, until its place *fd is closed, be it by the end of the process.
 * EEXIST: it is locked; the message says by whom where that can be known. */
icl_status icl__lock_open(const char *path, int *fd);
/* False also where the file cannot be looked at. */
bool icl__is_locked(const char *path);

#endif
