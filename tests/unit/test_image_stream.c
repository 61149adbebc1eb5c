/* test_image_stream.c - the images of a folder looked at in parallel, and streams of decoded batches. Also run under
 * the thread sanitizer. */
#include "unit.h"

#include <png.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "files.h"
#include "pictures.h"

/* ---- looking at the images ---- */

enum { IMAGES = 10, SIDE = 8 };

static icl_engine *engine;

/* Image k has the colour (20 k, 255 - 20 k, 7). */
static icl_image_folder *make_folder(void) {
  file_make_folder("set/cat");
  file_make_folder("set/dog");
  for (int k = 0; k < IMAGES; k++) {
    char name[64];
    snprintf(name, sizeof name, "set/%s/%d.jpg", k < 4 ? "cat" : "dog", k);
    picture_put(name, 10 + k, 20 - k, (uint8_t)(20 * k), (uint8_t)(255 - 20 * k), 7);
  }
  icl_config config = {.device = "ref"};
  CHECK_OK(icl_engine_new(&config, &engine));
  icl_image_folder *folder;
  CHECK_OK(icl_image_folder_open(file_path("set"), &folder));
  return folder;
}

static void close_folder(icl_image_folder *folder) {
  icl_image_folder_free(folder);
  icl_engine_free(engine);
}

static void check_images(icl_image_folder *folder, int threads, bool drop, int bad, const char *report) {
  char *text;
  int found;
  CHECK_OK(icl_image_folder_check(folder, engine, threads, drop, &found, &text));
  CHECK_EQ(found, bad);
  CHECK_STR(text, report);
  icl_free(text);
}

/* A good JPEG with more behind its end, and one with a long comment before its frame. */
static void put_odd_but_good(void) {
  char bytes[70000];
  picture p = picture_jpeg(9, 9, 3, (uint8_t[9 * 9 * 3]){0}, 1);
  memcpy(bytes, p.data, p.bytes);
  memset(bytes + p.bytes, 'x', 100);
  file_put("set/dog/8.jpg", bytes, p.bytes + 100);
  memcpy(bytes, "\xff\xd8\xff\xfe\xff\xff", 6);
  memset(bytes + 6, 'c', 0xfffd);
  memcpy(bytes + 4 + 0xffff, p.data + 2, p.bytes - 2);
  file_put("set/dog/9.jpg", bytes, 4 + 0xffff + p.bytes - 2);
}

#define FIX "; remove the file or get it anew"

TEST(images_that_cannot_be_read_are_found) {
  icl_image_folder *folder = make_folder();
  check_images(folder, 2, true, 0, NULL);
  put_odd_but_good();
  check_images(folder, 2, true, 0, NULL);
  CHECK_EQ(folder->count, IMAGES);
  picture jpeg = picture_jpeg(20, 20, 3, (uint8_t[20 * 20 * 3]){0}, 0);
  picture png = picture_png(2, 2, PNG_COLOR_TYPE_RGB, 8, (uint8_t[12]){1, 2, 3}, 0, 0);
  file_put("set/cat/0.jpg", jpeg.data, 565);
  file_put("set/cat/2.jpg", "", 0);
  file_put("set/dog/5.jpg", png.data, 55);
  file_put("set/dog/6.jpg", png.data, 20);
  CHECK_EQ(remove(file_path("set/dog/7.jpg")), 0);
  CHECK_EQ(mkfifo(file_path("set/dog/7.jpg"), 0600), 0);
#define CUT(kind, bytes) "it is cut: the " kind " data end at byte " bytes ", before the image does"
  const struct {
    const char *name, *why;
  } bad[] = {{"cat/0", CUT("JPEG", "565") FIX},
             {"cat/2", "the file is empty" FIX},
             {"dog/5", CUT("PNG", "55") FIX},
             {"dog/6", CUT("PNG", "20") FIX},
             {"dog/7", "cannot read it: not a regular file"}};
  char expected[2000] = "";
  for (int i = 0; i < 5; i++)
    sprintf(expected + strlen(expected), "%s%s: %s", i ? "\n" : "", file_path("set/%s.jpg", bad[i].name), bad[i].why);
  check_images(folder, 1, false, 5, expected);
  check_images(folder, 3, false, 5, expected);
  CHECK_EQ(folder->count, IMAGES);
  close_folder(folder);
}

TEST(images_that_cannot_be_read_are_dropped) {
  icl_image_folder *folder = make_folder();
  file_put("set/cat/0.jpg", "", 0);
  file_put("set/dog/9.jpg", "", 0);
  int bad;
  char *text, path[256];
  CHECK_OK(icl_image_folder_check(folder, engine, 2, true, &bad, &text));
  icl_free(text);
  CHECK_EQ(bad, 2);
  CHECK_EQ(folder->dropped, 2);
  CHECK_EQ(folder->count, IMAGES - 2);
  CHECK_OK(icl_image_folder_file(folder, 0, path, sizeof path));
  CHECK_STR(path, file_path("set/cat/1.jpg"));
  CHECK_EQ(folder->labels[2], 0);
  CHECK_EQ(folder->labels[3], 1);
  check_images(folder, 2, true, 0, NULL);
  for (int k = 1; k < 4; k++)
    CHECK_EQ(truncate(file_path("set/cat/%d.jpg", k), 0), 0);
  CHECK_ERROR(icl_image_folder_check(folder, engine, 2, true, &bad, &text), ICL_ENOENT,
              "/set/cat: no image in the folder of this class can be read");
  CHECK_EQ(folder->count, IMAGES - 2);
  icl_engine_interrupt(engine);
  CHECK_ERROR(icl_image_folder_check(folder, engine, 2, true, &bad, &text), ICL_EINTERRUPTED, "interrupted");
  close_folder(folder);
}

TEST(checking_without_memory) {
  icl_image_folder *folder = make_folder();
  file_put("set/cat/0.jpg", "no image", 8);
  size_t before = icl__memory_in_use();
  int allowed = 0;
  for (icl_status status = ICL_ENOMEM; status != ICL_OK; allowed++) {
    int bad;
    char *text;
    icl__alloc_fail_after(allowed);
    status = icl_image_folder_check(folder, engine, 1, false, &bad, &text);
    icl__alloc_fail_after(-1);
    if (status == ICL_OK)
      icl_free(text);
    else
      CHECK_CONTAINS(icl_message(), "out of memory");
    CHECK_EQ(icl__memory_in_use(), before);
  }
  CHECK(allowed > 2);
  close_folder(folder);
}

/* ---- streams ---- */

static icl_image_stream_options usual(int threads) {
  return (icl_image_stream_options){.size = SIDE,
                                    .random = true,
                                    .area = {0.08, 1},
                                    .ratio = {3.0 / 4, 4.0 / 3},
                                    .key = {1, 2, 3, 4},
                                    .batch = 4,
                                    .threads = threads};
}

static const int64_t order[IMAGES + 1] = {7, 0, 3, 9, 1, 2, 8, 4, 6, 5, 7};

static void check_batch(icl_image_stream *stream, int first, int size, uint8_t *pixels) {
  icl_tensor *batch;
  CHECK_OK(icl_image_stream_next(stream, engine, &batch));
  CHECK_EQ(icl_tensor_dtype(batch), ICL_U8);
  CHECK_EQ(icl_tensor_rank(batch), 4);
  const int32_t *shape = icl_tensor_shape(batch);
  CHECK(shape[0] == size && shape[1] == SIDE && shape[2] == SIDE && shape[3] == 3);
  CHECK_OK(icl_tensor_read(batch, ICL_U8, pixels));
  icl_tensor_release(batch);
  for (int i = 0; i < size; i++)
    for (int p = 0; p < SIDE * SIDE; p++) {
      const uint8_t *pixel = pixels + (i * SIDE * SIDE + p) * 3;
      CHECK_NEAR(pixel[0], 20 * order[first + i], 3);
      CHECK_NEAR(pixel[1], 255 - 20 * order[first + i], 3);
      CHECK_NEAR(pixel[2], 7, 3);
    }
}

TEST(batches_come_in_order_whatever_the_threads) {
  icl_image_folder *folder = make_folder();
  static const int threads[] = {1, 3, 0, 40};
  for (int t = 0; t < 4; t++) {
    uint8_t pixels[4 * SIDE * SIDE * 3];
    icl_image_stream_options options = usual(threads[t]);
    icl_image_stream *stream;
    icl_tensor *none;
    CHECK_OK(icl_image_stream_open(folder, &options, IMAGES, order, &stream));
    check_batch(stream, 0, 4, pixels);
    check_batch(stream, 4, 4, pixels);
    check_batch(stream, 8, 2, pixels);
    CHECK_OK(icl_image_stream_next(stream, engine, &none));
    CHECK(!none);
    CHECK_OK(icl_image_stream_next(stream, engine, &none));
    CHECK(!none);
    icl_image_stream_close(stream);
  }
  close_folder(folder);
}

/* All pixels of a stream over pictures with a pattern. */
static void read_all(const icl_image_folder *folder, int threads, int batch, int count, const int64_t *numbers,
                     uint8_t *pixels) {
  icl_image_stream_options options = usual(threads);
  options.batch = batch;
  icl_image_stream *stream;
  CHECK_OK(icl_image_stream_open(folder, &options, count, numbers, &stream));
  for (icl_tensor *part;;) {
    CHECK_OK(icl_image_stream_next(stream, engine, &part));
    if (!part)
      break;
    CHECK_OK(icl_tensor_read(part, ICL_U8, pixels));
    pixels += icl_tensor_count(part);
    icl_tensor_release(part);
  }
  icl_image_stream_close(stream);
}

TEST(an_image_is_cropped_the_same_in_whatever_batch) {
  enum { BYTES = SIDE * SIDE * 3, N = 30 };
  uint8_t samples[N * N * 3], together[IMAGES * BYTES], small[IMAGES * BYTES], alone[BYTES];
  for (int i = 0; i < N * N * 3; i++)
    samples[i] = (uint8_t)(i * 13 + i / 90 * 5);
  picture p = picture_jpeg(N, N, 3, samples, 0);
  icl_image_folder *folder = make_folder();
  for (int k = 0; k < IMAGES; k++) {
    char name[64];
    snprintf(name, sizeof name, "set/%s/%d.jpg", k < 4 ? "cat" : "dog", k);
    file_put(name, p.data, p.bytes);
  }
  read_all(folder, 3, 10, IMAGES, order, together);
  read_all(folder, 1, 3, IMAGES, order, small);
  CHECK_EQ(memcmp(together, small, sizeof small), 0);
  read_all(folder, 2, 5, 1, order + 3, alone);
  CHECK_EQ(memcmp(alone, together + 3 * BYTES, BYTES), 0);
  CHECK(memcmp(alone, together, BYTES) != 0);
  close_folder(folder);
}

TEST(a_stream_may_be_left_at_any_time) {
  icl_image_folder *folder = make_folder();
  size_t before = 0;
  uint8_t pixels[4 * SIDE * SIDE * 3];
  for (int taken = 2; taken >= 0; taken--) {
    icl_image_stream_options options = usual(3);
    icl_image_stream *stream;
    CHECK_OK(icl_image_stream_open(folder, &options, IMAGES, order, &stream));
    for (int i = 0; i < taken; i++)
      check_batch(stream, 4 * i, 4, pixels);
    icl_image_stream_close(stream);
    before = before ? before : icl__memory_in_use(); /* the engine keeps nodes for later */
    CHECK_EQ(icl__memory_in_use(), before);
  }
  icl_image_stream_close(NULL);
  close_folder(folder);
}

TEST(the_first_broken_image_in_order_is_named) {
  icl_image_folder *folder = make_folder();
  file_put("set/cat/2.jpg", "no image", 8); /* place 5 of the order */
  file_put("set/dog/8.jpg", "", 0);         /* place 6 */
  for (int threads = 1; threads <= 3; threads++)
    for (int turn = 0; turn < 10; turn++) {
      uint8_t pixels[4 * SIDE * SIDE * 3];
      icl_image_stream_options options = usual(threads);
      icl_image_stream *stream;
      icl_tensor *batch;
      CHECK_OK(icl_image_stream_open(folder, &options, IMAGES, order, &stream));
      check_batch(stream, 0, 4, pixels);
      for (int again = 0; again < 2; again++)
        CHECK_ERROR(icl_image_stream_next(stream, engine, &batch), ICL_EFORMAT, "/set/cat/2.jpg: not an image");
      icl_image_stream_close(stream);
    }
  close_folder(folder);
}

/* A batch of many large images: its thread is at it for a second, the interrupt is there at once. */
TEST(an_interrupt_ends_the_wait) {
  enum { N = 1000, TIMES = 40 };
  icl_image_folder *folder = make_folder();
  uint8_t *samples = malloc(N * N * 3);
  int64_t numbers[TIMES];
  CHECK(samples);
  srand(1);
  for (int i = 0; i < N * N * 3; i++)
    samples[i] = (uint8_t)(rand() >> 8);
  picture p = picture_png(N, N, PNG_COLOR_TYPE_RGB, 8, samples, 0, 0);
  free(samples);
  file_put("set/dog/7.jpg", p.data, p.bytes);
  for (int i = 0; i < TIMES; i++)
    numbers[i] = 7;
  icl_image_stream_options options = usual(1);
  options.batch = TIMES;
  icl_image_stream *stream;
  icl_tensor *batch;
  CHECK_OK(icl_image_stream_open(folder, &options, TIMES, numbers, &stream));
  icl_engine_interrupt(engine);
  CHECK_ERROR(icl_image_stream_next(stream, engine, &batch), ICL_EINTERRUPTED, "interrupted");
  icl_engine_resume(engine);
  CHECK_OK(icl_image_stream_next(stream, engine, &batch));
  icl_tensor_release(batch);
  icl_image_stream_close(stream);
  close_folder(folder);
}

/* None of them keeps a thread waiting. */
TEST(what_is_no_regular_file_is_an_error_at_once) {
  icl_image_folder *folder = make_folder();
  const char *path = file_path("set/dog/7.jpg");
  for (int kind = 0; kind < 3; kind++) {
    CHECK_EQ(remove(path), 0);
    if (kind == 0)
      CHECK_EQ(mkfifo(path, 0600), 0);
    else if (kind == 1)
      CHECK_EQ(symlink("/dev/zero", path), 0);
    else
      CHECK_EQ(truncate(file_put("set/dog/7.jpg", "", 0), INT64_C(40) << 30), 0); /* a hole; it takes no room */
    icl_image_stream_options options = usual(1);
    icl_image_stream *stream;
    icl_tensor *batch;
    CHECK_OK(icl_image_stream_open(folder, &options, IMAGES, order, &stream));
    CHECK_ERROR(icl_image_stream_next(stream, engine, &batch), kind < 2 ? ICL_EIO : ICL_EFORMAT,
                kind < 2 ? "/set/dog/7.jpg: cannot read it: not a regular file"
                         : "/set/dog/7.jpg: it has 42949672960 bytes; what is read here has at most 1431655760");
    icl_image_stream_close(stream);
  }
  close_folder(folder);
}

TEST(a_child_of_fork_is_told_and_can_close) {
  icl_image_folder *folder = make_folder();
  icl_image_stream_options options = usual(2);
  icl_image_stream *stream;
  uint8_t pixels[4 * SIDE * SIDE * 3];
  CHECK_OK(icl_image_stream_open(folder, &options, IMAGES, order, &stream));
  check_batch(stream, 0, 4, pixels);
  pid_t child = fork();
  if (child == 0) {
    icl_tensor *batch;
    alarm(60); /* if it hangs */
    icl_status status = icl_image_stream_next(stream, engine, &batch);
    icl_image_stream_close(stream);
    if (status == ICL_EINVAL && strstr(icl_message(), "opened before fork()"))
      raise(SIGKILL); /* passed; at an exit a sanitizer would miss the parent's threads */
    _exit(1);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  check_batch(stream, 4, 4, pixels);
  icl_image_stream_close(stream);
  close_folder(folder);
}

static void next_pixels(icl_image_stream *stream, uint8_t *pixels) {
  icl_tensor *batch;
  CHECK_OK(icl_image_stream_next(stream, engine, &batch));
  CHECK_OK(icl_tensor_read(batch, ICL_U8, pixels));
  icl_tensor_release(batch);
}

TEST(numbers_may_be_repeated) {
  icl_image_folder *folder = make_folder();
  icl_image_stream *stream;
  static uint8_t first[SIDE * SIDE * 3], again[SIDE * SIDE * 3];
  icl_image_stream_options o = usual(2);
  o.batch = 1;
  o.repeated = true;
  o.random = false;
  CHECK_OK(icl_image_stream_open(folder, &o, 2, (const int64_t[]){3, 3 + 7 * IMAGES}, &stream));
  next_pixels(stream, first);
  next_pixels(stream, again);
  CHECK_NEAR(first[0], 20 * 3, 3);
  CHECK_EQ(memcmp(first, again, sizeof first), 0);
  icl_image_stream_close(stream);
  close_folder(folder);
}

TEST(streams_check_what_they_are_given) {
  icl_image_folder *folder = make_folder();
  icl_image_stream *stream;
  icl_tensor *none;
  icl_image_stream_options o = usual(1);
  static const int64_t wrong[] = {0, IMAGES};
  CHECK_ERROR(icl_image_stream_open(folder, &o, 2, wrong, &stream), ICL_EINVAL, "place 1 of the order is image 10");
  o.repeated = true;
  CHECK_ERROR(icl_image_stream_open(folder, &o, 1, (const int64_t[]){UINT32_MAX}, &stream), ICL_EINVAL,
              "place 0 of the order is image 4294967295");
  o.repeated = false;
  o.size = 0;
  CHECK_ERROR(icl_image_stream_open(folder, &o, 1, order, &stream), ICL_EINVAL, "size 0");
  o = usual(-1);
  CHECK_ERROR(icl_image_stream_open(folder, &o, 1, order, &stream), ICL_EINVAL, "on -1 threads");
  o = usual(1);
  o.batch = 0;
  CHECK_ERROR(icl_image_stream_open(folder, &o, 1, order, &stream), ICL_EINVAL, "batches of 0");
  o = usual(1);
  o.area[0] = 0;
  CHECK_ERROR(icl_image_stream_open(folder, &o, 1, order, &stream), ICL_EINVAL, "the area goes from 0 to 1");
  o = usual(1);
  o.ratio[0] = 2;
  CHECK_ERROR(icl_image_stream_open(folder, &o, 1, order, &stream), ICL_EINVAL, "the ratio goes from 2 to 1.3");
  o = usual(1);
  CHECK_OK(icl_image_stream_open(folder, &o, 0, order, &stream));
  CHECK_OK(icl_image_stream_next(stream, engine, &none));
  CHECK(!none);
  icl_image_stream_close(stream);
  close_folder(folder);
}

TEST(streams_without_memory) {
  icl_image_folder *folder = make_folder();
  size_t before = icl__memory_in_use();
  icl_image_stream_options options = usual(1);
  for (int allowed = 0; allowed < 5; allowed++) {
    icl_image_stream *stream;
    icl__alloc_fail_after(allowed);
    CHECK_ERROR(icl_image_stream_open(folder, &options, IMAGES, order, &stream), ICL_ENOMEM, "image stream: ");
    icl__alloc_fail_after(-1);
    CHECK_EQ(icl__memory_in_use(), before);
  }
  icl_image_stream *stream;
  icl_tensor *batch;
  icl__alloc_fail_after(5);
  CHECK_OK(icl_image_stream_open(folder, &options, IMAGES, order, &stream));
  CHECK_ERROR(icl_image_stream_next(stream, engine, &batch), ICL_ENOMEM, "/set/dog/7.jpg: ");
  icl__alloc_fail_after(-1);
  icl_image_stream_close(stream);
  close_folder(folder);
}

TEST(one_image_as_a_tensor) {
  icl_image_folder *folder = make_folder();
  icl_tensor *image;
  CHECK_OK(icl_image_read(engine, file_path("set/dog/4.jpg"), &image));
  const int32_t *shape = icl_tensor_shape(image);
  CHECK(icl_tensor_rank(image) == 3 && shape[0] == 14 && shape[1] == 16 && shape[2] == 3);
  icl_tensor_release(image);
  CHECK_ERROR(icl_image_read(engine, file_path("set/none.jpg"), &image), ICL_ENOENT, "none.jpg");
  setenv("HOME", file_path("set"), 1);
  CHECK_OK(icl_image_read(engine, "~/dog/4.jpg", &image));
  icl_tensor_release(image);
  close_folder(folder);
}
