/* pnm.c - decodes PBM, PGM and PPM, as text and as bytes (P1 to P6). */
#include <math.h>
#include <string.h>

#include "data/cursor.h"

typedef struct {
  icl__cursor in;
  bool text;         /* numbers are written out */
  uint32_t channels; /* 0: bits, of which 1 is black */
  uint32_t height, width, most;
} pnm;

/* ---- text ---- */

static bool is_space(uint32_t c) { return c == ' ' || (c >= 9 && c <= 13); }

/* The next character that is in no comment; a space behind the last one. */
static uint32_t next_character(icl__cursor *in) {
  if (in->at == in->bytes)
    return ' ';
  uint32_t c = icl__take_u8(in);
  if (c != '#')
    return c;
  while (in->at < in->bytes && c != '\n' && c != '\r')
    c = icl__take_u8(in);
  return ' ';
}

/* The next number and the space behind it; `single`: a number of one digit, which needs no space. */
static icl_status next_number(icl__cursor *in, bool single, uint32_t *number) {
  uint32_t c = ' ', digits = 0;
  while (is_space(c) && in->at < in->bytes)
    c = next_character(in);
  if (is_space(c))
    in->cut = true;
  ICL__TRY(icl__cursor_check(in));
  for (*number = 0; !is_space(c); c = next_character(in)) {
    if (c < '0' || c > '9' || ++digits > 9)
      return icl__cursor_damaged(in, "a number is expected where there is none");
    *number = *number * 10 + (c - '0');
    if (single)
      return ICL_OK;
  }
  return ICL_OK;
}

static icl_status read_header(pnm *p) {
  icl__cursor *in = &p->in;
  uint32_t kind = in->data[1] - '0';
  icl__skip(in, 2);
  p->text = kind <= 3;
  p->channels = kind % 3 == 1 ? 0 : kind % 3 == 2 ? 1 : 3;
  p->most = 1;
  ICL__TRY(next_number(in, false, &p->width));
  ICL__TRY(next_number(in, false, &p->height));
  if (p->channels > 0)
    ICL__TRY(next_number(in, false, &p->most));
  if (p->most == 0 || p->most > 65535)
    return icl__cursor_damaged(in, "its largest value is none from 1 to 65535");
  return ICL_OK;
}

/* ---- pixels ---- */

/* What becomes of a number: `most` is white. Grey of more than a byte becomes 16 bits, of which what is above 255 is
 * clipped. */
static uint8_t scaled(const pnm *p, uint32_t value, int64_t *clipped) {
  if (p->channels == 0)
    return value ? 0 : 255;
  double full = p->channels == 1 && p->most > 255 ? 65535 : 255;
  double made = rint((double)value / (double)p->most * full);
  *clipped += made > 255 && full > 255;
  return made > 255 ? 255 : (uint8_t)made;
}

static icl_status next_value(pnm *p, uint32_t *value) {
  icl__cursor *in = &p->in;
  if (p->text) {
    ICL__TRY(next_number(in, p->channels == 0, value));
    return *value > p->most ? icl__cursor_damaged(in, "a value is larger than its largest") : ICL_OK;
  }
  *value = p->most > 255 ? icl__take_u16_high_first(in) : icl__take_u8(in);
  return ICL_OK;
}

static icl_status read_values(pnm *p, icl__image *image) {
  int64_t clipped = 0, pixels = (int64_t)p->height * p->width;
  uint8_t *out = image->pixels;
  for (int64_t i = 0; i < pixels; i++, out += 3) {
    uint32_t value;
    for (uint32_t k = 0; k < 3; k++)
      if (k == 0 || p->channels == 3) {
        ICL__TRY(next_value(p, &value));
        out[k] = scaled(p, value, &clipped);
      } else {
        out[k] = out[0];
      }
  }
  icl__image_count_clipped(image, clipped);
  return icl__cursor_check(&p->in);
}

static void read_bits(pnm *p, icl__image *image) {
  uint8_t *out = image->pixels;
  for (uint32_t y = 0; y < p->height; y++) {
    const unsigned char *row = icl__take(&p->in, (p->width + 7) / 8);
    for (uint32_t x = 0; row && x < p->width; x++, out += 3)
      memset(out, row[x / 8] >> (7 - x % 8) & 1 ? 0 : 255, 3);
  }
}

bool icl__pnm_fits(const unsigned char *data, size_t bytes) {
  return bytes >= 3 && data[0] == 'P' && data[1] >= '1' && data[1] <= '6' && (is_space(data[2]) || data[2] == '#');
}

icl_status icl__pnm_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  pnm p = {.in = {.name = name, .format = "PNM", .data = data, .bytes = bytes}};
  ICL__TRY(read_header(&p));
  uint64_t row = p.channels == 0 && !p.text ? (p.width + 7) / 8 : (uint64_t)p.width * (p.channels ? p.channels : 1);
  ICL__TRY(icl__cursor_resize(&p.in, p.height, p.width, row * p.height * (!p.text && p.most > 255 ? 2 : 1), image));
  if (p.channels == 0 && !p.text) {
    read_bits(&p, image);
    return ICL_OK;
  }
  return read_values(&p, image);
}
