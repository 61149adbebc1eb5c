/* fuzz_image.c - whatever bytes are read as an image: an error, or as many pixels as it promises, which can be cropped.
 *
 * With the variable FUZZ_ONLY=bmp the inputs are changed files of that format alone: bmp, gif, pnm, psd, tga, tiff or
 * webp. A few bytes of GIF make images of 500 MB; ASAN_OPTIONS=max_allocation_size_mb=16,allocator_may_return_null=1
 * makes short work of them. */
#include "fuzz.h"

#include <dirent.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <jpeglib.h>

#include "base/memory.h"
#include "data/crop.h"

const char *const fuzz_words[] = {"\xff\xd8\xff", "\xff\xd9", "\xff\xda", "\xff\xc0", "\xff\xc2", "\xff\xc4",
                                  "\xff\xdb",     "\xff\xdd", "\xff\xd0", "\xff\xee", "Adobe",    "IHDR",
                                  "IDAT",         "PLTE",     "tRNS",     "IEND",     "iCCP",     "\x7f\xff",
                                  "BM",           "GIF89a",   "P6\n",     "8BPS",     "II*",      "MM",
                                  "VP8L",         "VP8X",     "ANMF",     "ALPH",     NULL};

/* ---- seeds ---- */

enum { N = 20 };
static uint8_t samples[N * N * 4];

static size_t jpeg_seed(uint8_t data[FUZZ_MOST], int channels, bool progressive) {
  struct jpeg_compress_struct info;
  struct jpeg_error_mgr errors;
  unsigned char *out = NULL;
  unsigned long bytes = 0;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &out, &bytes);
  info.image_height = info.image_width = N;
  info.input_components = channels;
  info.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  info.restart_interval = progressive ? 0 : 2;
  if (progressive)
    jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < N; y++) {
    JSAMPROW row = samples + (size_t)(y * N * channels);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  FUZZ_REQUIRE(bytes <= FUZZ_MOST);
  memcpy(data, out, bytes);
  free(out);
  return bytes;
}

typedef struct {
  uint8_t *data;
  size_t bytes;
} sink;

static void append(png_structp png, png_bytep bytes, size_t count) {
  sink *s = png_get_io_ptr(png);
  FUZZ_REQUIRE(s->bytes + count <= FUZZ_MOST);
  memcpy(s->data + s->bytes, bytes, count);
  s->bytes += count;
}

static void flush(png_structp png) { (void)png; }

static size_t png_seed(uint8_t data[FUZZ_MOST], int type, int depth, int interlace) {
  sink s = {data, 0};
  png_color palette[3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &s, append, flush);
  png_set_IHDR(png, info, N, N, depth, type, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (type == PNG_COLOR_TYPE_PALETTE)
    png_set_PLTE(png, info, palette, 3);
  png_set_check_for_invalid_index(png, 0); /* samples are beyond the palette on purpose */
  png_write_info(png, info);
  int passes = png_set_interlace_handling(png);
  for (int pass = 0; pass < passes; pass++)
    for (int y = 0; y < N; y++)
      png_write_row(png, samples + (size_t)y * png_get_rowbytes(png, info));
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return s.bytes;
}

static int is_wanted(const struct dirent *entry) {
  const char *format = getenv("FUZZ_ONLY");
  return entry->d_name[0] != '.' && (!format || !strncmp(entry->d_name, format, strlen(format)));
}

/* Small files of the other formats: number `index`, by name, of those that tests/cli/pictures.py put into a folder. */
static size_t file_seed(int index, uint8_t data[FUZZ_MOST]) {
  static struct dirent **entries;
  static int count;
  if (!entries)
    count = scandir(ICL_FUZZ_SEEDS, &entries, is_wanted, alphasort);
  FUZZ_REQUIRE(count > 0);
  if (index >= count)
    return 0;
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", ICL_FUZZ_SEEDS, entries[index]->d_name);
  FILE *file = fopen(path, "rb");
  FUZZ_REQUIRE(file);
  size_t bytes = fread(data, 1, FUZZ_MOST, file);
  fclose(file);
  return bytes;
}

size_t fuzz_seed(int index, uint8_t data[FUZZ_MOST]) {
  if (getenv("FUZZ_ONLY"))
    return file_seed(index, data);
  for (int i = 0; i < N * N * 4; i++)
    samples[i] = (uint8_t)(i / N % 16 * 10 + i % 7);
  switch (index) {
  case 0:
  case 1:
  case 2:
    return jpeg_seed(data, index == 2 ? 4 : 1 + 2 * index, false);
  case 3:
    return jpeg_seed(data, 3, true);
  case 4:
    return png_seed(data, PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE);
  case 5:
    return png_seed(data, PNG_COLOR_TYPE_PALETTE, 2, PNG_INTERLACE_ADAM7);
  case 6:
    return png_seed(data, PNG_COLOR_TYPE_GRAY, 16, PNG_INTERLACE_ADAM7);
  case 7:
    return png_seed(data, PNG_COLOR_TYPE_GRAY_ALPHA, 8, PNG_INTERLACE_NONE);
  default:
    return file_seed(index - 8, data);
  }
}

/* ---- the target ---- */

/* A crop of any place and size that is within bounds. */
static void crop_it(const icl__image *image, uint32_t number) {
  static const icl__crop_range range = {{0.01, 1}, {0.2, 5}};
  const uint32_t key[4] = {number, 0, 0, 0};
  uint8_t out[16 * 16 * 3];
  icl__crop crops[] = {icl__crop_random(image->height, image->width, &range, 16, key, number),
                       icl__crop_center(image->height, image->width, (int)(number % 40), 16)};
  for (int i = 0; i < 2; i++)
    FUZZ_REQUIRE(icl__crop_render(image, &crops[i], out) == ICL_OK);
}

static void decode(const uint8_t *data, size_t bytes) {
  icl__image image = {0};
  icl_status status = icl__image_decode("input", data, bytes, &image);
  FUZZ_REQUIRE(status == ICL_OK || status == ICL_EFORMAT || status == ICL_ENOTSUP || status == ICL_ENOMEM);
  if (status == ICL_OK)
    crop_it(&image, (uint32_t)crc32(0, data, (uInt)bytes));
  else
    FUZZ_REQUIRE(strncmp(icl_message(), "input: ", 7) == 0);
  icl__free(image.pixels);
}

static void put_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++)
    at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Makes the check sums of a PNG right, and the lengths as far as the file goes. */
static void repair(uint8_t *data, size_t bytes) {
  for (size_t at = 8; at + 12 <= bytes;) {
    uint32_t length =
        (uint32_t)data[at] << 24 | (uint32_t)data[at + 1] << 16 | (uint32_t)data[at + 2] << 8 | data[at + 3];
    if (length > bytes - at - 12)
      put_u32(data + at, length = (uint32_t)(bytes - at - 12));
    put_u32(data + at + 8 + length, (uint32_t)crc32(0, data + at + 4, length + 4));
    at += 12 + length;
  }
}

/* Few changed PNGs have right check sums, so each is read a second time with them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  decode(data, bytes);
  uint8_t *corrected = malloc(bytes ? bytes : 1);
  FUZZ_REQUIRE(corrected);
  memcpy(corrected, data, bytes);
  if (bytes >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0) {
    repair(corrected, bytes);
    decode(corrected, bytes);
  }
  free(corrected);
  return 0;
}
