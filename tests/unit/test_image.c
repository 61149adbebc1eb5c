/* test_image.c - images of every form decoded, damaged ones refused, crops and their resizing. */
#include "unit.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/crop.h"
#include "files.h"
#include "pictures.h"

static void decode(picture p, icl__image *image) { CHECK_OK(icl__image_decode("it", p.data, p.bytes, image)); }

/* ---- PNG: every pixel is known ---- */

typedef struct {
  int type, depth;
  const char *row;   /* of three pixels, packed */
  uint8_t expect[9]; /* what they become */
} form;

static const form forms[] = {
    {PNG_COLOR_TYPE_RGB, 8, "\1\2\3\4\5\6\7\10\377", {1, 2, 3, 4, 5, 6, 7, 8, 255}},
    {PNG_COLOR_TYPE_RGB_ALPHA, 8, "\1\2\3\0\4\5\6\377\7\10\377\200", {1, 2, 3, 4, 5, 6, 7, 8, 255}},
    {PNG_COLOR_TYPE_GRAY, 8, "\1\200\377", {1, 1, 1, 128, 128, 128, 255, 255, 255}},
    {PNG_COLOR_TYPE_GRAY_ALPHA, 8, "\1\0\200\377\377\5", {1, 1, 1, 128, 128, 128, 255, 255, 255}},
    {PNG_COLOR_TYPE_GRAY, 1, "\240", {255, 255, 255, 0, 0, 0, 255, 255, 255}},
    {PNG_COLOR_TYPE_GRAY, 2, "\33", {0, 0, 0, 85, 85, 85, 170, 170, 170}},
    {PNG_COLOR_TYPE_GRAY, 4, "\17\40", {0, 0, 0, 255, 255, 255, 34, 34, 34}},
    {PNG_COLOR_TYPE_PALETTE, 8, "\3\0\1", {30, 60, 90, 0, 0, 0, 10, 20, 30}},
    {PNG_COLOR_TYPE_PALETTE, 2, "\310", {30, 60, 90, 0, 0, 0, 20, 40, 60}},
    /* the upper bytes of colours, but grey of 16 bits is clipped, as Pillow has it */
    {PNG_COLOR_TYPE_RGB, 16, "\1\377\2\377\3\377\4\0\5\0\6\0\7\0\10\0\377\377", {1, 2, 3, 4, 5, 6, 7, 8, 255}},
    {PNG_COLOR_TYPE_GRAY, 16, "\0\7\1\0\377\377", {7, 7, 7, 255, 255, 255, 255, 255, 255}},
    {PNG_COLOR_TYPE_GRAY_ALPHA, 16, "\1\377\0\0\200\0\1\1\377\377\0\1", {1, 1, 1, 128, 128, 128, 255, 255, 255}},
};

TEST(png_of_every_form) {
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    for (int interlaced = 0; interlaced < 2; interlaced++) {
      icl__image image = {0};
      decode(picture_png(1, 3, forms[i].type, forms[i].depth, (const uint8_t *)forms[i].row, interlaced, 0), &image);
      CHECK_EQ(image.height, 1);
      CHECK_EQ(image.width, 3);
      for (int k = 0; k < 9; k++)
        CHECK_EQ(image.pixels[k], forms[i].expect[k]);
      icl__free(image.pixels);
    }
}

TEST(png_transparency_is_dropped) {
  static const int types[] = {PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_PALETTE};
  static const char *const rows[] = {"\1\2\3\4\5\6", "\1\2", "\1\2"};
  static const uint8_t expect[][6] = {{1, 2, 3, 4, 5, 6}, {1, 1, 1, 2, 2, 2}, {10, 20, 30, 20, 40, 60}};
  for (int i = 0; i < 3; i++) {
    icl__image image = {0};
    decode(picture_png(1, 2, types[i], 8, (const uint8_t *)rows[i], 0, 1), &image);
    CHECK_EQ(memcmp(image.pixels, expect[i], 6), 0);
    icl__free(image.pixels);
  }
}

TEST(png_rows_are_in_order) {
  enum { H = 11, W = 13 };
  uint8_t pixels[H * W * 3];
  for (int i = 0; i < H * W * 3; i++)
    pixels[i] = (uint8_t)(i * 7);
  for (int interlaced = 0; interlaced < 2; interlaced++) {
    icl__image image = {0};
    decode(picture_png(H, W, PNG_COLOR_TYPE_RGB, 8, pixels, interlaced, 0), &image);
    CHECK_EQ(memcmp(image.pixels, pixels, sizeof pixels), 0);
    icl__free(image.pixels);
  }
}

/* ---- JPEG: close to what was encoded ---- */

enum { SIDE = 24 };

/* A slow slope of each channel. */
static uint8_t slope(int y, int x, int c) { return (uint8_t)(40 + 3 * y + 2 * x + 20 * c); }

static void check_jpeg(int channels, int progressive) {
  uint8_t samples[SIDE * SIDE * 4];
  for (int i = 0; i < SIDE * SIDE * channels; i++)
    samples[i] = slope(i / channels / SIDE, i / channels % SIDE, i % channels);
  icl__image image = {0};
  decode(picture_jpeg(SIDE, SIDE, channels, samples, progressive), &image);
  CHECK_EQ(image.height, SIDE);
  CHECK_EQ(image.width, SIDE);
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++)
      for (int c = 0; c < 3; c++) {
        double expect = slope(y, x, channels == 1 ? 0 : c);
        if (channels == 4) /* inks are stored inverted: light that one ink lets through, times that of black */
          expect = expect * slope(y, x, 3) / 255;
        CHECK_NEAR(image.pixels[(y * SIDE + x) * 3 + c], expect, 6);
      }
  icl__free(image.pixels);
}

TEST(jpeg_of_every_form) {
  for (int progressive = 0; progressive < 2; progressive++) {
    check_jpeg(1, progressive);
    check_jpeg(3, progressive);
    check_jpeg(4, progressive);
  }
}

/* ---- memory and files ---- */

TEST(memory_is_used_again) {
  uint8_t samples[SIDE * SIDE * 3] = {0};
  icl__image image = {0};
  decode(picture_jpeg(SIDE, SIDE, 3, samples, 0), &image);
  const uint8_t *pixels = image.pixels;
  decode(picture_jpeg(SIDE / 2, SIDE, 3, samples, 0), &image);
  CHECK_EQ(image.height, SIDE / 2);
  CHECK_EQ(image.pixels, pixels);
  icl__free(image.pixels);
}

TEST(contents_count_not_names) {
  icl__image image = {0};
  picture p = picture_png(1, 2, PNG_COLOR_TYPE_GRAY, 8, (const uint8_t *)"\1\2", 0, 0);
  CHECK_OK(icl__image_read(file_put("photo.jpg", p.data, p.bytes), &image));
  CHECK_EQ(image.pixels[3], 2);
  icl__free(image.pixels);
}

/* ---- damage ---- */

static void check_refused(const void *data, size_t bytes, icl_status status, const char *part) {
  icl__image image = {0};
  unsigned char *exact = malloc(bytes ? bytes : 1);
  CHECK(exact);
  memcpy(exact, data, bytes);
  CHECK_ERROR(icl__image_decode("DIR/cat.jpg", exact, bytes, &image), status, part);
  CHECK_CONTAINS(icl_message(), "DIR/cat.jpg: ");
  free(exact);
  icl__free(image.pixels);
}

TEST(files_of_other_kinds_are_refused) {
  check_refused("", 0, ICL_EFORMAT, "empty");
  check_refused("<html>", 6, ICL_EFORMAT, "not an image: it begins with the bytes 3c 68");
  check_refused("x", 1, ICL_EFORMAT, "not an image");
  check_refused("P7\n", 3, ICL_EFORMAT, "not an image");
  icl__image image = {0};
  CHECK_ERROR(icl__image_read(file_path("none.jpg"), &image), ICL_ENOENT, "none.jpg");
}

/* Of every format, what is nothing but its first bytes. */
TEST(headers_alone_are_refused) {
  check_refused("RIFF\0\0\0\0WEBPVP8 ", 16, ICL_EFORMAT, "damaged WebP data");
  check_refused("GIF89a", 6, ICL_EFORMAT, "it is cut: the GIF data end at byte 6");
  check_refused("BM12", 4, ICL_EFORMAT, "it is cut: the BMP data end at byte 4");
  check_refused("II*\0", 4, ICL_EFORMAT, "it is cut: the TIFF data end at byte 4");
  check_refused("8BPS\0\1", 6, ICL_EFORMAT, "it is cut: the PSD data end at byte 6");
  check_refused("P6 ", 3, ICL_EFORMAT, "it is cut: the PNM data end at byte 3");
  check_refused("\0\0\2\0\0\0\0\0\0\0\0\0\1\0\1\0\30\0", 18, ICL_EFORMAT, "it is cut: the TGA data end at byte 18");
}

/* A file of few bytes that says it is large takes no memory, and one that is larger than all images is refused. */
TEST(sizes_are_checked_first) {
  check_refused("P5 20000 8000 255\n", 18, ICL_EFORMAT, "it is cut: the PNM data end at byte 18");
  check_refused("P5 20000 9000 255\n", 18, ICL_EFORMAT,
                "an image of 9000 x 20000 pixels; 1 to 178956970 in all are read");
  check_refused("P5 0 9 255\n", 11, ICL_EFORMAT, "an image of 9 x 0 pixels");
  check_refused("GIF89a\377\377\377\377\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 30, ICL_EFORMAT, "65535 x 65535 pixels");
}

static picture noise(bool png, int progressive) {
  enum { N = 40 };
  static uint8_t samples[N * N * 3];
  srand(1);
  for (int i = 0; i < N * N * 3; i++)
    samples[i] = (uint8_t)(rand() >> 8);
  return png ? picture_png(N, N, PNG_COLOR_TYPE_RGB, 8, samples, progressive, 0)
             : picture_jpeg(N, N, 3, samples, progressive);
}

TEST(cut_files_are_refused_at_every_length) {
  for (int kind = 0; kind < 4; kind++) {
    picture whole = noise(kind & 1, kind >> 1);
    size_t needed = whole.bytes - (kind & 1 ? 12 : 0); /* PNG: but for its closing chunk */
    for (size_t bytes = 9; bytes < needed; bytes += bytes < 700 || bytes > needed - 20 ? 1 : 97)
      check_refused(whole.data, bytes, ICL_EFORMAT, kind & 1 ? "PNG" : "cut: the JPEG data end at byte");
  }
}

TEST(damaged_data_are_refused) {
  picture p = noise(true, 0);
  p.data[p.bytes / 2] ^= 1;
  check_refused(p.data, p.bytes, ICL_EFORMAT, "damaged PNG data: ");
  p = noise(false, 0);
  memset(p.data + 20, 0, 100);
  check_refused(p.data, p.bytes, ICL_EFORMAT, "damaged JPEG data: ");
}

/* Changes the check sum of the chunk of this name. */
static void change_sum(picture p, const char *name) {
  unsigned char *chunk = memmem(p.data, p.bytes, name, 4);
  CHECK(chunk);
  size_t length = (size_t)chunk[-2] << 8 | chunk[-1];
  chunk[4 + length] ^= 1;
}

/* As Pillow does: those around the pixels do not count, since their stream has its own; those before them do. */
TEST(check_sums_of_png_chunks) {
  uint8_t row[] = {1, 2, 3, 4, 5, 6};
  icl__image image = {0};
  picture p = picture_png(1, 2, PNG_COLOR_TYPE_RGB, 8, row, 0, 0);
  change_sum(p, "IDAT");
  change_sum(p, "IEND");
  decode(p, &image);
  CHECK_EQ(memcmp(image.pixels, row, sizeof row), 0);
  icl__free(image.pixels);
  unsigned char *pixels = memmem(p.data, p.bytes, "IDAT", 4);
  pixels[4 + pixels[-1] - 1] ^= 1; /* the last byte of the stream's own sum */
  check_refused(p.data, p.bytes, ICL_EFORMAT, "damaged PNG data: IDAT: incorrect data check");
  p = picture_png(1, 2, PNG_COLOR_TYPE_RGB, 8, row, 0, 0);
  change_sum(p, "IHDR");
  check_refused(p.data, p.bytes, ICL_EFORMAT, "damaged PNG data: IHDR: CRC error");
  p = picture_png(1, 2, PNG_COLOR_TYPE_PALETTE, 8, row, 0, 0);
  change_sum(p, "PLTE");
  check_refused(p.data, p.bytes, ICL_EFORMAT, "damaged PNG data: PLTE: CRC error");
}

TEST(grey_of_16_bits_that_becomes_white_is_counted) {
  uint8_t row[20] = {0}; /* ten pixels of two bytes */
  for (int bright = 8; bright <= 10; bright++) {
    memset(row, 1, (size_t)(2 * bright));
    icl__image image = {0};
    decode(picture_png(1, 10, PNG_COLOR_TYPE_GRAY, 16, row, 0, 0), &image);
    icl__free(image.pixels);
    CHECK_EQ(icl_images_clipped(), bright == 10);
  }
  icl__image image = {0};
  decode(picture_png(1, 5, PNG_COLOR_TYPE_GRAY, 8, row, 0, 0), &image);
  icl__free(image.pixels);
  CHECK_EQ(icl_images_clipped(), 1);
}

TEST(giants_are_refused_before_memory_is_taken) {
  uint8_t samples[3] = {0};
  picture p = picture_jpeg(1, 1, 3, samples, 0);
  for (size_t i = 0; i + 8 < p.bytes; i++)
    if (p.data[i] == 0xff && p.data[i + 1] == 0xc0) /* the frame: length, precision, height, width */
      memset(p.data + i + 5, 0xf0, 4);
  check_refused(p.data, p.bytes, ICL_EFORMAT, "61680 x 61680 pixels");
}

TEST(decoding_without_memory) {
  picture p = noise(false, 0);
  icl__image image = {0};
  icl__alloc_fail_after(0);
  CHECK_ERROR(icl__image_decode("it", p.data, p.bytes, &image), ICL_ENOMEM, "it: ");
  icl__alloc_fail_after(-1);
}

/* ---- crops ---- */

static void check_crop(icl__crop c, int top, int left, int height, int width) {
  CHECK_EQ(c.top, top);
  CHECK_EQ(c.left, left);
  CHECK_EQ(c.height, height);
  CHECK_EQ(c.width, width);
}

static void check_window(icl__crop c, int64_t height, int64_t width, int64_t top, int64_t left) {
  CHECK_EQ(c.full_height, height);
  CHECK_EQ(c.full_width, width);
  CHECK_EQ(c.window_top, top);
  CHECK_EQ(c.window_left, left);
}

TEST(center_crops) {
  check_window(icl__crop_center(375, 500, 256, 224), 256, 341, 16, 58); /* 58.5 to the even */
  check_window(icl__crop_center(500, 335, 256, 224), 382, 256, 79, 16);
  check_window(icl__crop_center(33, 31, 0, 20), 33, 31, 6, 6); /* 6.5 and 5.5 */
  check_window(icl__crop_center(5, 7, 0, 10), 5, 7, -2, -1);
  check_window(icl__crop_center(5, 30, 0, 10), 5, 30, -2, 10);
  check_window(icl__crop_center(1, 100000, 300, 224), 300, 30000000, 38, 14999888);
}

static const icl__crop_range usual = {{0.08, 1}, {3.0 / 4, 4.0 / 3}};

TEST(largest_crops) {
  check_crop(icl__crop_largest(40, 100, &usual, 8), 0, 23, 40, 53);
  check_crop(icl__crop_largest(100, 40, &usual, 8), 23, 0, 53, 40);
  check_crop(icl__crop_largest(60, 70, &usual, 8), 0, 0, 60, 70);
  check_crop(icl__crop_largest(1, 1, &usual, 8), 0, 0, 1, 1);
}

TEST(random_crops_fit_and_depend_on_the_key_alone) {
  static const int sizes[][2] = {{300, 400}, {37, 5}, {1, 1}, {1, 500}, {9, 10}};
  uint32_t key[4] = {1, 2, 3, 4}, other[4] = {1, 2, 3, 5};
  int same = 0, whole = 0;
  double share = 0;
  for (int s = 0; s < 5; s++)
    for (uint32_t sample = 0; sample < 500; sample++) {
      int height = sizes[s][0], width = sizes[s][1];
      icl__crop a = icl__crop_random(height, width, &usual, 8, key, sample);
      icl__crop b = icl__crop_random(height, width, &usual, 8, key, sample);
      icl__crop c = icl__crop_random(height, width, &usual, 8, other, sample);
      CHECK_EQ(memcmp(&a, &b, sizeof a), 0);
      CHECK(a.height >= 1 && a.width >= 1 && a.top >= 0 && a.left >= 0);
      CHECK(a.top + a.height <= height && a.left + a.width <= width);
      check_window(a, 8, 8, 0, 0);
      if (s > 0)
        continue;
      same += memcmp(&a, &c, sizeof a) == 0;
      whole += a.height == height && a.width == width;
      double ratio = (double)a.width / a.height, area = (double)(a.height * a.width) / (height * width);
      CHECK(ratio > 0.73 && ratio < 1.37 && area > 0.075);
      share += area / 500;
    }
  CHECK(same < 5 && whole < 5);
  CHECK_NEAR(share, 0.433, 0.03); /* less than the mean of 0.08 and 1, since large boxes fit in few ratios */
}

/* The window of a resized image is what the whole resized image has there, and black elsewhere. */
TEST(a_window_is_a_part_of_the_whole) {
  enum { H = 23, W = 37, FULL_H = 17, FULL_W = 51, WINDOW = 30 };
  uint8_t pixels[H * W * 3], whole[FULL_H * FULL_W * 3], window[WINDOW * WINDOW * 3];
  for (int i = 0; i < H * W * 3; i++)
    pixels[i] = (uint8_t)(i * 37 + i / 50);
  icl__image image = {.height = H, .width = W, .pixels = pixels};
  icl__crop crop = {.height = H,
                    .width = W,
                    .full_height = FULL_H,
                    .full_width = FULL_W,
                    .window_height = FULL_H,
                    .window_width = FULL_W};
  CHECK_OK(icl__crop_render(&image, &crop, whole));
  crop.window_height = crop.window_width = WINDOW;
  for (crop.window_top = -35; crop.window_top < 20; crop.window_top += 4)
    for (crop.window_left = -35; crop.window_left < 60; crop.window_left += 7) {
      memset(window, 99, sizeof window);
      CHECK_OK(icl__crop_render(&image, &crop, window));
      for (int i = 0; i < WINDOW * WINDOW * 3; i++) {
        int64_t y = crop.window_top + i / 3 / WINDOW, x = crop.window_left + i / 3 % WINDOW;
        bool inside = y >= 0 && y < FULL_H && x >= 0 && x < FULL_W;
        CHECK_EQ(window[i], inside ? whole[(y * FULL_W + x) * 3 + i % 3] : 0);
      }
    }
}

TEST(resizing_to_the_same_size_changes_nothing) {
  uint8_t pixels[6 * 5 * 3], out[4 * 3 * 3];
  for (int i = 0; i < 6 * 5 * 3; i++)
    pixels[i] = (uint8_t)(i * 91);
  icl__image image = {.height = 6, .width = 5, .pixels = pixels};
  icl__crop crop = {.top = 1,
                    .left = 2,
                    .height = 4,
                    .width = 3,
                    .full_height = 4,
                    .full_width = 3,
                    .window_height = 4,
                    .window_width = 3};
  CHECK_OK(icl__crop_render(&image, &crop, out));
  for (int i = 0; i < 4 * 3 * 3; i++)
    CHECK_EQ(out[i], pixels[((1 + i / 9) * 5 + 2 + i / 3 % 3) * 3 + i % 3]);
}

TEST(rendering_without_memory) {
  uint8_t pixels[3] = {1, 2, 3}, out[3];
  icl__image image = {.height = 1, .width = 1, .pixels = pixels};
  icl__crop crop = icl__crop_center(1, 1, 0, 1);
  for (int allowed = 0; allowed < 6; allowed++) {
    icl__alloc_fail_after(allowed);
    CHECK_ERROR(icl__crop_render(&image, &crop, out), ICL_ENOMEM, "out of memory");
  }
  icl__alloc_fail_after(-1);
  CHECK_OK(icl__crop_render(&image, &crop, out));
  CHECK_EQ(out[2], 3);
}
