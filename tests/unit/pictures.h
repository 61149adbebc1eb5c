/* pictures.h - JPEG and PNG files for tests, made by the encoders of libjpeg and libpng. */
#ifndef ICL_TESTS_PICTURES_H
#define ICL_TESTS_PICTURES_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  unsigned char *data; /* lives until the test ends */
  size_t bytes;
} picture;

/* height x width x channels samples; 1: grey, 3: colours, 4: inks as they are stored. */
picture picture_jpeg(int height, int width, int channels, const uint8_t *samples, int progressive);

/* Rows as PNG packs them. type: of png.h, PNG_COLOR_TYPE_RGB, ...; a palette has 4 colours: {10 k, 20 k, 30 k}; with
 * `transparent` a tRNS chunk is written as well. */
picture picture_png(int height, int width, int type, int depth, const uint8_t *rows, int interlaced, int transparent);

/* A JPEG of one colour, in the file of this name; -> its path. */
const char *picture_put(const char *name, int height, int width, uint8_t red, uint8_t green, uint8_t blue);

#endif
