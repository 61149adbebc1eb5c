/* psd.c - decodes the merged picture of a PSD, which Photoshop stores behind the layers. */
#include <string.h>

#include "base/memory.h"
#include "data/cursor.h"

typedef struct {
  icl__cursor in;
  uint32_t channels, height, width, bits, mode;
  uint32_t used; /* channels that count: the others are alpha or were selected by hand */
  uint8_t palette[3][256];
} psd;

enum { BITMAP, GREY, PALETTE, COLORS, INKS, CHANNELS = 7, DUOTONE }; /* mode */

static icl_status read_header(psd *p) {
  icl__cursor *in = &p->in;
  icl__skip(in, 4);
  uint32_t version = icl__take_u16_high_first(in);
  icl__skip(in, 6);
  p->channels = icl__take_u16_high_first(in);
  p->height = icl__take_u32_high_first(in);
  p->width = icl__take_u32_high_first(in);
  p->bits = icl__take_u16_high_first(in);
  p->mode = icl__take_u16_high_first(in);
  uint32_t colors = icl__take_u32_high_first(in);
  const unsigned char *stored = icl__take(in, colors);
  if (stored && p->mode == PALETTE && colors == sizeof p->palette)
    memcpy(p->palette, stored, sizeof p->palette);
  for (int i = 0; i < 2; i++) /* resources, layers */
    icl__skip(in, icl__take_u32_high_first(in));
  ICL__TRY(icl__cursor_check(in));
  if (version != 1)
    return icl__cursor_refuse(in, "of version %u", version);
  if (!(p->bits == 8 && (p->mode <= INKS || p->mode == CHANNELS || p->mode == DUOTONE) && p->mode != BITMAP) &&
      !(p->bits == 1 && p->mode == BITMAP))
    return icl__cursor_refuse(in, "of mode %u with %u bits", p->mode, p->bits);
  p->used = p->mode == COLORS ? 3 : p->mode == INKS ? 4 : 1;
  return p->channels < p->used ? icl__cursor_damaged(in, "it has too few channels") : ICL_OK;
}

/* ---- rows of a channel ---- */

/* Unpacks a row: a byte says how many bytes follow, or how often the next one counts (PackBits). */
static void unpack(icl__cursor *in, uint8_t *row, size_t bytes) {
  for (size_t at = 0; at < bytes && !in->cut;) {
    uint32_t head = icl__take_u8(in);
    if (head == 128)
      continue;
    bool repeat = head > 128;
    size_t count = repeat ? 257 - head : head + 1, room = count < bytes - at ? count : bytes - at;
    const unsigned char *stored = icl__take(in, repeat ? 1 : count);
    if (stored && repeat)
      memset(row + at, stored[0], room);
    else if (stored)
      memcpy(row + at, stored, room);
    at += room;
  }
}

/* A row of channel `channel` into the pixels; `step` bytes lie between two of them. */
static void spread(const psd *p, const uint8_t *row, uint32_t channel, uint8_t *out) {
  for (uint32_t x = 0; x < p->width; x++, out += p->used == 1 ? 3 : p->used)
    if (p->mode == PALETTE)
      for (int k = 0; k < 3; k++)
        out[k] = p->palette[k][row[x]];
    else if (p->mode == BITMAP)
      memset(out, row[x / 8] >> (7 - x % 8) & 1 ? 255 : 0, 3);
    else if (p->used == 1)
      memset(out, row[x], 3);
    else
      out[channel] = row[x];
}

static icl_status read_channels(psd *p, bool packed, uint8_t *out, uint8_t *row, size_t bytes) {
  size_t pitch = (size_t)p->width * (p->used == 1 ? 3 : p->used);
  for (uint32_t channel = 0; channel < p->used; channel++)
    for (uint32_t y = 0; y < p->height && !p->in.cut; y++) {
      const uint8_t *stored = row;
      if (packed)
        unpack(&p->in, row, bytes);
      else
        stored = icl__take(&p->in, bytes);
      if (stored)
        spread(p, stored, channel, out + y * pitch);
    }
  return icl__cursor_check(&p->in);
}

static icl_status decode(psd *p, icl__image *image) {
  icl__cursor *in = &p->in;
  uint32_t form = icl__take_u16_high_first(in);
  if (form > 1)
    return icl__cursor_refuse(in, "in form %u", form);
  size_t bytes = ((size_t)p->width * p->bits + 7) / 8, pixels = (size_t)p->height * p->width;
  uint64_t rows = (uint64_t)p->height * (form == 1 ? p->channels : p->used);
  ICL__TRY(icl__cursor_resize(in, p->height, p->width, rows * (form == 1 ? 2 : bytes), image));
  if (form == 1)
    icl__skip(in, rows * 2); /* how long rows are */
  uint8_t *row = icl__alloc(bytes, 1), *inks = p->mode == INKS ? icl__alloc(pixels, 4) : NULL;
  icl_status status = row && (inks || p->mode != INKS) ? ICL_OK : icl__wrap(ICL_ENOMEM, "%s", in->name);
  if (status == ICL_OK)
    status = read_channels(p, form == 1, inks ? inks : image->pixels, row, bytes);
  if (status == ICL_OK && inks)
    icl__image_from_inks(inks, pixels, image->pixels);
  icl__free(inks);
  icl__free(row);
  return status;
}

icl_status icl__psd_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  psd p = {.in = {.name = name, .format = "PSD", .data = data, .bytes = bytes}};
  ICL__TRY(read_header(&p));
  return decode(&p, image);
}
