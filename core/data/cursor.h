/* cursor.h - reads a picture's bytes in order. Behind the last one there are zeros, and `cut` says so: a decoder asks
 * once, at its end. */
#ifndef ICL_DATA_CURSOR_H
#define ICL_DATA_CURSOR_H

#include "data/image.h"

typedef struct {
  const char *name, *format; /* the file and what it is: "BMP" */
  const unsigned char *data;
  size_t bytes, at;
  bool cut;
} icl__cursor;

/* The next bytes; NULL if there are not as many. */
static inline const unsigned char *icl__take(icl__cursor *c, size_t bytes) {
  if (c->bytes - c->at < bytes) {
    c->at = c->bytes;
    c->cut = true;
    return NULL;
  }
  c->at += bytes;
  return c->data + c->at - bytes;
}

static inline void icl__skip(icl__cursor *c, size_t bytes) { icl__take(c, bytes); }

static inline uint32_t icl__take_u8(icl__cursor *c) {
  const unsigned char *b = icl__take(c, 1);
  return b ? b[0] : 0;
}

/* Numbers with the low byte first; with the high byte first. */
static inline uint32_t icl__take_u16(icl__cursor *c) {
  const unsigned char *b = icl__take(c, 2);
  return b ? b[0] | (uint32_t)b[1] << 8 : 0;
}

static inline uint32_t icl__take_u32(icl__cursor *c) {
  uint32_t low = icl__take_u16(c);
  return low | icl__take_u16(c) << 16;
}

static inline uint32_t icl__take_u16_high_first(icl__cursor *c) {
  uint32_t number = icl__take_u16(c);
  return number >> 8 | (number & 0xff) << 8;
}

static inline uint32_t icl__take_u32_high_first(icl__cursor *c) {
  uint32_t high = icl__take_u16_high_first(c);
  return high << 16 | icl__take_u16_high_first(c);
}

/* An error if the cursor went over the end. */
static inline icl_status icl__cursor_check(const icl__cursor *c) {
  if (!c->cut)
    return ICL_OK;
  return icl__fail(ICL_EFORMAT, "%s: it is cut: the %s data end at byte %zu, before the image does" ICL__IMAGE_FIX,
                   c->name, c->format, c->bytes);
}

/* Makes room for the pixels of a picture that are stored one by one, if so many bytes are left: a short file must not
 * take much memory. */
static inline icl_status icl__cursor_resize(icl__cursor *c, uint32_t height, uint32_t width, uint64_t bytes,
                                            icl__image *image) {
  if (icl__image_fits(height, width) && c->bytes - c->at < bytes)
    c->cut = true;
  ICL__TRY(icl__cursor_check(c));
  return icl__image_resize(c->name, height, width, image);
}

static inline icl_status icl__cursor_damaged(const icl__cursor *c, const char *why) {
  return icl__fail(ICL_EFORMAT, "%s: damaged %s data: %s" ICL__IMAGE_FIX, c->name, c->format, why);
}

/* The error about a form of the format that is not read; `form` ends the sentence "a BMP image ...". */
#define icl__cursor_refuse(c, ...) icl__image_refuse((c)->name, (c)->format, __VA_ARGS__)

#endif
