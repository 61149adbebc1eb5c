/* tiff_pixels.c - see tiff.h. */
#include "data/tiff.h"

#include <string.h>

#include "base/memory.h"

enum { WHITE_IS_ZERO, BLACK_IS_ZERO, COLORS, PALETTE, INKS = 5, YCBCR }; /* meaning */
enum { UNSIGNED = 1, SIGNED, REAL };                                     /* format */

icl_status icl__tiff_check(const char *name, const icl__tiff_page *p) {
  enum { MOST_SAMPLES = 6 };
  bool small = p->bits == 1 || p->bits == 2 || p->bits == 4, bytes = p->bits == 8, words = p->bits == 16, ok = false;
  switch (p->meaning) {
  case WHITE_IS_ZERO:
  case BLACK_IS_ZERO:
    ok = (small && p->samples == 1) || bytes || words || p->bits == 32;
    ok = ok && (p->format != REAL || p->bits == 32);
    break;
  case PALETTE:
    ok = (small && p->samples == 1) || bytes;
    break;
  case COLORS:
    ok = p->samples >= 3 && (bytes || words) && !(p->premultiplied && (words || p->apart));
    break;
  case INKS:
    ok = p->samples >= 4 && (bytes || words) && !p->apart;
    break;
  case YCBCR:
    ok = p->samples == 3 && bytes;
    break;
  }
  if (ok && p->samples >= 1 && p->samples <= MOST_SAMPLES)
    return ICL_OK;
  return icl__image_refuse(name, "TIFF", "of %u samples of %u bits, of photometric %u and format %u", p->samples,
                           p->bits, p->meaning, p->format);
}

/* ---- a row ---- */

static uint8_t clip(icl__tiff_page *p, double value) {
  p->clipped += value > 255;
  return value > 255 ? 255 : value > 0 ? (uint8_t)value : 0;
}

/* Grey as a byte. Fewer bits reach from 0 to 255, more are clipped there. */
static uint8_t grey(icl__tiff_page *p, const uint8_t *row, size_t sample) {
  int16_t i16;
  int32_t i32;
  uint32_t u32;
  float real;
  switch (p->bits) {
  case 8:
    return p->meaning == WHITE_IS_ZERO ? 255 - row[sample] : row[sample];
  case 16:
    memcpy(&i16, row + 2 * sample, 2);
    return clip(p, p->format == SIGNED ? i16 : (uint16_t)i16);
  case 32:
    memcpy(&u32, row + 4 * sample, 4);
    memcpy(&i32, &u32, 4);
    memcpy(&real, &u32, 4);
    return clip(p, p->format == REAL ? (double)real : p->format == SIGNED ? i32 : (double)u32);
  default: {
    uint32_t most = (1u << p->bits) - 1, at = (uint32_t)sample * p->bits;
    uint32_t value = row[at / 8] >> (8 - p->bits - at % 8) & most;
    return (uint8_t)((p->meaning == WHITE_IS_ZERO ? most - value : value) * (255 / most));
  }
  }
}

/* A sample of a colour or an ink: the upper 8 of 16 bits. */
static uint8_t byte(const icl__tiff_page *p, const uint8_t *row, size_t sample) {
  uint16_t word;
  if (p->bits == 8)
    return row[sample];
  memcpy(&word, row + 2 * sample, 2);
  return (uint8_t)(word >> 8);
}

/* Number `sample` of a palette's row. */
static uint32_t color(const icl__tiff_page *p, const uint8_t *row, size_t sample) {
  uint32_t at = (uint32_t)sample * p->bits;
  return p->bits == 8 ? row[sample] : row[at / 8] >> (8 - p->bits - at % 8) & ((1u << p->bits) - 1);
}

static void divide(const uint8_t *stored, uint8_t *out) {
  uint32_t alpha = stored[3];
  for (int k = 0; k < 3; k++) {
    uint32_t value = alpha ? 255u * stored[k] / alpha : 0;
    out[k] = value > 255 ? 255 : (uint8_t)value;
  }
}

static void store_pixel(icl__tiff_page *p, const uint8_t *row, size_t sample, uint8_t *out) {
  switch (p->meaning) {
  case PALETTE:
    memcpy(out, p->palette[color(p, row, sample)], 3);
    break;
  case COLORS:
    if (p->premultiplied && p->samples >= 4)
      divide(row + sample, out);
    else
      for (size_t k = 0; k < 3; k++)
        out[k] = byte(p, row, sample + k);
    break;
  case INKS: {
    uint8_t inks[4];
    for (size_t k = 0; k < 4; k++)
      inks[k] = 255 - byte(p, row, sample + k);
    icl__image_from_inks(inks, 1, out);
    break;
  }
  default:
    memset(out, grey(p, row, sample), 3);
  }
}

void icl__tiff_store(icl__tiff_page *p, const uint8_t *row, icl__image *image, uint32_t y, uint32_t left,
                     uint32_t count, uint32_t plane) {
  uint8_t *out = image->pixels + 3 * ((size_t)y * (size_t)image->width + left);
  for (uint32_t x = 0; x < count; x++, out += 3)
    if (!p->apart)
      store_pixel(p, row, (size_t)x * p->samples, out);
    else if (p->meaning == COLORS && plane < 3)
      out[plane] = byte(p, row, x);
    else if (p->meaning != COLORS && plane == 0)
      store_pixel(p, row, x, out);
}

/* ---- orientation ---- */

icl_status icl__tiff_turn(const char *name, uint32_t orientation, icl__image *image) {
  if (orientation < 2 || orientation > 8)
    return ICL_OK;
  icl__image turned = {0};
  size_t height = (size_t)image->height, width = (size_t)image->width;
  bool on_its_side = orientation >= 5; /* its first row is a column then */
  bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  uint32_t new_height = (uint32_t)(on_its_side ? width : height), new_width = (uint32_t)(on_its_side ? height : width);
  ICL__TRY(icl__image_resize(name, new_height, new_width, &turned));
  uint8_t *out = turned.pixels;
  for (size_t i = 0; i < new_height; i++)
    for (size_t j = 0; j < new_width; j++, out += 3) {
      size_t y = on_its_side ? j : i, x = on_its_side ? i : j;
      y = from_below ? height - 1 - y : y;
      x = from_right ? width - 1 - x : x;
      memcpy(out, image->pixels + 3 * (y * width + x), 3);
    }
  icl__free(image->pixels);
  *image = turned;
  return ICL_OK;
}
