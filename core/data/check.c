/* check.c - looks at every image of a folder before any is needed.
 *
 * Of nearly all files a few bytes settle it: a header of an ordinary form at the start, the mark of the end at the end.
 * The others are decoded, and that decides. So a file is called bad only if decoding fails, and one that is called good
 * can still be damaged in the middle. */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/threads.h"
#include "data/folder.h"
#include "data/image.h"

/* ---- a file ---- */

static bool read_at(int fd, size_t at, void *data, size_t bytes) {
  return pread(fd, data, bytes, (off_t)at) == (ssize_t)bytes;
}

static uint32_t u16(const unsigned char *b) { return (uint32_t)b[0] << 8 | b[1]; }
static uint32_t u32(const unsigned char *b) { return u16(b) << 16 | u16(b + 2); }

/* Goes from segment to segment up to the frame, which has the size. */
static bool is_ordinary_jpeg(int fd, size_t bytes) {
  enum { MOST_SEGMENTS = 1000 };
  unsigned char s[10], end[2]; /* marker, length; of a frame: precision, height, width, channels */
  size_t at = 2;
  for (int i = 0; i < MOST_SEGMENTS && read_at(fd, at, s, sizeof s) && s[0] == 0xff; i++) {
    bool is_segment = s[1] >= 0xc0 && (s[1] < 0xd0 || s[1] >= 0xdb) && s[1] != 0xff; /* it has a length */
    if (!is_segment)
      return false;
    if (s[1] >= 0xc0 && s[1] <= 0xc2)
      return s[4] == 8 && icl__image_fits(u16(s + 5), u16(s + 7)) && (s[9] == 1 || s[9] == 3 || s[9] == 4) &&
             read_at(fd, bytes - 2, end, 2) && end[0] == 0xff && end[1] == 0xd9;
    at += 2 + u16(s + 2);
  }
  return false;
}

static bool is_ordinary_png(int fd, size_t bytes) {
  static const unsigned char start[16] = "\x89PNG\r\n\x1a\n\0\0\0\15IHDR", stop[12] = "\0\0\0\0IEND\xae\x42\x60\x82";
  unsigned char header[33], end[12];
  return read_at(fd, 0, header, sizeof header) && memcmp(header, start, sizeof start) == 0 &&
         u32(header + 29) == crc32(0, header + 12, 17) && icl__image_fits(u32(header + 16), u32(header + 20)) &&
         read_at(fd, bytes - sizeof end, end, sizeof end) && memcmp(end, stop, sizeof stop) == 0;
}

#ifdef ICL_WEBP_LIBRARY
enum { WEBP_IS_READ = 1 };
#else
enum { WEBP_IS_READ = 0 };
#endif

/* The length at its start is that of the file, and the size of the image follows in one of three forms. */
static bool is_ordinary_webp(int fd, size_t bytes) {
  unsigned char h[30];
  if (!read_at(fd, 0, h, sizeof h) || memcmp(h, "RIFF", 4) != 0 || memcmp(h + 8, "WEBPVP8", 7) != 0)
    return false;
  uint64_t length = h[4] | (uint32_t)h[5] << 8 | (uint32_t)h[6] << 16 | (uint64_t)h[7] << 24;
  uint32_t width = 0, height = 0;
  if (h[15] == ' ') { /* with losses: fourteen bits of each number */
    width = (h[26] | (uint32_t)h[27] << 8) & 0x3fff;
    height = (h[28] | (uint32_t)h[29] << 8) & 0x3fff;
  } else if (h[15] == 'L') { /* without: fourteen bits, one less than the number, behind a byte */
    uint32_t both = h[21] | (uint32_t)h[22] << 8 | (uint32_t)h[23] << 16 | (uint32_t)h[24] << 24;
    width = (both & 0x3fff) + 1;
    height = (both >> 14 & 0x3fff) + 1;
  } else if (h[15] == 'X') { /* with more than the picture: three bytes, one less than the number */
    width = (h[24] | (uint32_t)h[25] << 8 | (uint32_t)h[26] << 16) + 1;
    height = (h[27] | (uint32_t)h[28] << 8 | (uint32_t)h[29] << 16) + 1;
  }
  return WEBP_IS_READ && length + 8 == bytes && icl__image_fits(height, width);
}

/* Other formats are always decoded: TIFF has its header anywhere, and reading the others is what takes the time. */
static bool is_ordinary(const char *path) {
  int fd;
  size_t bytes;
  unsigned char first[2] = {0};
  if (icl__file_open(path, &fd, &bytes) != ICL_OK)
    return false;
  bool found = false;
  if (read_at(fd, 0, first, 2))
    found = (first[0] == 0xff ? is_ordinary_jpeg : first[0] == 'R' ? is_ordinary_webp : is_ordinary_png)(fd, bytes);
  close(fd);
  return found;
}

static icl_status check_file(const icl_image_folder *folder, int number) {
  char path[ICL__PATH];
  ICL__TRY(icl_image_folder_file(folder, number, path, sizeof path));
  if (is_ordinary(path))
    return ICL_OK;
  icl__image image = {0};
  icl_status status = icl__image_read(path, &image);
  icl__free(image.pixels);
  return status;
}

/* ---- all files ---- */

typedef struct {
  const icl_image_folder *folder;
  const icl_engine *engine;
  bool *bad; /* of each image */
  atomic_int next, out_of_memory;
} check;

static void *work(void *context) {
  check *c = context;
  while (!icl_engine_interrupted(c->engine) && !c->out_of_memory) {
    int number = atomic_fetch_add(&c->next, 1);
    if (number >= c->folder->count)
      break;
    icl_status status = check_file(c->folder, number);
    c->bad[number] = status != ICL_OK;
    if (status == ICL_ENOMEM)
      c->out_of_memory = true;
  }
  return NULL;
}

/* This thread works as well, so it does not matter if others cannot be started. */
static void check_all(check *c, int threads) {
  enum { MOST_THREADS = 64 };
  pthread_t thread[MOST_THREADS];
  int wanted = threads > 0 ? threads : icl__threads_default(), started = 0;
  while (started < wanted - 1 && started < MOST_THREADS && icl__thread_start(&thread[started], work, c) == 0)
    started++;
  work(c);
  for (int i = 0; i < started; i++)
    pthread_join(thread[i], NULL);
}

/* The messages about the first bad images: found again, which gives the same in the same order every time. */
static icl_status say_why(const check *c, char **report) {
  enum { MOST_MESSAGES = 10 };
  icl__text text = {0};
  int said = 0;
  for (int i = 0; i < c->folder->count && said < MOST_MESSAGES; i++) {
    icl_status status = c->bad[i] ? check_file(c->folder, i) : ICL_OK;
    if (status == ICL_ENOMEM)
      text.status = status;
    else if (status != ICL_OK)
      icl__say(&text, "%s%s", said++ ? "\n" : "", icl_message());
  }
  *report = text.text;
  return text.status;
}

/* Takes the bad images out. A class must keep one. */
static icl_status drop(icl__folder *f, const bool *bad) {
  int kept = 0;
  for (int i = 0, of_class = 0; i < f->set.count; i++) {
    bool is_last = i + 1 == f->set.count || f->labels[i + 1] != f->labels[i];
    of_class += !bad[i];
    if (is_last && of_class == 0)
      return icl__fail(ICL_ENOENT, "%s/%s: no image in the folder of this class can be read", f->set.path,
                       f->set.class_names[f->labels[i]]);
    if (is_last)
      of_class = 0;
  }
  for (int i = 0; i < f->set.count; i++)
    if (!bad[i]) {
      f->images.item[kept] = f->images.item[i];
      f->labels[kept++] = f->labels[i];
    }
  f->set.dropped += f->set.count - kept;
  f->set.count = kept;
  f->images.count = (size_t)kept;
  return ICL_OK;
}

static icl_status finish(check *c, icl_image_folder *folder, bool drop_bad, int *bad, char **report) {
  if (icl_engine_interrupted(c->engine))
    return icl__fail(ICL_EINTERRUPTED, "%s: interrupted while its images were looked at", folder->path);
  if (c->out_of_memory)
    return icl__fail(ICL_ENOMEM, "%s: out of memory while its images were looked at", folder->path);
  *bad = 0;
  for (int i = 0; i < folder->count; i++)
    *bad += c->bad[i];
  *report = NULL;
  if (*bad == 0)
    return ICL_OK;
  icl_status status = say_why(c, report);
  if (status == ICL_OK && drop_bad)
    status = drop((icl__folder *)folder, c->bad);
  if (status != ICL_OK) {
    icl__free(*report);
    *report = NULL;
  }
  return status;
}

icl_status icl_image_folder_check(icl_image_folder *folder, const icl_engine *engine, int threads, bool drop_bad,
                                  int *bad, char **report) {
  check c = {.folder = folder, .engine = engine};
  c.bad = icl__calloc((size_t)folder->count, sizeof *c.bad);
  if (!c.bad)
    return icl__wrap(ICL_ENOMEM, "%s", folder->path);
  check_all(&c, threads);
  icl_status status = finish(&c, folder, drop_bad, bad, report);
  icl__free(c.bad);
  return status;
}
