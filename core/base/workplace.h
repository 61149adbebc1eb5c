/* workplace.h - a hidden folder in which a folder is made, before it appears under its name as a whole.
 *
 * For the target FOLDER/NAME it is FOLDER/.NAME.part. It is locked while it is in use, and it stays, with what was done
 * so far, until the target is there: whoever opens it next goes on. */
#ifndef ICL_BASE_WORKPLACE_H
#define ICL_BASE_WORKPLACE_H

#include "base/file.h"

typedef struct icl__workplace icl__workplace;

/* Makes the folder, and those above it. EEXIST: the target is there already; EIO: another process works on it. */
icl_status icl__workplace_open(const char *target, icl__workplace **result);
/* Removes of what was made the folders that are empty. NULL is allowed. */
void icl__workplace_close(icl__workplace *place);

const char *icl__workplace_path(const icl__workplace *place);

/* Makes the folder `name` in it, empty: one that is there is removed with all that is in it. */
icl_status icl__workplace_folder(const icl__workplace *place, const char *name);

/* Puts its folder `name` in the place of the target, on the disk, and removes the workplace. */
icl_status icl__workplace_publish(icl__workplace *place, const char *name);

#endif
