/* image.h - images in files, decoded to bytes of red, green and blue.
 *
 * Read are JPEG, PNG, WebP, TIFF, BMP, PNM (P1 to P6), GIF, TGA and PSD; of several frames or pages the first. Every
 * pixel is the one that Image.open(path).convert("RGB") of Pillow 10 has: grey is repeated, a palette looked up, alpha
 * dropped, also where it belongs to a colour of a palette; of 16 bits the upper 8 are taken, but grey is clipped at
 * 255; CMYK is taken as Adobe stores it. Colour profiles are not applied, nor orientation but in TIFF. Forms that are
 * not read are an error that names them.
 *
 * The small formats are read by code of our own: stb_image gives other pixels than Pillow where a palette is short, a
 * colour transparent, a row mirrored, alpha soft or a largest value not 255, and takes a file that is cut for a whole
 * one. */
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
 * or too large; ENOTSUP: an image of a form that is not read. Messages begin with the path and end with what to do. */
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
icl_status icl__webp_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image);
icl_status icl__tiff_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image);
icl_status icl__bmp_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image);
icl_status icl__pnm_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image);
icl_status icl__gif_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image);
icl_status icl__psd_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image);
icl_status icl__tga_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image);

/* Of formats without first bytes of their own: do these bytes begin a file of it? */
bool icl__pnm_fits(const unsigned char *data, size_t bytes);
bool icl__tga_fits(const unsigned char *data, size_t bytes);

/* Sets the size and makes room for the pixels, whose contents are undefined. */
icl_status icl__image_resize(const char *name, uint32_t height, uint32_t width, icl__image *image);

/* Is an image of this size read? */
bool icl__image_fits(uint32_t height, uint32_t width);

/* ENOTSUP for a form of a format that is not read: "it is a BMP image of 2 bits; convert it or remove it". */
icl_status icl__image_refuse(const char *name, const char *format, const char *form, ...) ICL__PRINTF(3, 4);

/* Pixels of four inks, stored inverted as Adobe does, -> of three colours. */
void icl__image_from_inks(const uint8_t *inks, size_t count, uint8_t *out);

/* To be told how many pixels of grey were clipped: for icl_images_clipped(). */
void icl__image_count_clipped(const icl__image *image, int64_t clipped);

/* What messages about a damaged file end with. */
#define ICL__IMAGE_FIX "; remove the file or get it anew"

#endif
