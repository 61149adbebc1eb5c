/* image.c - finds the decoder of a file. */
#include "data/image.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

/* More pixels than in any photo: a file of few bytes must not take all memory. */
enum { MOST_PIXELS = 178956970 };

/* What so many pixels take in the largest form there is, four channels of 16 bits: a larger file is no image, but a
 * video or the image of a disk, and would take all memory as well. */
static const size_t most_file_bytes = (size_t)8 * MOST_PIXELS;

bool icl__image_fits(uint32_t height, uint32_t width) {
  uint64_t pixels = (uint64_t)height * width;
  return pixels > 0 && pixels <= MOST_PIXELS;
}

icl_status icl__image_resize(const char *name, uint32_t height, uint32_t width, icl__image *image) {
  uint64_t pixels = (uint64_t)height * width;
  if (!icl__image_fits(height, width))
    return icl__fail(ICL_EFORMAT, "%s: an image of %u x %u pixels; 1 to %d in all are read" ICL__IMAGE_FIX, name,
                     height, width, MOST_PIXELS);
  uint8_t *grown = icl__grow(image->pixels, &image->capacity, pixels * 3, 1);
  if (!grown)
    return icl__wrap(ICL_ENOMEM, "%s", name);
  image->pixels = grown;
  image->height = (int)height;
  image->width = (int)width;
  return ICL_OK;
}

/* ---- what decoders share ---- */

icl_status icl__image_refuse(const char *name, const char *format, const char *form, ...) {
  char text[200];
  va_list values;
  va_start(values, form);
  vsnprintf(text, sizeof text, form, values);
  va_end(values);
  return icl__fail(ICL_ENOTSUP, "%s: it is a %s image %s, which is not read; convert it or remove it", name, format,
                   text);
}

/* a * b / 255, rounded */
static int scale(int a, int b) {
  int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

void icl__image_from_inks(const uint8_t *inks, size_t count, uint8_t *out) {
  for (size_t i = 0; i < count; i++, inks += 4, out += 3)
    for (int c = 0; c < 3; c++) {
      int value = inks[3] - scale(255 - inks[c], inks[3]);
      out[c] = (uint8_t)(value < 0 ? 0 : value);
    }
}

static atomic_int_fast64_t nearly_white;

int64_t icl_images_clipped(void) { return atomic_load(&nearly_white); }

void icl__image_count_clipped(const icl__image *image, int64_t clipped) {
  if (clipped * 10 > (int64_t)image->height * image->width * 9)
    atomic_fetch_add(&nearly_white, 1);
}

/* ---- formats by their first bytes ---- */

typedef struct {
  const char *magic;
  int bytes, at; /* of the magic, and where it stands */
  icl_status (*decode)(const char *name, const unsigned char *data, size_t bytes, icl__image *image);
  bool (*fits)(const unsigned char *data, size_t bytes); /* in place of a magic */
} format;

static const format formats[] = {
    {"\xff\xd8\xff", 3, 0, icl__jpeg_decode, NULL}, {"\x89PNG\r\n\x1a\n", 8, 0, icl__png_decode, NULL},
    {"WEBP", 4, 8, icl__webp_decode, NULL},         {"II*\0", 4, 0, icl__tiff_decode, NULL},
    {"MM\0*", 4, 0, icl__tiff_decode, NULL},        {"GIF8", 4, 0, icl__gif_decode, NULL},
    {"8BPS", 4, 0, icl__psd_decode, NULL},          {"BM", 2, 0, icl__bmp_decode, NULL},
    {NULL, 0, 0, icl__pnm_decode, icl__pnm_fits},   {NULL, 0, 0, icl__tga_decode, icl__tga_fits},
};

static bool is_of(const format *f, const unsigned char *data, size_t bytes) {
  if (f->fits)
    return f->fits(data, bytes);
  return bytes >= (size_t)(f->at + f->bytes) && memcmp(data + f->at, f->magic, (size_t)f->bytes) == 0;
}

icl_status icl__image_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  if (bytes == 0)
    return icl__fail(ICL_EFORMAT, "%s: the file is empty" ICL__IMAGE_FIX, name);
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
    if (is_of(&formats[i], data, bytes))
      return formats[i].decode(name, data, bytes, image);
  return icl__fail(
      ICL_EFORMAT,
      "%s: not an image: it begins with the bytes %02x %02x; JPEG, PNG, WebP, TIFF, BMP, PNM, GIF, TGA and "
      "PSD are read" ICL__IMAGE_FIX,
      name, data[0], bytes > 1 ? data[1] : 0);
}

icl_status icl__image_read(const char *path, icl__image *image) {
  char *data; /* read, not mapped: a disk that fails is then an error and no signal */
  size_t bytes;
  ICL__TRY(icl__file_read_all(path, most_file_bytes, &data, &bytes));
  icl_status status = icl__image_decode(path, (const unsigned char *)data, bytes, image);
  icl__free(data);
  return status;
}
