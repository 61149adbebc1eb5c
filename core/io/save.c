/* save.c - a safetensors file on its way to the disk, on the caller's thread or on one of its own.
 *
 * Saves of a process are written one after the other, in the order in which they were started, so that of two under one
 * name the later one stays.
 *
 * A process does not end before the threads are done: what was begun is there at the next start. Where it is killed,
 * the next writer in the folder removes what is left (base/file.h). */
#include "io/safetensors.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/threads.h"

typedef struct {
  const void *data;
  size_t bytes;
} piece;

struct icl__save {
  char *path, *start;         /* length and header */
  size_t start_bytes, digits; /* digits: where those of the checksum are; 0: there is none */
  uint32_t sum;
  int count;
  piece *pieces; /* the data, in their order */
  icl__places places;
  char **links; /* those of places */

  uint64_t number; /* in the order of saves */
  pid_t process;   /* that started a thread; 0: none did */
  pthread_t thread;
  bool finished; /* and joined */
  atomic_bool done;
  icl_status status;
  char message[1024]; /* of another status than OK */
  icl__save *next;    /* of those with a thread that is not joined */
};

/* ---- the file ---- */

/* The checksum of all that is written. */
static void *sum_up(void *context) {
  icl__save *s = context;
  s->sum = icl__safetensors_sum(0, s->start, s->start_bytes);
  for (int i = 0; i < s->count; i++)
    s->sum = icl__safetensors_sum(s->sum, s->pieces[i].data, s->pieces[i].bytes);
  return NULL;
}

static icl_status write_pieces(const icl__save *s, icl__writer *writer) {
  ICL__TRY(icl__writer_write(writer, s->start, s->start_bytes));
  for (int i = 0; i < s->count; i++)
    ICL__TRY(icl__writer_write(writer, s->pieces[i].data, s->pieces[i].bytes));
  return ICL_OK;
}

static size_t data_bytes(const icl__save *s) {
  size_t bytes = 0;
  for (int i = 0; i < s->count; i++)
    bytes += s->pieces[i].bytes;
  return bytes;
}

/* A large file is summed up while it is written, on a thread for that if there can be one. */
static icl_status write_all(icl__save *s, icl__writer *writer) {
  enum { LARGE = 1 << 18 };
  pthread_t thread;
  bool beside = s->digits && data_bytes(s) >= LARGE && icl__thread_start(&thread, sum_up, s) == 0;
  icl_status status = write_pieces(s, writer);
  if (beside)
    pthread_join(thread, NULL);
  else if (s->digits)
    sum_up(s);
  if (status != ICL_OK || !s->digits)
    return status;
  char digits[ICL__SAFETENSORS_DIGITS + 1];
  snprintf(digits, sizeof digits, "%08x", s->sum);
  return icl__writer_correct(writer, s->digits, digits, ICL__SAFETENSORS_DIGITS);
}

static icl_status write_file(icl__save *s) {
  icl__writer *writer;
  ICL__TRY(icl__writer_open(s->path, &writer));
  icl_status status = write_all(s, writer);
  if (status == ICL_OK)
    return icl__writer_commit_to(writer, &s->places);
  icl__writer_cancel(writer);
  return status;
}

/* ---- threads ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static icl__save *running;       /* this and what follows is under the lock */
static uint64_t numbered, ended; /* saves */

static void wait_for_turn(const icl__save *s) {
  pthread_mutex_lock(&lock);
  while (ended != s->number)
    pthread_cond_wait(&turn, &lock);
  pthread_mutex_unlock(&lock);
}

static void give_turn(void) {
  pthread_mutex_lock(&lock);
  ended++;
  pthread_cond_broadcast(&turn);
  pthread_mutex_unlock(&lock);
}

static void *work(void *context) {
  icl__save *s = context;
  wait_for_turn(s);
  s->status = write_file(s);
  give_turn();
  if (s->status != ICL_OK)
    snprintf(s->message, sizeof s->message, "%s", icl_message());
  s->done = true;
  return NULL;
}

/* The first of those with a thread, out of their list; NULL: there is none. */
static icl__save *take_running(void) {
  pthread_mutex_lock(&lock);
  icl__save *s = running;
  if (s)
    running = s->next;
  pthread_mutex_unlock(&lock);
  return s;
}

/* At exit. */
static void join_all(void) {
  for (icl__save *s; (s = take_running());)
    pthread_join(s->thread, NULL);
}

/* A child of fork() has none of the threads. */
static void forget_all(void) {
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&turn, NULL);
  running = NULL;
  numbered = ended = 0;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void) {
  atexit(join_all);
  pthread_atfork(NULL, NULL, forget_all);
}

void icl__save_start(icl__save *s) {
  pthread_once(&once, prepare);
  pthread_mutex_lock(&lock);
  s->number = numbered++;
  if (icl__thread_start(&s->thread, work, s) == 0) {
    s->process = getpid();
    s->next = running;
    running = s;
  }
  pthread_mutex_unlock(&lock);
  if (!s->process)
    work(s);
  s->finished = !s->process;
}

/* Takes it out of the list; false: it is not there, so that its thread was joined at exit. */
static bool unlist(const icl__save *s) {
  pthread_mutex_lock(&lock);
  icl__save **at = &running;
  while (*at && *at != s)
    at = &(*at)->next;
  bool found = *at;
  if (found)
    *at = s->next;
  pthread_mutex_unlock(&lock);
  return found;
}

bool icl__save_is_done(const icl__save *s) { return s->done || (s->process && s->process != getpid()); }

static void write_now(icl__save *s) {
  pthread_once(&once, prepare);
  pthread_mutex_lock(&lock);
  s->number = numbered++;
  pthread_mutex_unlock(&lock);
  work(s);
}

static icl_status fail_in_child(const icl__save *s) {
  return icl__fail(ICL_EINVAL, "%s: it is written by the process that this one was forked from", s->path);
}

icl_status icl__save_finish(icl__save *s) {
  if (s->process && s->process != getpid())
    return fail_in_child(s);
  if (!s->finished && !s->process)
    write_now(s);
  else if (!s->finished && unlist(s))
    pthread_join(s->thread, NULL);
  s->finished = true;
  return s->status == ICL_OK ? ICL_OK : icl__fail(s->status, "%s", s->message);
}

/* ---- making ---- */

void icl__save_free(icl__save *s) {
  if (!s)
    return;
  if (s->process)
    icl__save_finish(s);
  for (int i = 0; i < s->places.link_count; i++)
    icl__free(s->links[i]);
  icl__free((char *)(uintptr_t)s->places.keep);
  icl__free(s->links);
  icl__free(s->pieces);
  icl__free(s->start);
  icl__free(s->path);
  icl__free(s);
}

static icl_status copy_path(const char *path, char **result) {
  char expanded[ICL__PATH];
  ICL__TRY(icl__path_expand(&path, expanded));
  *result = icl__strdup(path);
  return *result ? ICL_OK : ICL_ENOMEM;
}

static icl_status copy_places(icl__save *s, const icl__places *places) {
  if (places->keep) {
    char *keep;
    ICL__TRY(copy_path(places->keep, &keep));
    s->places.keep = keep;
  }
  s->links = icl__calloc((size_t)places->link_count, sizeof *s->links);
  if (!s->links)
    return ICL_ENOMEM;
  s->places.links = (const char *const *)s->links;
  for (; s->places.link_count < places->link_count; s->places.link_count++)
    ICL__TRY(copy_path(places->links[s->places.link_count], &s->links[s->places.link_count]));
  return ICL_OK;
}

/* The header, and where the data are. */
static icl_status arrange(icl__save *s, const icl_safetensors *contents) {
  if (contents->count < 0 || contents->metadata_count < 0)
    return icl__fail(ICL_EINVAL, "a count is below 0");
  const icl_array **order = icl__alloc((size_t)contents->count, sizeof *order);
  s->pieces = icl__alloc((size_t)contents->count, sizeof *s->pieces);
  icl_status status = order && s->pieces ? ICL_OK : ICL_ENOMEM;
  if (status == ICL_OK)
    status = icl__safetensors_start(contents, order, &s->start, &s->start_bytes);
  if (status == ICL_OK) {
    s->digits = icl__safetensors_digits((unsigned char *)s->start, s->start_bytes);
    for (; s->count < contents->count; s->count++)
      s->pieces[s->count] = (piece){order[s->count]->data, icl__array_bytes(order[s->count])};
  }
  icl__free(order);
  return status;
}

icl_status icl__save_new(const char *path, const icl_safetensors *contents, const icl__places *places,
                         icl__save **result) {
  icl__save *s = icl__calloc(1, sizeof *s);
  icl_status status = s ? copy_path(path, &s->path) : ICL_ENOMEM;
  if (status == ICL_OK)
    status = copy_places(s, places);
  if (status == ICL_OK)
    status = arrange(s, contents);
  if (status == ICL_OK) {
    *result = s;
    return ICL_OK;
  }
  icl__save_free(s);
  return icl__wrap(status, "%s: not written", path);
}
