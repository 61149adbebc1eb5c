/* show.c - see show.h. */
#include "base/show.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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
