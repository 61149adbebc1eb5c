/* clock.h - time that passes. */
#ifndef ICL_BASE_CLOCK_H
#define ICL_BASE_CLOCK_H

#include <time.h>

/* Seconds since some moment, never set back. */
static inline double icl__seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
