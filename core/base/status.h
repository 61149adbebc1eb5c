/* status.h - the one error path of the library.
 *
 * A function that can fail returns an icl_status. Before it returns anything but ICL_OK it leaves one sentence in the
 * calling thread's message slot with icl__fail(): what was tried, the shapes or names involved, and the fix. Nothing in
 * core exits, aborts or jumps. */
#ifndef ICL_BASE_STATUS_H
#define ICL_BASE_STATUS_H

#include "icl.h"

#include "base/format.h"

/* Leaves the message and returns `status`, so that an error is one line: return icl__fail(ICL_EINVAL, "..."). */
icl_status icl__fail(icl_status status, const char *format, ...) ICL__PRINTF(2, 3);

/* Puts "context: " before the message of an error that is being passed on; returns `status` unchanged. */
icl_status icl__wrap(icl_status status, const char *format, ...) ICL__PRINTF(2, 3);

/* Passes an error on to the caller. */
#define ICL__TRY(expression)                                                                                           \
  do {                                                                                                                 \
    icl_status status_ = (expression);                                                                                 \
    if (status_ != ICL_OK)                                                                                             \
      return status_;                                                                                                  \
  } while (0)

#endif
