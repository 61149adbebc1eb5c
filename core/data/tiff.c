/* tiff.c - decodes the first page of a TIFF with libtiff, which unpacks the samples; what they become is settled here.
 * As in Pillow, and other than for JPEG, the page is turned as its orientation says. */
#include "data/image.h"

#ifndef ICL_TIFF_LIBRARY

icl_status icl__tiff_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  (void)data, (void)bytes, (void)image;
  return icl__fail(ICL_ENOTSUP,
                   "%s: it is a TIFF image, and icl was built without libtiff: convert it, or build icl with libtiff",
                   name);
}

#else

#include <stdio.h>
#include <string.h>
#include <tiffio.h>

#include "base/memory.h"
#include "data/library.h"
#include "data/tiff.h"

#define FUNCTIONS(f)                                                                                                   \
  f(TIFFOpenOptionsAlloc) f(TIFFOpenOptionsFree) f(TIFFOpenOptionsSetMaxSingleMemAlloc)                                \
      f(TIFFOpenOptionsSetErrorHandlerExtR) f(TIFFOpenOptionsSetWarningHandlerExtR) f(TIFFClientOpenExt) f(TIFFClose)  \
          f(TIFFGetField) f(TIFFGetFieldDefaulted) f(TIFFSetField) f(TIFFIsTiled) f(TIFFScanlineSize64)                \
              f(TIFFReadScanline) f(TIFFTileSize64) f(TIFFTileRowSize64) f(TIFFReadTile) f(TIFFReadRGBAImageOriented)

#define POINTER(function) __typeof__(function) *function;
#define NAME(function)    #function,
static struct { FUNCTIONS(POINTER) } lib;
static const char *const names[] = {FUNCTIONS(NAME)};
static icl__library library = {
    .file = ICL_TIFF_LIBRARY, .names = names, .count = sizeof names / sizeof *names, .functions = &lib};

/* ---- a file in memory ---- */

typedef struct {
  const char *name;
  const unsigned char *data;
  size_t bytes;
  uint64_t at;
  bool cut;       /* something was to be read behind the end: libtiff goes on without a palette, say */
  char text[200]; /* what went wrong first */
} source;

static tmsize_t read_bytes(thandle_t handle, void *out, tmsize_t count) {
  source *s = handle;
  size_t left = s->at < s->bytes ? s->bytes - (size_t)s->at : 0, bytes = (size_t)count < left ? (size_t)count : left;
  memcpy(out, s->data + (left ? s->at : 0), bytes);
  s->at += bytes;
  s->cut = s->cut || bytes < (size_t)count;
  return (tmsize_t)bytes;
}

static tmsize_t write_bytes(thandle_t handle, void *data, tmsize_t count) {
  (void)handle, (void)data, (void)count;
  return 0;
}

static toff_t seek(thandle_t handle, toff_t to, int from) {
  source *s = handle;
  s->at = from == SEEK_SET ? to : from == SEEK_CUR ? s->at + to : s->bytes + to;
  return s->at;
}

static int close_source(thandle_t handle) {
  (void)handle;
  return 0;
}

static toff_t size_of(thandle_t handle) { return ((source *)handle)->bytes; }

static int hear_error(TIFF *tiff, void *data, const char *module, const char *format, va_list values) {
  source *s = data;
  (void)tiff, (void)module;
  if (!s->text[0])
    vsnprintf(s->text, sizeof s->text, format, values);
  return 1;
}

static int hear_warning(TIFF *tiff, void *data, const char *module, const char *format, va_list values) {
  (void)tiff, (void)data, (void)module, (void)format, (void)values;
  return 1;
}

static TIFF *open_tiff(source *s) {
  enum { MOST_BYTES = 1 << 30 }; /* of a block that the library asks for: more than any image needs */
  TIFFOpenOptions *options = lib.TIFFOpenOptionsAlloc();
  if (!options)
    return NULL;
  lib.TIFFOpenOptionsSetMaxSingleMemAlloc(options, MOST_BYTES);
  lib.TIFFOpenOptionsSetErrorHandlerExtR(options, hear_error, s);
  lib.TIFFOpenOptionsSetWarningHandlerExtR(options, hear_warning, s);
  TIFF *tiff = lib.TIFFClientOpenExt(s->name, "rm", s, read_bytes, write_bytes, seek, close_source, size_of, NULL, NULL,
                                     options);
  lib.TIFFOpenOptionsFree(options);
  return tiff;
}

static icl_status failure(const source *s) {
  if (s->cut)
    return icl__fail(ICL_EFORMAT, "%s: it is cut: the TIFF data end at byte %zu, before the image does" ICL__IMAGE_FIX,
                     s->name, s->bytes);
  return icl__fail(ICL_EFORMAT, "%s: damaged TIFF data: %s" ICL__IMAGE_FIX, s->name,
                   s->text[0] ? s->text : "it cannot be opened");
}

/* ---- the page ---- */

static uint32_t field(TIFF *tiff, uint32_t tag) {
  uint16_t value = 0;
  return lib.TIFFGetFieldDefaulted(tiff, tag, &value) ? value : 0;
}

static icl_status read_header(const source *s, TIFF *tiff, icl__tiff_page *p) {
  uint32_t compression = field(tiff, TIFFTAG_COMPRESSION);
  uint16_t extra = 0, *kinds = NULL, *colors[3] = {NULL};
  lib.TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &p->width);
  lib.TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &p->height);
  p->bits = field(tiff, TIFFTAG_BITSPERSAMPLE);
  p->samples = field(tiff, TIFFTAG_SAMPLESPERPIXEL);
  p->meaning = field(tiff, TIFFTAG_PHOTOMETRIC);
  p->format = field(tiff, TIFFTAG_SAMPLEFORMAT);
  p->apart = field(tiff, TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE && p->samples > 1;
  p->orientation = field(tiff, TIFFTAG_ORIENTATION);
  if (lib.TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extra, &kinds) && extra > 0)
    p->premultiplied = kinds[0] == EXTRASAMPLE_ASSOCALPHA;
  if (p->meaning == PHOTOMETRIC_PALETTE && p->bits <= 8) {
    if (!lib.TIFFGetField(tiff, TIFFTAG_COLORMAP, &colors[0], &colors[1], &colors[2]))
      return icl__fail(ICL_EFORMAT, "%s: damaged TIFF data: it has no colours" ICL__IMAGE_FIX, s->name);
    for (int k = 0; k < 3; k++)
      for (int i = 0; i < 1 << p->bits; i++)
        p->palette[i][k] = (uint8_t)(colors[k][i] >> 8);
  }
  bool jpeg = compression == COMPRESSION_JPEG && p->meaning == PHOTOMETRIC_YCBCR && !p->apart;
  if (jpeg) { /* libjpeg makes the colours */
    lib.TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    p->meaning = PHOTOMETRIC_RGB;
  }
  if (compression == COMPRESSION_OJPEG)
    return icl__image_refuse(s->name, "TIFF", "with JPEG of the old kind");
  return icl__tiff_check(s->name, p);
}

/* Blocks of more than this are no tiles of an image. */
enum { MOST_TILE = 1 << 28 };

static bool read_rows(TIFF *tiff, icl__tiff_page *p, uint8_t *row, icl__image *image) {
  for (uint32_t plane = 0; plane < (p->apart ? p->samples : 1); plane++)
    for (uint32_t y = 0; y < p->height; y++) {
      if (lib.TIFFReadScanline(tiff, row, y, (uint16_t)plane) < 0)
        return false;
      icl__tiff_store(p, row, image, y, 0, p->width, plane);
    }
  return true;
}

static bool read_tiles(TIFF *tiff, icl__tiff_page *p, uint8_t *tile, icl__image *image) {
  uint32_t width = 0, height = 0;
  uint64_t pitch = lib.TIFFTileRowSize64(tiff);
  lib.TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width);
  lib.TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height);
  for (uint32_t plane = 0; width && height && plane < (p->apart ? p->samples : 1); plane++)
    for (uint32_t top = 0; top < p->height; top += height)
      for (uint32_t left = 0; left < p->width; left += width) {
        uint32_t rows = p->height - top < height ? p->height - top : height;
        uint32_t columns = p->width - left < width ? p->width - left : width;
        if (lib.TIFFReadTile(tiff, tile, left, top, 0, (uint16_t)plane) < 0)
          return false;
        for (uint32_t y = 0; y < rows; y++)
          icl__tiff_store(p, tile + y * pitch, image, top + y, left, columns, plane);
      }
  return width && height;
}

/* Brightness and colour apart, at lower resolution: libtiff puts them together. */
static icl_status read_ycbcr(source *s, TIFF *tiff, const icl__tiff_page *p, icl__image *image) {
  size_t pixels = (size_t)p->height * p->width;
  uint32_t *raster = icl__alloc(pixels, sizeof *raster);
  if (!raster)
    return icl__wrap(ICL_ENOMEM, "%s", s->name);
  int turned = p->orientation >= 1 && p->orientation <= 8 ? (int)p->orientation : ORIENTATION_TOPLEFT;
  bool ok = lib.TIFFReadRGBAImageOriented(tiff, p->width, p->height, raster, turned, 1);
  for (size_t i = 0; ok && i < pixels; i++)
    for (int k = 0; k < 3; k++)
      image->pixels[3 * i + k] = (uint8_t)(raster[i] >> 8 * k);
  icl__free(raster);
  return ok ? ICL_OK : failure(s);
}

static icl_status read_page(source *s, TIFF *tiff, icl__image *image) {
  icl__tiff_page p = {0};
  ICL__TRY(read_header(s, tiff, &p));
  ICL__TRY(icl__image_resize(s->name, p.height, p.width, image));
  if (p.meaning == PHOTOMETRIC_YCBCR)
    ICL__TRY(read_ycbcr(s, tiff, &p, image));
  else {
    bool tiled = lib.TIFFIsTiled(tiff);
    uint64_t bytes = tiled ? lib.TIFFTileSize64(tiff) : lib.TIFFScanlineSize64(tiff);
    if (bytes == 0 || bytes > (tiled ? MOST_TILE : INT32_MAX))
      return failure(s);
    /* No less than the rows that are read from it hold, whatever the tags say. */
    uint64_t least = ((uint64_t)p.width * p.bits * (p.apart ? 1 : p.samples) + 7) / 8;
    if (!tiled && bytes < least)
      return failure(s);
    uint8_t *buffer = icl__calloc((size_t)bytes, 1);
    if (!buffer)
      return icl__wrap(ICL_ENOMEM, "%s", s->name);
    bool ok = (tiled ? read_tiles : read_rows)(tiff, &p, buffer, image);
    icl__free(buffer);
    if (!ok)
      return failure(s);
  }
  icl__image_count_clipped(image, p.clipped);
  return icl__tiff_turn(s->name, p.orientation, image);
}

icl_status icl__tiff_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  source s = {.name = name, .data = data, .bytes = bytes};
  ICL__TRY(icl__library_load(&library, name, "TIFF"));
  TIFF *tiff = open_tiff(&s);
  if (!tiff)
    return failure(&s);
  icl_status status = read_page(&s, tiff, image);
  lib.TIFFClose(tiff);
  return s.cut ? failure(&s) : status;
}

#endif
