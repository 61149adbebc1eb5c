/* image.h - images in files, decoded to bytes of red, green and blue.
 *
 * Every pixel is the one that Image.open(path).convert("RGB") of Pillow 10 has: grey is repeated, a palette looked up,
 * alpha dropped, 16 bits are cut to their upper 8 (of grey alone they are clipped at 255), and CMYK is taken as Adobe
 * stores it. Orientation tags and colour profiles are not applied. */
#ifndef ICL_DATA_IMAGE_H
#define ICL_DATA_IMAGE_H

#include "base/status.h"

/* Begins as zeros. Decoding another image into it uses the memory again. */
typedef struct {
  int height, width;
  uint8_t *pixels; /* height x width x 3; freed with icl__free() */
  size_t capacity;
} icl__image;

/* Reads and decodes a file. What it is shows in its first bytes, not in its name. EFORMAT: damaged, cut, not an image
 * or too large; ENOTSUP: an image of another format. Messages begin with the path and end with what to do. */
icl_status icl__image_read(const char *path, icl__image *image);

/* The same for contents that are at hand; `name` is for messages. */
icl_status icl__image_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image);

/* ---- writing ---- */

/* Begins as zeros. */
typedef struct {
  uint8_t *data; /* freed with icl__free(), also after an error */
  size_t bytes, capacity;
} icl__bytes;

/* Appends a PNG file of height x width x channels bytes, at least one pixel; channels: 1 grey, 3 colours, 4 with alpha.
 * The same pixels give the same file. */
icl_status icl__png_encode(int height, int width, int channels, const uint8_t *pixels, icl__bytes *out);

/* ---- for the decoders ---- */

icl_status icl__jpeg_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image);
icl_status icl__png_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image);

/* Sets the size and makes room for the pixels, whose contents are undefined. */
icl_status icl__image_resize(const char *name, uint32_t height, uint32_t width, icl__image *image);

/* Is an image of this size read? */
bool icl__image_fits(uint32_t height, uint32_t width);

/* What messages about a damaged file end with. */
#define ICL__IMAGE_FIX "; remove the file or get it anew"

#endif
