/* tiff.h - what the samples of a TIFF page mean. */
#ifndef ICL_DATA_TIFF_H
#define ICL_DATA_TIFF_H

#include "data/image.h"

typedef struct {
  uint32_t height, width, bits, samples;
  uint32_t meaning;     /* PHOTOMETRIC: 0 white is 0, 1 black is 0, 2 colours, 3 palette, 5 inks, 6 YCbCr */
  uint32_t format;      /* SAMPLEFORMAT: 1 unsigned, 2 signed, 3 real */
  uint32_t orientation; /* 1: as it is */
  bool apart;           /* samples of a kind lie together */
  bool premultiplied;   /* colours were multiplied with alpha */
  uint8_t palette[256][3];
  int64_t clipped; /* values of grey above 255 so far */
} icl__tiff_page;

/* ENOTSUP: what this page consists of is not read. */
icl_status icl__tiff_check(const char *name, const icl__tiff_page *page);

/* A part of a row as libtiff unpacks it, in the byte order of this machine, into the pixels: `count` from column `left`
 * on. Of pages whose samples lie apart it holds sample `plane` alone. */
void icl__tiff_store(icl__tiff_page *page, const uint8_t *row, icl__image *image, uint32_t y, uint32_t left,
                     uint32_t count, uint32_t plane);

/* Turns and mirrors the pixels as the orientation says. */
icl_status icl__tiff_turn(const char *name, uint32_t orientation, icl__image *image);

#endif
