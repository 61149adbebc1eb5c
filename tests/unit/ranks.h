/* ranks.h - groups for tests: ranks that are processes of their own. */
#ifndef ICL_TESTS_RANKS_H
#define ICL_TESTS_RANKS_H

#include "icl.h"

#include <stdatomic.h>
#include <sys/types.h>

enum { RANKS_MOST = 8 };

typedef struct {
  int size;
  char address[32]; /* of a port that was free just now */
  double timeout, start_timeout;
  const char *kind;  /* NULL: tcp */
  atomic_int *ready; /* of all processes: how many have opened the group */
  pid_t process[RANKS_MOST];
} ranks;

/* `size` ranks that do not run yet, with timeouts that leave time. */
ranks ranks_of(int size);

/* Opens the group as this rank. */
icl_status ranks_open(const ranks *r, int rank, icl_group **group);

/* Starts a process for this rank, which opens the group, calls body when all have done so, leaves the group and ends.
 */
void ranks_start(ranks *r, int rank, void (*body)(icl_group *group));
/* Waits for it and checks that it ended well, or, with a signal other than 0, by that. */
void ranks_end(ranks *r, int rank, int signal);

/* All of them, which must end well. */
void ranks_run(int size, void (*body)(icl_group *group));

#endif
