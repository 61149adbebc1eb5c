/* bench_kernels.c - how near the kernels of the CUDA backend come to the speed of the device's memory.
 *
 *   bench_kernels [-n BATCH] [-m MEGABYTES] [NAME...]
 *
 * Each row is a kernel at a shape: the bytes that it must move, the time of a launch in a graph of many, what that
 * makes in bytes a second, and its share of what a copy within the device makes. Launches go round so many sets of
 * images that none is in a cache. `warm` is the time where all are of one set, as in a network whose images the cache
 * holds. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAUNCHES_LEAST = 32, SETS_MOST = 64, ROUNDS = 3, TIMES = 2, TABLE_BYTES = 1 << 18, CACHES = 4 };

static cudaStream_t stream;
static cudaEvent_t before, after;
static char *arena;
static size_t arena_bytes, cache_bytes;
static double copy_speed; /* bytes a second */

static void check(cudaError_t error, const char *what) {
  if (error == cudaSuccess)
    return;
  fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  exit(2);
}

/* ---- time ---- */

/* Launch number `i` of many. */
typedef cudaError_t (*launcher)(const void *context, int i);

static cudaGraphExec_t captured(launcher launch, const void *context, int launches, const char *name) {
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), name);
  for (int i = 0; i < launches; i++)
    check(launch(context, i), name);
  check(cudaStreamEndCapture(stream, &graph), name);
  check(cudaGraphInstantiate(&executable, graph, 0), name);
  check(cudaGraphDestroy(graph), name);
  return executable;
}

/* Seconds of a launch: the least of a few rounds. */
static double seconds_of(launcher launch, const void *context, int launches, const char *name) {
  cudaGraphExec_t graph = captured(launch, context, launches, name);
  double least = 0;
  check(cudaGraphLaunch(graph, stream), name);
  for (int round = 0; round < ROUNDS; round++) {
    float milliseconds;
    check(cudaEventRecord(before, stream), name);
    for (int i = 0; i < TIMES; i++)
      check(cudaGraphLaunch(graph, stream), name);
    check(cudaEventRecord(after, stream), name);
    check(cudaEventSynchronize(after), name);
    check(cudaEventElapsedTime(&milliseconds, before, after), name);
    double seconds = (double)milliseconds / 1e3 / TIMES / launches;
    least = round == 0 || seconds < least ? seconds : least;
  }
  check(cudaGraphExecDestroy(graph), name);
  return least;
}

static void report(const char *name, const char *where, double bytes, double seconds, double warm) {
  printf("%-24s %-18s %8.1f MB %8.1f us %6.0f GB/s %4.0f %%", name, where, bytes / 1e6, seconds * 1e6,
         bytes / seconds / 1e9, 100 * bytes / seconds / copy_speed);
  if (warm > 0)
    printf("   warm %7.1f us", warm * 1e6);
  printf("\n");
}

/* ---- a copy within the device ---- */

static cudaError_t copy(const void *context, int i) {
  size_t half = arena_bytes / 2;
  (void)context;
  return i % 2 ? cudaMemcpyAsync(arena, arena + half, half, cudaMemcpyDeviceToDevice, stream)
               : cudaMemcpyAsync(arena + half, arena, half, cudaMemcpyDeviceToDevice, stream);
}

static void measure_copy(void) {
  double seconds = seconds_of(copy, NULL, 2, "copy");
  copy_speed = (double)arena_bytes / seconds;
  report("copy", "", (double)arena_bytes, seconds, 0);
}

/* ---- images ---- */

typedef struct {
  const bench_case *row;
  bench_work work;
  size_t image_bytes; /* with the room up to the next */
  int sets;
} image_run;

static cudaError_t launch_image(const void *context, int i) {
  const image_run *run = context;
  bench_work w = run->work;
  for (int k = 0; k < BENCH_IMAGES; k++)
    w.image[k] = arena + ((size_t)(i % run->sets) * BENCH_IMAGES + (size_t)k) * run->image_bytes;
  return run->row->run(&w);
}

static int kept_within(double x, int least, int most) { return x < least ? least : x > most ? most : (int)x; }

static void measure_image(const bench_case *row, const bench_work *work, int32_t n, const int32_t *shape,
                          icl_dtype dtype) {
  char where[64];
  image_run run = {row, *work, 0, 0};
  run.work.n = n, run.work.h = shape[0], run.work.w = shape[1], run.work.c = shape[2];
  run.work.dtype = dtype;
  size_t bytes = (size_t)n * (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (dtype == ICL_F32 ? 4 : 2);
  run.image_bytes = (bytes + 255) / 256 * 256;
  double values = (double)n * shape[0] * shape[1] * shape[2];
  double moved = bench_bytes(row, values, dtype), room = (double)arena_bytes / BENCH_IMAGES / (double)run.image_bytes;
  if (room < 1) {
    printf("skipped: %s: an arena of %zu MB does not hold the images\n", row->name, arena_bytes >> 20);
    return;
  }
  int most = kept_within(room, 1, SETS_MOST);
  run.sets = kept_within(CACHES * (double)cache_bytes / moved + 2, 1, most);
  int launches = run.sets < LAUNCHES_LEAST ? run.sets * (LAUNCHES_LEAST / run.sets) : run.sets;
  double cold = seconds_of(launch_image, &run, launches, row->name);
  run.sets = 1;
  double warm = seconds_of(launch_image, &run, LAUNCHES_LEAST, row->name);
  snprintf(where, sizeof where, "%dx%dx%d %s", shape[0], shape[1], shape[2], dtype == ICL_F32 ? "f32" : "bf16");
  report(row->name, where, moved, cold, warm);
}

/* ---- parameters ---- */

typedef struct {
  bench_many_kind kind;
  const bench_many *sets;
  int count;
} many_run;

static cudaError_t launch_many(const void *context, int i) {
  const many_run *run = context;
  return bench_many_run(run->kind, &run->sets[i % run->count], stream);
}

/* Sets as far as the arena goes. */
static void measure_many(bench_many_kind kind, bool wide, void *numbers) {
  bench_many sets[SETS_MOST];
  int count = 0;
  size_t part = wide ? (size_t)800 << 20 : (size_t)8 << 20;
  while (count < SETS_MOST && (size_t)(count + 1) * part <= arena_bytes &&
         bench_many_make(&sets[count], kind, wide, arena + (size_t)count * part, part, numbers, stream))
    count++;
  if (count == 0) {
    printf("skipped: parameters of %s: an arena of %zu MB is too small\n", wide ? "WRN-28-10" : "ResNet-20",
           arena_bytes >> 20);
    return;
  }
  many_run run = {kind, sets, count};
  int launches = count < LAUNCHES_LEAST ? count * (LAUNCHES_LEAST / count) : count;
  double cold = seconds_of(launch_many, &run, launches, sets[0].name);
  run.count = 1;
  double warm = seconds_of(launch_many, &run, LAUNCHES_LEAST, sets[0].name);
  report(sets[0].name, wide ? "WRN-28-10" : "ResNet-20", sets[0].bytes, cold, warm);
  for (int i = 0; i < count; i++)
    bench_many_free(&sets[i]);
}

/* ---- the device ---- */

/* 16-bit words that are numbers of a size near 1 in bf16, and in f16 and f32 as well. */
static void fill_arena(void) {
  enum { WORDS = 1 << 20 };
  uint16_t *words;
  uint32_t state = 1;
  check(cudaMallocHost((void **)&words, WORDS * sizeof *words), "pinned memory");
  for (int i = 0; i < WORDS; i++) {
    state = state * 1664525 + 1013904223;
    words[i] = (uint16_t)(0x3f00 | (state >> 8 & 0x80ff));
  }
  size_t filled = WORDS * sizeof *words < arena_bytes ? WORDS * sizeof *words : arena_bytes;
  check(cudaMemcpyAsync(arena, words, filled, cudaMemcpyHostToDevice, stream), "upload");
  for (size_t more; filled < arena_bytes; filled += more) {
    more = filled < arena_bytes - filled ? filled : arena_bytes - filled;
    check(cudaMemcpyAsync(arena + filled, arena, more, cudaMemcpyDeviceToDevice, stream), "copy");
  }
  check(cudaStreamSynchronize(stream), "copy");
  check(cudaFreeHost(words), "pinned memory");
}

static bench_work begin(size_t megabytes) {
  bench_work w = {0};
  int cache;
  arena_bytes = megabytes << 20;
  check(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, 0), "device");
  cache_bytes = (size_t)cache;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream");
  check(cudaEventCreate(&before), "event");
  check(cudaEventCreate(&after), "event");
  check(cudaMalloc((void **)&arena, arena_bytes), "memory");
  fill_arena();
  for (int i = 0; i < BENCH_TABLES; i++) {
    check(cudaMalloc(&w.table[i], TABLE_BYTES), "memory");
    check(cudaMemcpyAsync(w.table[i], arena, TABLE_BYTES, cudaMemcpyDeviceToDevice, stream), "copy");
  }
  check(cudaMalloc((void **)&w.scratch.partial, ICL__CUDA_PARTIAL_FLOATS * sizeof(float)), "memory");
  check(cudaMalloc((void **)&w.scratch.tickets, ICL__CUDA_TICKETS * sizeof(unsigned)), "memory");
  check(cudaMemsetAsync(w.scratch.tickets, 0, ICL__CUDA_TICKETS * sizeof(unsigned), stream), "memory");
  w.stream = stream;
  return w;
}

static void end(bench_work *w) {
  for (int i = 0; i < BENCH_TABLES; i++)
    check(cudaFree(w->table[i]), "memory");
  check(cudaFree(w->scratch.partial), "memory");
  check(cudaFree(w->scratch.tickets), "memory");
  check(cudaFree(arena), "memory");
  check(cudaEventDestroy(before), "event");
  check(cudaEventDestroy(after), "event");
  check(cudaStreamDestroy(stream), "stream");
}

static bool is_chosen(int count, char **names, const char *name) {
  for (int i = 0; i < count; i++)
    if (!strncmp(names[i], name, strlen(names[i])))
      return true;
  return count == 0;
}

int main(int argc, char **argv) {
  /* ResNet-20 and WRN-28-10 on images of 32 x 32 */
  static const int32_t shapes[][3] = {{32, 32, 16},  {16, 16, 32},  {8, 8, 64},
                                      {32, 32, 160}, {16, 16, 320}, {8, 8, 640}};
  static const icl_dtype dtypes[] = {ICL_BF16, ICL_F32};
  int32_t batch = 128;
  size_t megabytes = 2400;
  int first = 1;
  for (; first + 1 < argc && argv[first][0] == '-'; first += 2) {
    if (argv[first][1] == 'n')
      batch = (int32_t)atoi(argv[first + 1]);
    else
      megabytes = (size_t)atoi(argv[first + 1]);
  }
  bench_work work = begin(megabytes);
  measure_copy();
  fill_arena();
  for (int i = 0; i < bench_case_count; i++)
    for (size_t k = 0; is_chosen(argc - first, argv + first, bench_cases[i].name) && k < sizeof shapes / sizeof *shapes;
         k++)
      for (int d = 0; d < 2; d++)
        measure_image(&bench_cases[i], &work, batch, shapes[k], dtypes[d]);
  for (int kind = 0; kind < BENCH_MANY; kind++)
    for (int wide = 0; wide < 2; wide++)
      if (is_chosen(argc - first, argv + first, "parameters"))
        measure_many((bench_many_kind)kind, wide, work.table[0]);
  end(&work);
  return 0;
}
