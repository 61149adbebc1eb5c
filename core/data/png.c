/* png.c - decodes PNG with libpng. Its errors leave through longjmp, which stays inside this file. */
#include <png.h>
#include <stdio.h>
#include <string.h>

#include "data/image.h"

typedef struct {
  png_structp png;
  png_infop info;
  const unsigned char *data;
  size_t bytes, at;
  bool cut;
  char text[128]; /* what went wrong */
} reader;

static void escape(png_structp png, const char *text) {
  reader *r = png_get_error_ptr(png);
  snprintf(r->text, sizeof r->text, "%s", text);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, const char *text) { (void)png, (void)text; }

static void read_bytes(png_structp png, unsigned char *out, size_t bytes) {
  reader *r = png_get_io_ptr(png);
  if (r->bytes - r->at < bytes) {
    r->cut = true;
    png_error(png, "cut");
  }
  memcpy(out, r->data + r->at, bytes);
  r->at += bytes;
}

/* Asks libpng for rows of red, green and blue; of grey in 16 bits for those 16 bits, which is returned. */
static bool choose_form(reader *r) {
  int type = png_get_color_type(r->png, r->info);
  if (type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(r->png, r->info) == 16)
    return true;
  png_set_palette_to_rgb(r->png);
  png_set_expand_gray_1_2_4_to_8(r->png);
  png_set_strip_16(r->png);
  png_set_strip_alpha(r->png);
  png_set_gray_to_rgb(r->png);
  return false;
}

/* The first two thirds of a row as 16-bit numbers -> the whole row as three bytes each, from the end, so that nothing
 * is overwritten before it was read; -> how many were above 255. */
static int64_t clip_row(uint8_t *row, int width) {
  int64_t clipped = 0;
  for (int x = width - 1; x >= 0; x--) {
    clipped += row[2 * x] != 0;
    memset(row + 3 * x, row[2 * x] ? 255 : row[2 * x + 1], 3);
  }
  return clipped;
}

static void clip_grey(icl__image *image) {
  int64_t clipped = 0, row = (int64_t)image->width * 3;
  for (int y = 0; y < image->height; y++)
    clipped += clip_row(image->pixels + y * row, image->width);
  icl__image_count_clipped(image, clipped);
}

static icl_status decode(reader *r, const char *name, icl__image *image) {
  png_structp png = r->png;
  if (setjmp(png_jmpbuf(png))) {
    if (r->cut)
      return icl__fail(ICL_EFORMAT, "%s: it is cut: the PNG data end at byte %zu, before the image does" ICL__IMAGE_FIX,
                       name, r->bytes);
    return icl__fail(ICL_EFORMAT, "%s: damaged PNG data: %s" ICL__IMAGE_FIX, name, r->text);
  }
  png_set_read_fn(png, r, read_bytes);
  png_read_info(png, r->info);
  ICL__TRY(icl__image_resize(name, png_get_image_height(png, r->info), png_get_image_width(png, r->info), image));
  /* Pillow trusts the check sum of the pixels' stream alone, not those of the chunks that it lies in. */
  png_set_crc_action(png, PNG_CRC_QUIET_USE, PNG_CRC_NO_CHANGE);
  bool grey16 = choose_form(r);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, r->info);
  size_t row = (size_t)image->width * 3;
  if (png_get_rowbytes(png, r->info) != (grey16 ? row / 3 * 2 : row))
    return icl__fail(ICL_EINTERNAL, "%s: libpng makes rows of %zu bytes for %d pixels", name,
                     png_get_rowbytes(png, r->info), image->width);
  for (int pass = 0; pass < passes; pass++)
    for (int y = 0; y < image->height; y++)
      png_read_row(png, image->pixels + (size_t)y * row, NULL);
  if (grey16)
    clip_grey(image);
  return ICL_OK;
}

icl_status icl__png_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  reader r = {.data = data, .bytes = bytes};
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, escape, ignore);
  if (r.png)
    r.info = png_create_info_struct(r.png);
  icl_status status = r.info ? decode(&r, name, image) : icl__fail(ICL_ENOMEM, "%s: out of memory to decode it", name);
  png_destroy_read_struct(&r.png, &r.info, NULL);
  return status;
}
