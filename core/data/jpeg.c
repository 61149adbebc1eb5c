/* jpeg.c - decodes JPEG with libjpeg-turbo. Its errors leave through longjmp, which stays inside this file. */
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>

#include "data/image.h"

typedef struct {
  struct jpeg_decompress_struct info;
  struct jpeg_error_mgr errors;
  jmp_buf escape;
  int code; /* what went wrong */
  char text[JMSG_LENGTH_MAX];
} reader;

static void escape(j_common_ptr info) {
  reader *r = (reader *)info; /* its first member */
  r->code = info->err->msg_code;
  info->err->format_message(info, r->text);
  longjmp(r->escape, 1);
}

/* Of the warnings, data that end too early are an error; the others are about bytes that do not matter much, and image
 * sets are full of them. */
static void hear(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF)
    escape(info);
}

static icl_status failure(const reader *r, const char *name, size_t bytes) {
  if (r->code == JERR_OUT_OF_MEMORY)
    return icl__fail(ICL_ENOMEM, "%s: out of memory to decode it", name);
  if (r->code == JWRN_JPEG_EOF)
    return icl__fail(ICL_EFORMAT, "%s: it is cut: the JPEG data end at byte %zu, before the image does" ICL__IMAGE_FIX,
                     name, bytes);
  return icl__fail(ICL_EFORMAT, "%s: damaged JPEG data: %s" ICL__IMAGE_FIX, name, r->text);
}

static void read_rows(reader *r, icl__image *image) {
  struct jpeg_decompress_struct *info = &r->info;
  bool inks = info->out_color_space == JCS_CMYK;
  JSAMPARRAY row = NULL;
  if (inks)
    row = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->output_width * 4, 1);
  while (info->output_scanline < info->output_height) {
    uint8_t *out = image->pixels + (size_t)info->output_scanline * (size_t)image->width * 3;
    jpeg_read_scanlines(info, inks ? row : &out, 1);
    if (inks)
      icl__image_from_inks(row[0], (size_t)image->width, out);
  }
}

static icl_status decode(reader *r, const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  struct jpeg_decompress_struct *info = &r->info;
  if (setjmp(r->escape))
    return failure(r, name, bytes);
  jpeg_create_decompress(info);
  jpeg_mem_src(info, data, bytes);
  jpeg_read_header(info, TRUE);
  int channels = info->num_components;
  if (channels != 1 && channels != 3 && channels != 4)
    return icl__fail(ICL_EFORMAT, "%s: a JPEG of %d channels; 1, 3 or 4 can be decoded" ICL__IMAGE_FIX, name, channels);
  info->out_color_space = channels == 4 ? JCS_CMYK : JCS_RGB;
  ICL__TRY(icl__image_resize(name, info->image_height, info->image_width, image));
  jpeg_start_decompress(info);
  read_rows(r, image);
  jpeg_finish_decompress(info);
  return ICL_OK;
}

icl_status icl__jpeg_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  reader r = {0};
  r.info.err = jpeg_std_error(&r.errors);
  r.errors.error_exit = escape;
  r.errors.emit_message = hear;
  icl_status status = decode(&r, name, data, bytes, image);
  jpeg_destroy_decompress(&r.info);
  return status;
}
