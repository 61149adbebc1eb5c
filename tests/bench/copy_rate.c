/* copy_rate.c - the rate at which one thread reads and writes memory: for each size given on the command line, bytes in
 * all, it copies one half of them to the other again and again and prints GB/s, reading and writing added up. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double SECONDS = 0.1; /* of each measurement, at least; the best of some counts */
enum { MEASUREMENTS = 5 };

static double now(void) {
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Inverts the bits on the way, so that no library function takes the loop's place. */
static void copy(uint64_t *restrict to, const uint64_t *restrict from, size_t words) {
  for (size_t i = 0; i < words; i++)
    to[i] = ~from[i];
}

static double rate(uint64_t *to, uint64_t *from, size_t words) {
  double start = now(), seconds = 0, copied = 0;
  for (int rounds = 1; seconds < SECONDS; rounds *= 2) {
    for (int i = 0; i < rounds; i++)
      copy(to, from, words);
    copied += rounds;
    seconds = now() - start;
  }
  return 2e-9 * copied * (double)(words * sizeof *to) / seconds;
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    size_t half = (strtoull(argv[i], NULL, 10) / 2 + 63) / 64 * 64;
    uint64_t *to = aligned_alloc(64, half), *from = aligned_alloc(64, half);
    if (half == 0 || !to || !from) {
      fprintf(stderr, "copy_rate: %s: not a number of bytes that fits into memory\n", argv[i]);
      return 1;
    }
    memset(to, 0, half);
    memset(from, 0, half);
    double best = 0;
    for (int k = 0; k < MEASUREMENTS; k++) {
      double r = rate(to, from, half / sizeof *to);
      best = r > best ? r : best;
    }
    printf("%.1f\n", best);
    free(to);
    free(from);
  }
  return 0;
}
