/* tga.c - decodes TGA, which has no first bytes of its own: it is what has a header in which every number makes sense.
 */
#include <string.h>

#include "data/cursor.h"

typedef struct {
  icl__cursor in;
  uint32_t kind, bits, flags, height, width;
  uint32_t first, count, entry; /* of the palette: number of its first colour, colours, bits of each */
} tga;

enum { PALETTE = 1, COLORS, GREY, RUNS = 8 }; /* kind */

static void read_header(tga *t) {
  icl__cursor *in = &t->in;
  uint32_t comment = icl__take_u8(in), has_palette = icl__take_u8(in);
  t->kind = icl__take_u8(in);
  t->first = icl__take_u16(in);
  t->count = icl__take_u16(in);
  t->entry = icl__take_u8(in);
  icl__skip(in, 4);
  t->width = icl__take_u16(in);
  t->height = icl__take_u16(in);
  t->bits = icl__take_u8(in);
  t->flags = icl__take_u8(in);
  icl__skip(in, comment);
  if (!has_palette)
    t->first = t->count = t->entry = 0;
}

static bool is_color(uint32_t bits) { return bits == 16 || bits == 24 || bits == 32; }

bool icl__tga_fits(const unsigned char *data, size_t bytes) {
  tga t = {.in = {.data = data, .bytes = bytes}};
  if (bytes < 18 || data[1] > 1)
    return false;
  read_header(&t);
  bool palette = data[1] == 1 && is_color(t.entry) && t.count > 0;
  uint32_t kind = t.kind & ~(uint32_t)RUNS;
  return t.width > 0 && t.height > 0 && (t.flags & 0xc0) == 0 && (data[1] == 0 || palette) &&
         ((kind == PALETTE && palette && t.bits == 8) || (kind == COLORS && is_color(t.bits)) ||
          (kind == GREY && (t.bits == 8 || t.bits == 16)));
}

/* What is stored of one pixel, or of one colour of the palette, as red, green and blue. */
static void convert(const unsigned char *stored, uint32_t bits, bool grey, uint8_t out[3]) {
  if (grey) { /* perhaps with alpha */
    memset(out, stored[0], 3);
  } else if (bits == 16) { /* five bits of each */
    uint32_t v = stored[0] | (uint32_t)stored[1] << 8;
    for (int k = 0; k < 3; k++)
      out[k] = (uint8_t)((v >> (10 - 5 * k) & 31) * 255 / 31);
  } else {
    for (int k = 0; k < 3; k++)
      out[k] = stored[2 - k];
  }
}

static void read_palette(tga *t, uint8_t palette[256][3]) {
  for (uint32_t i = 0; i < t->count; i++) {
    const unsigned char *stored = icl__take(&t->in, t->entry / 8);
    if (stored && t->first + i < 256)
      convert(stored, t->entry, false, palette[t->first + i]);
  }
}

/* Where pixel `number` of the file goes: the first is the lower left one unless the flags say otherwise. */
static uint8_t *place_of(const tga *t, const icl__image *image, uint64_t number) {
  uint64_t y = number / t->width, x = number % t->width;
  if (t->flags & 0x10)
    x = t->width - 1 - x;
  if (!(t->flags & 0x20))
    y = t->height - 1 - y;
  return image->pixels + 3 * (y * t->width + x);
}

static icl_status decode(tga *t, icl__image *image) {
  static const uint8_t black[3] = {0};
  uint8_t palette[256][3] = {{0}};
  icl__cursor *in = &t->in;
  bool grey = (t->kind & ~(uint32_t)RUNS) == GREY, indexed = (t->kind & ~(uint32_t)RUNS) == PALETTE;
  uint64_t pixels = (uint64_t)t->height * t->width, left = 0;
  uint32_t size = t->bits / 8;
  read_palette(t, palette);
  /* A run is at most 128 pixels in 1 + size bytes. */
  ICL__TRY(
      icl__cursor_resize(in, t->height, t->width, t->kind & RUNS ? pixels / 128 * (1 + size) : pixels * size, image));
  uint8_t color[3];
  bool repeat = false;
  memcpy(color, black, 3);
  for (uint64_t i = 0; i < pixels && !in->cut; i++, left--) {
    bool begins = (t->kind & RUNS) && left == 0;
    if (begins) {
      uint32_t packet = icl__take_u8(in);
      repeat = packet & 128;
      left = (packet & 127) + 1;
    }
    const unsigned char *stored = begins || !repeat ? icl__take(in, size) : NULL;
    if (stored && indexed)
      memcpy(color, palette[stored[0]], 3);
    else if (stored)
      convert(stored, t->bits, grey, color);
    memcpy(place_of(t, image, i), color, 3);
  }
  return icl__cursor_check(in);
}

icl_status icl__tga_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  tga t = {.in = {.name = name, .format = "TGA", .data = data, .bytes = bytes}};
  read_header(&t);
  return decode(&t, image);
}
