/* png_write.c - encodes PNG with libpng, which reads it too (png.c): a second encoder, such as stb_image_write, would
 * be another way to do one thing. Errors of libpng leave through longjmp, which stays inside this file. */
#include <png.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/image.h"

typedef struct {
  png_structp png;
  png_infop info;
  icl__bytes *out;
  char text[128]; /* what went wrong; empty: memory is out */
} writer;

static void escape(png_structp png, const char *text) {
  writer *w = png_get_error_ptr(png);
  snprintf(w->text, sizeof w->text, "%s", text);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, const char *text) { (void)png, (void)text; }

static void append(png_structp png, png_bytep data, size_t bytes) {
  writer *w = png_get_io_ptr(png);
  uint8_t *grown = icl__grow(w->out->data, &w->out->capacity, w->out->bytes + bytes, 1);
  if (!grown)
    png_error(png, "");
  w->out->data = grown;
  memcpy(grown + w->out->bytes, data, bytes);
  w->out->bytes += bytes;
}

static void flush(png_structp png) { (void)png; }

static icl_status encode(writer *w, int height, int width, int channels, const uint8_t *pixels) {
  static const int types[] = {[1] = PNG_COLOR_TYPE_GRAY, [3] = PNG_COLOR_TYPE_RGB, [4] = PNG_COLOR_TYPE_RGB_ALPHA};
  png_structp png = w->png;
  if (setjmp(png_jmpbuf(png))) {
    if (!w->text[0])
      return icl__fail(ICL_ENOMEM, "out of memory to write a PNG image of %d x %d pixels", height, width);
    return icl__fail(ICL_EINVAL, "an image of %d x %d pixels cannot be written as PNG: %s", height, width, w->text);
  }
  png_set_write_fn(png, w, append, flush);
  png_set_IHDR(png, w->info, (png_uint_32)width, (png_uint_32)height, 8, types[channels], PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, w->info);
  for (int y = 0; y < height; y++)
    png_write_row(png, pixels + (size_t)y * (size_t)width * (size_t)channels);
  png_write_end(png, w->info);
  return ICL_OK;
}

icl_status icl__png_encode(int height, int width, int channels, const uint8_t *pixels, icl__bytes *out) {
  writer w = {.out = out};
  w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, escape, ignore);
  if (w.png)
    w.info = png_create_info_struct(w.png);
  icl_status status = w.info ? encode(&w, height, width, channels, pixels)
                             : icl__fail(ICL_ENOMEM, "out of memory to write a PNG image");
  png_destroy_write_struct(&w.png, &w.info);
  return status;
}
