/* bmp.c - decodes BMP: of Windows and OS/2, with and without a palette, with runs. */
#include <string.h>

#include "data/cursor.h"

enum { PLAIN, RUNS8, RUNS4, MASKS }; /* how pixels are stored, as the file says it */

typedef struct {
  icl__cursor in;
  uint32_t height, width, bits, kind, colors;
  uint32_t masks[3]; /* of red, green and blue */
  bool from_top;
  size_t pixels; /* where they begin */
  uint8_t palette[256][3];
} bmp;

/* The header of Windows, of so many bytes; longer ones have the masks in them. */
static void read_windows_header(bmp *b, uint32_t bytes) {
  icl__cursor *in = &b->in;
  b->width = icl__take_u32(in);
  b->height = icl__take_u32(in);
  b->from_top = b->height >> 24 == 0xff; /* a negative height */
  if (b->from_top)
    b->height = 0 - b->height;
  icl__skip(in, 2);
  b->bits = icl__take_u16(in);
  b->kind = icl__take_u32(in);
  icl__skip(in, 12);
  b->colors = icl__take_u32(in);
  icl__skip(in, 4);
  for (int i = 0; b->kind == MASKS && i < 3; i++)
    b->masks[i] = icl__take_u32(in);
  if (bytes > 40)
    in->at = 14 + bytes < in->bytes ? 14 + bytes : in->bytes;
}

/* OS/2's first one. */
static void read_short_header(bmp *b) {
  b->width = icl__take_u16(&b->in);
  b->height = icl__take_u16(&b->in);
  icl__skip(&b->in, 2);
  b->bits = icl__take_u16(&b->in);
}

/* Colours are stored as blue, green, red; those that the palette lacks are black. */
static icl_status read_palette(bmp *b, uint32_t entry) {
  if (b->colors > 65536)
    return icl__cursor_damaged(&b->in, "its palette has more than 65536 colours");
  for (uint32_t i = 0; i < b->colors && i < 256; i++) {
    const unsigned char *color = icl__take(&b->in, entry);
    for (int k = 0; color && k < 3; k++)
      b->palette[i][k] = color[2 - k];
  }
  return icl__cursor_check(&b->in);
}

static icl_status read_header(bmp *b) {
  icl__cursor *in = &b->in;
  icl__skip(in, 10);
  b->pixels = icl__take_u32(in);
  uint32_t bytes = icl__take_u32(in), entry = bytes == 12 ? 3 : 4;
  ICL__TRY(icl__cursor_check(in));
  if (bytes == 12)
    read_short_header(b);
  else if (bytes == 40 || bytes == 52 || bytes == 56 || bytes == 64 || bytes == 108 || bytes == 124)
    read_windows_header(b, bytes);
  else
    return icl__cursor_refuse(in, "with a header of %u bytes", bytes);
  ICL__TRY(icl__cursor_check(in));
  if (b->bits > 8)
    return ICL_OK;
  if (b->colors == 0)
    b->colors = 1u << b->bits;
  if (b->pixels == 14 + bytes) /* files that do not count the palette */
    b->pixels += (size_t)entry * b->colors;
  return read_palette(b, entry);
}

/* ---- rows of numbers ---- */

/* Number x of a row of numbers of 1, 2, 4 or 8 bits. */
static uint32_t packed(const unsigned char *row, uint32_t x, uint32_t bits) {
  uint32_t place = x * bits;
  return row[place / 8] >> (8 - bits - place % 8) & ((1u << bits) - 1);
}

static uint8_t widened(uint32_t value, uint32_t most) { return (uint8_t)((value & most) * 255 / most); }

static void palette_row(const bmp *b, const unsigned char *row, uint8_t *out) {
  for (uint32_t x = 0; x < b->width; x++)
    memcpy(out + 3 * (size_t)x, b->palette[packed(row, x, b->bits)], 3);
}

static void row16(const bmp *b, const unsigned char *row, uint8_t *out) {
  bool six = b->masks[1] == 0x7e0; /* bits of green */
  for (uint32_t x = 0; x < b->width; x++, row += 2, out += 3) {
    uint32_t v = row[0] | (uint32_t)row[1] << 8;
    out[0] = widened(v >> (six ? 11 : 10), 31);
    out[1] = widened(v >> 5, six ? 63 : 31);
    out[2] = widened(v, 31);
  }
}

/* Whole bytes, three or four a pixel, of which `place` says where red, green and blue are. */
static void byte_row(const bmp *b, const int place[3], const unsigned char *row, uint8_t *out) {
  for (uint32_t x = 0; x < b->width; x++, row += b->bits / 8, out += 3)
    for (int k = 0; k < 3; k++)
      out[k] = row[place[k]];
}

/* Which byte of a pixel a mask stands for; -1 if it is none. */
static int byte_of(uint32_t mask) {
  for (int i = 0; i < 4; i++)
    if (mask == 0xffu << 8 * i)
      return i;
  return -1;
}

/* Finds the bytes of red, green and blue. */
static icl_status choose_bytes(const bmp *b, int place[3]) {
  bool has_masks = b->masks[0] || b->masks[1] || b->masks[2];
  for (int k = 0; k < 3; k++)
    place[k] = has_masks ? byte_of(b->masks[k]) : 2 - k;
  bool ok = place[0] >= 0 && place[1] >= 0 && place[2] >= 0;
  if (b->bits == 24)
    ok = place[0] == 2 && place[1] == 1 && place[2] == 0;
  if (b->bits == 16) /* five bits of each, or six of green */
    ok = !has_masks || (b->masks[0] == 0x7c00 && b->masks[1] == 0x3e0 && b->masks[2] == 0x1f) ||
         (b->masks[0] == 0xf800 && b->masks[1] == 0x7e0 && b->masks[2] == 0x1f);
  if (ok)
    return ICL_OK;
  return icl__cursor_refuse(&b->in, "of %u bits with the masks %x, %x, %x", b->bits, b->masks[0], b->masks[1],
                            b->masks[2]);
}

/* Where row y, counted as it is stored, goes. */
static uint8_t *row_of(const bmp *b, const icl__image *image, uint32_t y) {
  return image->pixels + 3 * (size_t)b->width * (b->from_top ? y : b->height - 1 - y);
}

static icl_status decode_rows(bmp *b, icl__image *image) {
  int place[3];
  ICL__TRY(choose_bytes(b, place));
  size_t stride = ((size_t)b->width * b->bits + 31) / 32 * 4;
  uint64_t last = ((uint64_t)b->width * b->bits + 7) / 8; /* the last row need not be padded */
  ICL__TRY(icl__cursor_resize(&b->in, b->height, b->width, stride * ((uint64_t)b->height - 1) + last, image));
  for (uint32_t y = 0; y < b->height; y++) {
    const unsigned char *row = b->in.data + b->in.at + y * stride;
    uint8_t *out = row_of(b, image, y);
    if (b->bits <= 8)
      palette_row(b, row, out);
    else if (b->bits == 16)
      row16(b, row, out);
    else
      byte_row(b, place, row, out);
  }
  return ICL_OK;
}

/* ---- runs ---- */

/* Stores pixel x of row y unless it lies outside. */
static void put(const bmp *b, const icl__image *image, uint64_t x, uint64_t y, uint32_t color) {
  if (x < b->width && y < b->height)
    memcpy(row_of(b, image, (uint32_t)y) + 3 * x, b->palette[color], 3);
}

/* `count` pixels that are stored one by one, padded to an even number of bytes. */
static void plain_pixels(bmp *b, const icl__image *image, uint64_t x, uint64_t y, uint32_t count) {
  uint32_t bits = b->kind == RUNS4 ? 4 : 8, bytes = (count * bits + 7) / 8;
  const unsigned char *row = icl__take(&b->in, bytes);
  for (uint32_t i = 0; row && i < count; i++)
    put(b, image, x + i, y, packed(row, i, bits));
  if (bytes % 2)
    icl__skip(&b->in, 1);
}

static icl_status decode_runs(bmp *b, icl__image *image) {
  icl__cursor *in = &b->in;
  ICL__TRY(icl__cursor_resize(in, b->height, b->width, 2, image));
  for (uint32_t y = 0; y < b->height; y++) /* jumps leave the first colour behind */
    for (uint32_t x = 0; x < b->width; x++)
      put(b, image, x, y, 0);
  for (uint64_t x = 0, y = 0; y < b->height && !in->cut;) {
    uint32_t count = icl__take_u8(in), value = icl__take_u8(in);
    if (count) {
      for (uint32_t i = 0; i < count; i++)
        put(b, image, x + i, y, b->kind == RUNS8 ? value : i % 2 ? value & 15 : value >> 4);
      x += count;
    } else if (value == 0) {
      x = 0, y++;
    } else if (value == 1) {
      break;
    } else if (value == 2) {
      x += icl__take_u8(in);
      y += icl__take_u8(in);
    } else {
      plain_pixels(b, image, x, y, value);
      x += value;
    }
  }
  return icl__cursor_check(in);
}

icl_status icl__bmp_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  bmp b = {.in = {.name = name, .format = "BMP", .data = data, .bytes = bytes}};
  ICL__TRY(read_header(&b));
  if (b.pixels > bytes)
    b.in.cut = true;
  ICL__TRY(icl__cursor_check(&b.in));
  b.in.at = b.pixels ? b.pixels : b.in.at;
  bool known = b.bits == 1 || b.bits == 4 || b.bits == 8 || b.bits == 16 || b.bits == 24 || b.bits == 32;
  if ((b.kind == PLAIN && known) || (b.kind == MASKS && known && b.bits >= 16))
    return decode_rows(&b, image);
  if ((b.kind == RUNS8 && b.bits == 8) || (b.kind == RUNS4 && b.bits == 4))
    return decode_runs(&b, image);
  return icl__cursor_refuse(&b.in, "of %u bits in form %u", b.bits, b.kind);
}
