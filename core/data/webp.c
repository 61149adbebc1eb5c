/* webp.c - decodes WebP with libwebp: the first frame, as its decoder of animations composes it. */
#include "data/image.h"

#ifndef ICL_WEBP_LIBRARY

icl_status icl__webp_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  (void)data, (void)bytes, (void)image;
  return icl__image_refuse(name, "WebP", "and icl was built without libwebp");
}

#else

#include <webp/decode.h>
#include <webp/demux.h>

#include "data/library.h"

/* libwebpdemux brings libwebp along, where the first of these is found too. */
#define FUNCTIONS(f)                                                                                                   \
  f(WebPGetFeaturesInternal) f(WebPAnimDecoderOptionsInitInternal) f(WebPAnimDecoderNewInternal)                       \
      f(WebPAnimDecoderGetNext) f(WebPAnimDecoderDelete)

#define POINTER(function) __typeof__(function) *function;
#define NAME(function)    #function,
static struct { FUNCTIONS(POINTER) } lib;
static const char *const names[] = {FUNCTIONS(NAME)};
static icl__library library = {
    .file = ICL_WEBP_LIBRARY, .names = names, .count = sizeof names / sizeof *names, .functions = &lib};

static icl_status read_frame(const char *name, WebPAnimDecoder *decoder, icl__image *image) {
  uint8_t *pixels; /* with alpha; the decoder's */
  int time;
  if (!lib.WebPAnimDecoderGetNext(decoder, &pixels, &time))
    return icl__fail(ICL_EFORMAT, "%s: damaged WebP data" ICL__IMAGE_FIX, name);
  size_t count = (size_t)image->height * (size_t)image->width;
  for (size_t i = 0; i < count; i++)
    for (int k = 0; k < 3; k++)
      image->pixels[3 * i + k] = pixels[4 * i + k];
  return ICL_OK;
}

icl_status icl__webp_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  WebPBitstreamFeatures features;
  WebPAnimDecoderOptions options;
  ICL__TRY(icl__library_load(&library, name, "WebP"));
  VP8StatusCode code = lib.WebPGetFeaturesInternal(data, bytes, &features, WEBP_DECODER_ABI_VERSION);
  if (code == VP8_STATUS_NOT_ENOUGH_DATA)
    return icl__fail(ICL_EFORMAT, "%s: it is cut: the WebP data end at byte %zu, before the image does" ICL__IMAGE_FIX,
                     name, bytes);
  if (code != VP8_STATUS_OK || !lib.WebPAnimDecoderOptionsInitInternal(&options, WEBP_DEMUX_ABI_VERSION))
    return icl__fail(ICL_EFORMAT, "%s: damaged WebP data" ICL__IMAGE_FIX, name);
  ICL__TRY(icl__image_resize(name, (uint32_t)features.height, (uint32_t)features.width, image));
  options.color_mode = MODE_RGBA;
  WebPData file = {.bytes = data, .size = bytes};
  WebPAnimDecoder *decoder = lib.WebPAnimDecoderNewInternal(&file, &options, WEBP_DEMUX_ABI_VERSION);
  if (!decoder)
    return icl__fail(ICL_EFORMAT, "%s: damaged or cut WebP data" ICL__IMAGE_FIX, name);
  icl_status status = read_frame(name, decoder, image);
  lib.WebPAnimDecoderDelete(decoder);
  return status;
}

#endif
