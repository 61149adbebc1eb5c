/* stream.c - threads that decode the images of a folder into batches.
 *
 * Batches are made in a ring of slots. Threads take image after image in the order of the stream, as long as its batch
 * has a slot, and wait otherwise; a batch is ready when none of its images is left. What an image becomes depends on
 * its number alone, so the threads may be as many or as few as they like.
 *
 * An image that cannot be read is an error of its batch. The first in order counts, not the first in time. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "data/crop.h"

enum { LEAST_SLOTS = 3, POLL_MS = 50, MOST_SIZE = 16384, MOST_THREADS = 1024 };

struct icl_image_stream {
  const icl_image_folder *folder;
  icl_image_stream_options options;
  icl__crop_range range;
  int64_t count, *order;
  int64_t image; /* bytes that one becomes */
  int slots;
  uint8_t *pixels; /* slots x batch x image */

  pthread_mutex_t lock;
  pthread_cond_t room, ready; /* a slot became free; a batch became ready */
  int64_t next;               /* the image that is taken next */
  int64_t taken;              /* batches that were handed out */
  int *left;                  /* of each slot: images of its batch that are not done */
  bool stop;
  int64_t failed; /* the place of the first image that failed; count: none */
  icl_status status;
  char message[1024];

  int threads;
  pthread_t *thread;
  pid_t process; /* that has the threads: a child of fork() has none of them */
};

/* ---- what a thread does ---- */

static icl_status make_image(const icl_image_stream *s, int64_t number, icl__image *image, uint8_t *out) {
  char path[ICL__PATH];
  ICL__TRY(icl_image_folder_file(s->folder, (int)(number % s->folder->count), path, sizeof path));
  ICL__TRY(icl__image_read(path, image));
  const icl_image_stream_options *o = &s->options;
  icl__crop crop = o->random
                       ? icl__crop_random(image->height, image->width, &s->range, o->size, o->key, (uint32_t)number)
                       : icl__crop_center(image->height, image->width, o->resize, o->size);
  icl_status status = icl__crop_render(image, &crop, out);
  return status == ICL_OK ? status : icl__wrap(status, "%s", path);
}

/* A thread keeps the memory of its last image for the next one, unless that was a giant. */
static void trim(icl__image *image) {
  enum { ORDINARY = 64 << 20 };
  if (image->capacity <= ORDINARY)
    return;
  icl__free(image->pixels);
  *image = (icl__image){0};
}

static bool has_room(const icl_image_stream *s) { return s->next / s->options.batch < s->taken + s->slots; }

static void note_failure(icl_image_stream *s, int64_t place, icl_status status) {
  if (place >= s->failed)
    return;
  s->failed = place;
  s->status = status;
  snprintf(s->message, sizeof s->message, "%s", icl_message());
}

static void *work(void *context) {
  icl_image_stream *s = context;
  icl__image image = {0};
  pthread_mutex_lock(&s->lock);
  for (;;) {
    while (!s->stop && s->next < s->count && !has_room(s))
      pthread_cond_wait(&s->room, &s->lock);
    if (s->stop || s->next == s->count)
      break;
    int64_t place = s->next++, batch = s->options.batch, slot = place / batch % s->slots;
    pthread_mutex_unlock(&s->lock);
    icl_status status = make_image(s, s->order[place], &image, s->pixels + (slot * batch + place % batch) * s->image);
    trim(&image);
    pthread_mutex_lock(&s->lock);
    if (status != ICL_OK)
      note_failure(s, place, status);
    if (--s->left[slot] == 0)
      pthread_cond_signal(&s->ready);
  }
  pthread_mutex_unlock(&s->lock);
  icl__free(image.pixels);
  return NULL;
}

/* ---- opening ---- */

static icl_status check(const icl_image_folder *folder, const icl_image_stream_options *o, int count,
                        const int64_t *order) {
  if (o->size < 1 || o->size > MOST_SIZE || o->resize < 0 || o->resize > MOST_SIZE)
    return icl__fail(ICL_EINVAL, "image stream: size %d, resize %d; sizes go from 1 to %d, resize may be 0 (off)",
                     o->size, o->resize, MOST_SIZE);
  if (o->random && !(o->area[0] > 0 && o->area[0] <= o->area[1] && o->area[1] <= 1))
    return icl__fail(ICL_EINVAL, "image stream: the area goes from %g to %g; 0 < least <= largest <= 1 must hold",
                     o->area[0], o->area[1]);
  if (o->random && !(o->ratio[0] > 0 && o->ratio[0] <= o->ratio[1] && o->ratio[1] <= 1e3))
    return icl__fail(ICL_EINVAL, "image stream: the ratio goes from %g to %g; 0 < least <= largest <= 1000 must hold",
                     o->ratio[0], o->ratio[1]);
  if (o->batch < 1 || o->threads < 0 || o->threads > MOST_THREADS || count < 0)
    return icl__fail(ICL_EINVAL,
                     "image stream: %d images in batches of %d on %d threads; a batch has at least 1 image, and "
                     "there are 0 (one for each core) to %d threads",
                     count, o->batch, o->threads, MOST_THREADS);
  for (int i = 0; i < count; i++)
    if (order[i] < 0 || order[i] >= (o->repeated && folder->count ? (int64_t)UINT32_MAX : folder->count))
      return icl__fail(ICL_EINVAL, "image stream: place %d of the order is image %lld; %s has %d images", i,
                       (long long)order[i], folder->path, folder->count);
  return ICL_OK;
}

/* Images of a batch; 0 behind the last one. */
static int batch_size(const icl_image_stream *s, int64_t batch) {
  int64_t rest = s->count - batch * s->options.batch;
  return (int)(rest < 0 ? 0 : rest < s->options.batch ? rest : s->options.batch);
}

static icl_status allocate(icl_image_stream *s, const int64_t *order) {
  int64_t batch = s->options.batch, batches = (s->count + batch - 1) / batch;
  int64_t slots = (4 * s->threads + batch - 1) / batch + 1; /* enough for every thread to be busy */
  slots = slots < LEAST_SLOTS ? LEAST_SLOTS : slots;
  s->slots = (int)(slots < batches ? slots : batches ? batches : 1);
  s->order = icl__alloc((size_t)s->count, sizeof *s->order);
  s->left = icl__alloc((size_t)s->slots, sizeof *s->left);
  s->thread = icl__alloc((size_t)s->threads, sizeof *s->thread);
  int64_t room = s->slots * batch < s->count ? s->slots * batch : s->count;
  if ((uint64_t)(room * s->image) > icl__memory_available())
    return icl__fail(ICL_ENOMEM,
                     "image stream: %d batches of %lld images of %d x %d are more than the memory that is "
                     "free; a smaller batch needs less",
                     s->slots, (long long)batch, s->options.size, s->options.size);
  s->pixels = icl__alloc((size_t)room, (size_t)s->image);
  if (!s->order || !s->left || !s->thread || !s->pixels)
    return icl__wrap(ICL_ENOMEM, "image stream");
  memcpy(s->order, order, (size_t)s->count * sizeof *order);
  for (int slot = 0; slot < s->slots; slot++)
    s->left[slot] = batch_size(s, slot);
  return ICL_OK;
}

/* `threads` of the stream are as many as there are. */
static icl_status start(icl_image_stream *s, int threads) {
  for (s->threads = 0; s->threads < threads; s->threads++) {
    int error = icl__thread_start(&s->thread[s->threads], work, s);
    if (error)
      return icl__fail(ICL_ENOTSUP, "image stream: cannot start thread %d of %d: %s; ask for fewer", s->threads + 1,
                       threads, strerror(error));
  }
  return ICL_OK;
}

static int useful_threads(const icl_image_stream_options *o, int count) {
  int threads = o->threads ? o->threads : icl__threads_default();
  return threads < count ? threads : count;
}

icl_status icl_image_stream_open(const icl_image_folder *folder, const icl_image_stream_options *options, int count,
                                 const int64_t *order, icl_image_stream **result) {
  ICL__TRY(check(folder, options, count, order));
  icl_image_stream *s = icl__calloc(1, sizeof *s);
  if (!s)
    return icl__wrap(ICL_ENOMEM, "image stream");
  s->folder = folder;
  s->process = getpid();
  s->options = *options;
  s->range = (icl__crop_range){{options->area[0], options->area[1]}, {options->ratio[0], options->ratio[1]}};
  s->count = s->failed = count;
  s->image = (int64_t)3 * options->size * options->size;
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->room, NULL);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&s->ready, &monotonic);
  pthread_condattr_destroy(&monotonic);
  int threads = s->threads = useful_threads(options, count);
  icl_status status = allocate(s, order);
  s->threads = 0;
  if (status == ICL_OK)
    status = start(s, threads);
  if (status == ICL_OK)
    *result = s;
  else
    icl_image_stream_close(s);
  return status;
}

/* Ends the threads; nobody uses lock and conditions any more. */
static void end_threads(icl_image_stream *s) {
  pthread_mutex_lock(&s->lock);
  s->stop = true;
  pthread_cond_broadcast(&s->room);
  pthread_mutex_unlock(&s->lock);
  for (int i = 0; i < s->threads; i++)
    pthread_join(s->thread[i], NULL);
  pthread_cond_destroy(&s->ready);
  pthread_cond_destroy(&s->room);
  pthread_mutex_destroy(&s->lock);
}

void icl_image_stream_close(icl_image_stream *s) {
  if (!s)
    return;
  if (s->process == getpid())
    end_threads(s); /* in a child of fork() there is nothing to stop, and the lock may be held for ever */
  icl__free(s->order);
  icl__free(s->left);
  icl__free(s->thread);
  icl__free(s->pixels);
  icl__free(s);
}

/* ---- batches ---- */

/* Waits until the next batch is ready. */
static icl_status wait_for(icl_image_stream *s, int64_t slot, icl_engine *engine) {
  icl_status status = ICL_OK;
  pthread_mutex_lock(&s->lock);
  while (s->left[slot] > 0 && !icl_engine_interrupted(engine)) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&s->ready, &s->lock, &until);
  }
  if (s->left[slot] > 0) {
    icl_engine_resume(engine);
    status = icl__fail(ICL_EINTERRUPTED, "interrupted while images were decoded");
  } else if (s->failed < s->count && s->failed / s->options.batch == s->taken) {
    status = icl__fail(s->status, "%s", s->message);
  }
  pthread_mutex_unlock(&s->lock);
  return status;
}

icl_status icl_image_stream_next(icl_image_stream *s, icl_engine *engine, icl_tensor **result) {
  int size = batch_size(s, s->taken), side = s->options.size;
  int64_t slot = s->taken % s->slots;
  *result = NULL;
  if (s->process != getpid())
    return icl__fail(ICL_EINVAL, "image stream: it was opened before fork(), and its threads are in the parent; open "
                                 "another one here");
  if (size == 0)
    return ICL_OK;
  ICL__TRY(wait_for(s, slot, engine));
  ICL__TRY(icl_tensor_new(engine, ICL_U8, 4, (const int32_t[]){size, side, side, 3},
                          s->pixels + slot * s->options.batch * s->image, result));
  pthread_mutex_lock(&s->lock);
  s->taken++;
  s->left[slot] = batch_size(s, s->taken + s->slots - 1);
  pthread_cond_broadcast(&s->room);
  pthread_mutex_unlock(&s->lock);
  return ICL_OK;
}

icl_status icl_image_read(icl_engine *engine, const char *path, icl_tensor **result) {
  icl__image image = {0};
  char expanded[ICL__PATH];
  ICL__TRY(icl__path_expand(&path, expanded));
  icl_status status = icl__image_read(path, &image);
  if (status == ICL_OK)
    status = icl_tensor_new(engine, ICL_U8, 3, (const int32_t[]){image.height, image.width, 3}, image.pixels, result);
  icl__free(image.pixels);
  return status;
}
