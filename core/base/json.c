/* json.c - see json.h. */
#include "base/json.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

typedef struct chunk {
  struct chunk *next;
  size_t used, bytes;
  alignas(max_align_t) char data[];
} chunk;

struct icl__json {
  json_t *value;
  chunk *chunks; /* what the value is made of; the newest first */
  jmp_buf out;
};

/* ---- jansson's memory ---- */

static _Thread_local icl__json *parsing; /* what this thread parses */
static json_malloc_t usual_malloc;       /* for all else, also that of other users of jansson in this process */
static json_free_t usual_free;

static chunk *add_chunk(icl__json *json, size_t bytes) {
  enum { LEAST = 1 << 14 };
  size_t room = bytes < LEAST ? LEAST : bytes;
  chunk *new_one = room < SIZE_MAX / 2 ? icl__alloc(1, sizeof(chunk) + room) : NULL;
  if (!new_one)
    longjmp(json->out, 1);
  *new_one = (chunk){.next = json->chunks, .bytes = room};
  return json->chunks = new_one;
}

static void *take(size_t bytes) {
  if (!parsing)
    return usual_malloc(bytes);
  size_t rounded = (bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
  chunk *c = parsing->chunks;
  if (!c || c->bytes - c->used < rounded)
    c = add_chunk(parsing, rounded);
  void *block = c->data + c->used;
  c->used += rounded;
  return block;
}

/* What is given back in the middle of a parse stays until the value goes. */
static void give(void *block) {
  if (!parsing)
    usual_free(block);
}

static void set_functions(void) {
  json_get_alloc_funcs(&usual_malloc, &usual_free);
  json_set_alloc_funcs(take, give);
}

/* Where this library is unloaded others may go on with jansson. */
__attribute__((destructor)) static void restore_functions(void) {
  if (usual_malloc)
    json_set_alloc_funcs(usual_malloc, usual_free);
}

/* ---- parsing ---- */

icl_status icl__json_parse(const char *text, size_t bytes, size_t flags, json_error_t *error, icl__json **result) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, set_functions);
  icl__json *json = icl__calloc(1, sizeof *json);
  if (!json)
    return ICL_ENOMEM;
  bool is_out_of_memory = true;
  parsing = json;
  if (setjmp(json->out) == 0) {
    json->value = json_loadb(text, bytes, flags, error);
    is_out_of_memory = false;
  }
  parsing = NULL;
  if (json->value) {
    *result = json;
    return ICL_OK;
  }
  icl__json_free(json);
  return is_out_of_memory ? ICL_ENOMEM : ICL_EFORMAT;
}

json_t *icl__json_value(const icl__json *json) { return json->value; }

void icl__json_free(icl__json *json) {
  for (chunk *c = json ? json->chunks : NULL, *next; c; c = next) {
    next = c->next;
    icl__free(c);
  }
  icl__free(json);
}

/* ---- writing ---- */

icl_status icl__json_text(const json_t *value, size_t flags, char **text, size_t *bytes) {
  *bytes = json_dumpb(value, NULL, 0, flags);
  *text = *bytes ? icl__alloc(*bytes + 1, 1) : NULL;
  if (!*text)
    return ICL_ENOMEM;
  if (json_dumpb(value, *text, *bytes, flags) != *bytes) {
    icl__free(*text);
    *text = NULL;
    return ICL_ENOMEM;
  }
  (*text)[*bytes] = '\0';
  return ICL_OK;
}
