/* saving.c - how long it takes to save the state of a training, in turns with writing as many bytes to the same disk:
 *
 *   saving FOLDER [MEGABYTES [ROUNDS]]
 *
 * It prints the seconds of each round, and the medians. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "icl.h"

enum { ARRAYS = 64, MOST_ROUNDS = 1000 };

static double now(void) {
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void require(int right, const char *what) {
  if (!right) {
    fprintf(stderr, "saving: %s failed\n", what);
    exit(1);
  }
}

/* Seconds of writing the arrays to the disk, and nothing else. */
static double write_plainly(const char *path, const icl_array *arrays, size_t bytes) {
  double start = now();
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  require(fd >= 0, "open");
  for (int i = 0; i < ARRAYS; i++)
    for (size_t done = 0; done < bytes;) {
      ssize_t written = write(fd, (const char *)arrays[i].data + done, bytes - done);
      require(written > 0, "write");
      done += (size_t)written;
    }
  require(fsync(fd) == 0 && close(fd) == 0, "fsync");
  double seconds = now() - start;
  unlink(path);
  return seconds;
}

static double save(const char *path, const icl_array *arrays) {
  static const icl_metadata metadata[] = {{"format", "pt"}, {"checksum", "crc32"}};
  icl_safetensors contents = {ARRAYS, 2, arrays, metadata};
  double start = now();
  require(icl_safetensors_write(path, &contents) == ICL_OK, icl_message());
  double seconds = now() - start;
  unlink(path);
  return seconds;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, by_size);
  return values[count / 2];
}

int main(int argc, char **argv) {
  long megabytes = argc > 2 ? atol(argv[2]) : 292;
  int rounds = argc > 3 ? atoi(argv[3]) : 11;
  if (argc < 2 || megabytes < 1 || rounds < 1 || rounds > MOST_ROUNDS) {
    fprintf(stderr, "usage: saving FOLDER [MEGABYTES [ROUNDS]]\n");
    return 2;
  }
  char path[4096], names[ARRAYS][16];
  icl_array arrays[ARRAYS];
  size_t floats = (size_t)megabytes * 1000000 / sizeof(float) / ARRAYS;
  snprintf(path, sizeof path, "%s/saving.safetensors", argv[1]);
  for (int i = 0; i < ARRAYS; i++) {
    float *data = malloc(floats * sizeof *data);
    require(data != NULL, "malloc");
    for (size_t k = 0; k < floats; k++)
      data[k] = (float)(k * 7 % 1000 + (size_t)i);
    snprintf(names[i], sizeof names[i], "array%d", i);
    arrays[i] = (icl_array){.name = names[i], .dtype = ICL_F32, .rank = 1, .shape = {(int32_t)floats}, .data = data};
  }
  static double plain[MOST_ROUNDS], saved[MOST_ROUNDS];
  printf("%8s %8s\n", "disk", "save");
  for (int i = 0; i < rounds; i++) {
    plain[i] = write_plainly(path, arrays, floats * sizeof(float));
    saved[i] = save(path, arrays);
    printf("%8.3f %8.3f\n", plain[i], saved[i]);
  }
  double a = median(plain, rounds), b = median(saved, rounds);
  printf("%8.3f %8.3f  median of %d, seconds; %.2f\n", a, b, rounds, b / a);
  return 0;
}
