/* driver.c - feeds a fuzz target with changed seeds; see fuzz.h. It needs no special compiler. */
#include "fuzz.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/philox.h"

/* ---- random numbers: a stream for each input ---- */

static uint64_t input; /* the number of the input that is running */
static uint32_t drawn;

static size_t below(size_t n) {
  const uint32_t key[4] = {0x1c1, (uint32_t)(input >> 32), 0, 0};
  return (size_t)icl__draw_integer(key, (uint32_t)input, drawn++, 0, (int64_t)n - 1);
}

/* ---- changes ---- */

typedef struct {
  uint8_t data[FUZZ_MOST];
  size_t bytes;
} text;

/* Puts `count` bytes in the place of `removed` bytes at `at`, as far as there is room. */
static void splice(text *t, size_t at, size_t removed, const uint8_t *put, size_t count) {
  if (t->bytes - removed + count > FUZZ_MOST)
    count = FUZZ_MOST - (t->bytes - removed);
  memmove(t->data + at + count, t->data + at + removed, t->bytes - at - removed);
  if (count)
    memcpy(t->data + at, put, count);
  t->bytes = t->bytes - removed + count;
}

/* A range of at most `most` bytes. */
static size_t range(const text *t, size_t most, size_t *count) {
  size_t at = below(t->bytes + 1), left = t->bytes - at;
  *count = below((left < most ? left : most) + 1);
  return at;
}

static void flip_bit(text *t) {
  if (t->bytes)
    t->data[below(t->bytes)] ^= (uint8_t)(1u << below(8));
}

static void set_byte(text *t) {
  static const uint8_t edges[] = {0, 1, 2, 0x7f, 0x80, 0xff, '"', '\\', '{', '}', '[', ']', ',', ':', '-', '0', ' '};
  if (t->bytes)
    t->data[below(t->bytes)] = below(2) ? edges[below(sizeof edges)] : (uint8_t)below(256);
}

/* In text, small changes of numbers reach further than most others. */
static void change_digit(text *t) {
  size_t start = below(t->bytes + 1);
  for (size_t i = start; i < t->bytes; i++)
    if (t->data[i] >= '0' && t->data[i] <= '9') {
      t->data[i] = (uint8_t)('0' + below(10));
      return;
    }
}

static void remove_range(text *t) {
  size_t count, at = range(t, 64, &count);
  splice(t, at, count, NULL, 0);
}

static void repeat_range(text *t) {
  uint8_t copy[64];
  size_t count, from = range(t, sizeof copy, &count);
  memcpy(copy, t->data + from, count);
  splice(t, below(t->bytes + 1), 0, copy, count);
}

static void put_word(text *t) {
  size_t words = 0;
  while (fuzz_words[words])
    words++;
  const char *word = fuzz_words[below(words)];
  size_t replaced = 0, at = below(2) ? below(t->bytes + 1) : range(t, 16, &replaced);
  splice(t, at, replaced, (const uint8_t *)word, strlen(word));
}

static void cut_end(text *t) { t->bytes = below(t->bytes + 1); }

static void change(text *t) {
  static void (*const changes[])(text *) = {flip_bit,     set_byte, change_digit, change_digit, remove_range,
                                            repeat_range, put_word, put_word,     cut_end};
  size_t count = below(8); /* none: the seed itself */
  for (size_t i = 0; i < count; i++)
    changes[below(sizeof changes / sizeof *changes)](t);
}

/* ---- the program ---- */

enum { MOST_SEEDS = 256 };
static text seeds[MOST_SEEDS];

static int make_seeds(void) {
  int count = 0;
  while (count < MOST_SEEDS && (seeds[count].bytes = fuzz_seed(count, seeds[count].data)))
    count++;
  return count;
}

static void run(uint64_t first, uint64_t count, int seed_count, volatile uint64_t *running) {
  static text t;
  for (input = first; input - first < count; input++) {
    *running = input;
    drawn = 0;
    const text *seed = &seeds[below((size_t)seed_count)];
    t.bytes = seed->bytes;
    memcpy(t.data, seed->data, seed->bytes);
    change(&t);
    uint8_t *exact = malloc(t.bytes ? t.bytes : 1); /* its end is where the sanitizer sees it */
    if (!exact)
      _exit(1);
    memcpy(exact, t.data, t.bytes);
    LLVMFuzzerTestOneInput(exact, t.bytes);
    free(exact);
  }
}

/* The inputs run in a child, so that the number of the one that ended it is known however it ended. */
int main(int argc, char **argv) {
  uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
  uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
  int seed_count = make_seeds(), status = 0;
  uint64_t *running = mmap(NULL, sizeof *running, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (running == MAP_FAILED) {
    perror("mmap");
    return 1;
  }
  pid_t child = fork();
  if (child == 0) {
    run(first, count, seed_count, running);
    exit(0);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) {
    perror("fork");
    return 1;
  }
  bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!passed)
    printf("failed: input %" PRIu64 "\n", *running);
  printf("%" PRIu64 " inputs\n%d passed, %d failed\n", count, passed, !passed);
  return !passed;
}
