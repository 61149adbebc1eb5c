/* status.c - error codes, their sentences, and the message slot of each thread. Every message goes through icl__show():
 * it may quote a file. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/show.h"

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
  char text[sizeof slot];
  va_list arguments;
  va_start(arguments, format);
  icl__vprint(text, sizeof text, format, arguments);
  va_end(arguments);
  icl__show(text, slot, sizeof slot);
  return status;
}

icl_status icl__wrap(icl_status status, const char *format, ...) {
  char text[sizeof slot], rest[sizeof slot];
  memcpy(rest, slot, sizeof slot);
  va_list arguments;
  va_start(arguments, format);
  icl__vprint(text, sizeof text, format, arguments);
  va_end(arguments);
  icl__show(text, slot, sizeof slot);
  size_t used = strlen(slot);
  snprintf(slot + used, sizeof slot - used, ": %s", rest); /* a long rest is cut */
  return status;
}
