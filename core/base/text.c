/* text.c - see text.h. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"

static int print(icl__text *out, const char *format, va_list arguments) {
  size_t left = out->capacity - out->used;
  return icl__vprint(left ? out->text + out->used : NULL, left, format, arguments);
}

void icl__say(icl__text *out, const char *format, ...) {
  va_list arguments;
  if (out->status != ICL_OK)
    return;
  va_start(arguments, format);
  int n = print(out, format, arguments);
  va_end(arguments);
  if (n < 0) {
    out->status = icl__fail(ICL_EINTERNAL, "a text could not be printed by the format \"%s\"", format);
    return;
  }
  if (out->used + (size_t)n >= out->capacity) {
    char *grown = icl__grow(out->text, &out->capacity, out->used + (size_t)n + 1, 1);
    if (!grown) {
      if (out->text)
        out->text[out->used] = '\0';
      out->status = ICL_ENOMEM;
      return;
    }
    out->text = grown;
    va_start(arguments, format);
    print(out, format, arguments);
    va_end(arguments);
  }
  out->used += (size_t)n;
}
