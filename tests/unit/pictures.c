/* pictures.c - see pictures.h. Encoders that fail end the test. */
#include "pictures.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "files.h"
#include "unit.h"

static picture kept[256]; /* until the end, so that a leak checker stays quiet */
static int kept_count;

static picture keep(unsigned char *data, size_t bytes) {
  CHECK(kept_count < 256);
  kept[kept_count] = (picture){data, bytes};
  return kept[kept_count++];
}

picture picture_jpeg(int height, int width, int channels, const uint8_t *samples, int progressive) {
  struct jpeg_compress_struct info;
  struct jpeg_error_mgr errors;
  unsigned char *data = NULL;
  unsigned long bytes = 0;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &data, &bytes);
  info.image_height = (JDIMENSION)height;
  info.image_width = (JDIMENSION)width;
  info.input_components = channels;
  info.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  if (progressive)
    jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < height; y++) {
    JSAMPROW row = (JSAMPROW)(uintptr_t)(samples + (size_t)(y * width * channels));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  return keep(data, bytes);
}

static void append(png_structp png, png_bytep bytes, size_t count) {
  picture *p = png_get_io_ptr(png);
  p->data = realloc(p->data, p->bytes + count);
  CHECK(p->data);
  memcpy(p->data + p->bytes, bytes, count);
  p->bytes += count;
}

static void flush(png_structp png) { (void)png; }

picture picture_png(int height, int width, int type, int depth, const uint8_t *rows, int interlaced, int transparent) {
  picture p = {0};
  png_color palette[4];
  png_byte alpha[4] = {0, 255, 128, 7};
  png_color_16 color = {.red = 1, .green = 2, .blue = 3, .gray = 1};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &p, append, flush);
  png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, depth, type,
               interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  for (int k = 0; k < 4; k++)
    palette[k] = (png_color){(png_byte)(10 * k), (png_byte)(20 * k), (png_byte)(30 * k)};
  if (type == PNG_COLOR_TYPE_PALETTE)
    png_set_PLTE(png, info, palette, 4);
  if (transparent)
    png_set_tRNS(png, info, alpha, 4, &color);
  png_write_info(png, info);
  size_t pitch = png_get_rowbytes(png, info);
  int passes = png_set_interlace_handling(png);
  for (int pass = 0; pass < passes; pass++)
    for (int y = 0; y < height; y++)
      png_write_row(png, (png_bytep)(uintptr_t)(rows + (size_t)y * pitch));
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return keep(p.data, p.bytes);
}

const char *picture_put(const char *name, int height, int width, uint8_t red, uint8_t green, uint8_t blue) {
  uint8_t *samples = malloc((size_t)(height * width * 3));
  CHECK(samples);
  for (int i = 0; i < height * width; i++) {
    samples[3 * i] = red;
    samples[3 * i + 1] = green;
    samples[3 * i + 2] = blue;
  }
  picture p = picture_jpeg(height, width, 3, samples, 0);
  free(samples);
  return file_put(name, p.data, p.bytes);
}
