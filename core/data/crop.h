/* crop.h - which part of an image a network sees, and that part resized, as torchvision chooses it and Pillow resizes:
 * bilinear with support that grows when an image shrinks, byte by byte the same.
 *
 * A part of the image, the box, is resized to full_height x full_width, and a window of that is stored. Both may lie
 * anywhere: outside of the resized box the window is black. */
#ifndef ICL_DATA_CROP_H
#define ICL_DATA_CROP_H

#include "data/image.h"

typedef struct {
  int top, left, height, width;    /* the box, inside of the image */
  int64_t full_height, full_width; /* what it is resized to */
  int64_t window_top, window_left; /* where in that the window begins */
  int window_height, window_width;
} icl__crop;

/* Stores the window, window_height x window_width x 3, in `out`. */
icl_status icl__crop_render(const icl__image *image, const icl__crop *crop, uint8_t *out);

/* The middle size x size pixels of the image, or of the image whose shorter side was brought to `resize` pixels (0: it
 * stays as it is); black where it is smaller. */
icl__crop icl__crop_center(int height, int width, int resize, int size);

/* ---- random resized crops (Szegedy et al., "Going deeper with convolutions", 2015) ---- */

typedef struct {
  double area[2];  /* least and largest share of the image, 0.08 and 1 */
  double ratio[2]; /* of width to height, 3/4 and 4/3 */
} icl__crop_range;

/* Height and width of the box with this share of the image's area and this logarithm of width to height; false if it
 * does not fit into the image. */
bool icl__crop_size(int height, int width, double area, double log_ratio, int *box_height, int *box_width);

/* The largest box in the middle of the image whose ratio is in the range. */
icl__crop icl__crop_largest(int height, int width, const icl__crop_range *range, int size);

/* A box that is drawn for this sample, resized to size x size: the first of ten that fits, at a random place; else the
 * largest. Try t draws elements 2 t and 2 t + 1 of the key, the place 20 and 21. */
icl__crop icl__crop_random(int height, int width, const icl__crop_range *range, int size, const uint32_t key[4],
                           uint32_t sample);

#endif
