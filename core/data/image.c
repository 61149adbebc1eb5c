/* image.c - finds the decoder of a file. */
#include "data/image.h"

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

/* ---- formats by their first bytes ---- */

typedef struct {
  const char *name, *magic;
  int bytes, at; /* of the magic, and where it stands */
  icl_status (*decode)(const char *name, const unsigned char *data, size_t bytes, icl__image *image);
} format;

static const format formats[] = {
    {"JPEG", "\xff\xd8\xff", 3, 0, icl__jpeg_decode},
    {"PNG", "\x89PNG\r\n\x1a\n", 8, 0, icl__png_decode},
    {"WebP", "WEBP", 4, 8, NULL},
    {"GIF", "GIF8", 4, 0, NULL},
    {"TIFF", "II*\0", 4, 0, NULL},
    {"TIFF", "MM\0*", 4, 0, NULL},
    {"BMP", "BM", 2, 0, NULL},
    {"PPM", "P6", 2, 0, NULL},
    {"PGM", "P5", 2, 0, NULL},
};

icl_status icl__image_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  if (bytes == 0)
    return icl__fail(ICL_EFORMAT, "%s: the file is empty" ICL__IMAGE_FIX, name);
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    const format *f = &formats[i];
    if (bytes < (size_t)(f->at + f->bytes) || memcmp(data + f->at, f->magic, (size_t)f->bytes) != 0)
      continue;
    if (f->decode)
      return f->decode(name, data, bytes, image);
    return icl__fail(ICL_ENOTSUP, "%s: it is a %s image; JPEG and PNG are read; convert it or remove it", name,
                     f->name);
  }
  return icl__fail(ICL_EFORMAT,
                   "%s: not an image: it begins with the bytes %02x %02x; JPEG and PNG are read" ICL__IMAGE_FIX, name,
                   data[0], bytes > 1 ? data[1] : 0);
}

icl_status icl__image_read(const char *path, icl__image *image) {
  char *data; /* read, not mapped: a disk that fails is then an error and no signal */
  size_t bytes;
  ICL__TRY(icl__file_read_all(path, most_file_bytes, &data, &bytes));
  icl_status status = icl__image_decode(path, (const unsigned char *)data, bytes, image);
  icl__free(data);
  return status;
}
