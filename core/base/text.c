/* text.c - see text.h. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static int print(icl__text *out, const char *format, va_list arguments) {
  size_t left = out->capacity - out->used;
  return vsnprintf(left ? out->text + out->used : NULL, left, format, arguments);
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

/* ---- what a terminal may be shown ---- */

/* The character of UTF-8 that begins here; -> its bytes, 0 if these are none. */
static int decode(const unsigned char *text, uint32_t *character) {
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000}; /* longer forms of smaller ones are not allowed */
  int more = text[0] < 0x80 ? 0 : text[0] >= 0xc2 && text[0] < 0xe0 ? 1 : text[0] >> 4 == 0xe ? 2 : 3;
  if (more == 3 && (text[0] < 0xf0 || text[0] > 0xf4))
    return 0;
  uint32_t value = more ? text[0] & (0x3fu >> more) : text[0];
  for (int i = 1; i <= more; i++) {
    if ((text[i] & 0xc0) != 0x80)
      return 0;
    value = value << 6 | (text[i] & 0x3f);
  }
  if (value < least[more] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
    return 0;
  *character = value;
  return more + 1;
}

/* Control characters, marks that turn the direction, line separators. */
static bool is_shown(uint32_t c) {
  bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  bool turns = c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return !control && !turns;
}

void icl__show(const char *text, char *out, size_t room) {
  const unsigned char *from = (const unsigned char *)text;
  while (*from) {
    uint32_t character;
    char escaped[5];
    int bytes = decode(from, &character);
    bool shown = bytes && is_shown(character);
    snprintf(escaped, sizeof escaped, "\\x%02x", *from);
    size_t taken = shown ? (size_t)bytes : 1, written = shown ? taken : strlen(escaped);
    if (written >= room)
      break;
    memcpy(out, shown ? (const char *)from : escaped, written);
    out += written;
    room -= written;
    from += taken;
  }
  *out = 0;
}
