/* status.c - error codes, their sentences, and the message slot of each thread. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char slot[1024];

const char *icl_message(void) { return slot; }

const char *icl_status_name(icl_status status) {
  switch (status) {
#define X(name, sentence)                                                                                              \
  case ICL_##name:                                                                                                     \
    return #name;
    ICL_STATUS_TABLE(X)
#undef X
  }
  return "unknown";
}

const char *icl_status_text(icl_status status) {
  switch (status) {
#define X(name, sentence)                                                                                              \
  case ICL_##name:                                                                                                     \
    return sentence;
    ICL_STATUS_TABLE(X)
#undef X
  }
  return "unknown status";
}

icl_status icl__fail(icl_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  icl__vprint(slot, sizeof slot, format, arguments);
  va_end(arguments);
  return status;
}

icl_status icl__wrap(icl_status status, const char *format, ...) {
  char rest[sizeof slot];
  memcpy(rest, slot, sizeof slot);
  va_list arguments;
  va_start(arguments, format);
  int used = icl__vprint(slot, sizeof slot, format, arguments);
  va_end(arguments);
  if (used >= 0 && (size_t)used < sizeof slot &&
      snprintf(slot + used, sizeof slot - (size_t)used, ": %s", rest) < 0) /* a long rest is cut */
    slot[used] = '\0';
  return status;
}
