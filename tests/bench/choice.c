/* choice.c - how long each kernel takes for the convolutions of the networks that are measured, and which one is
 * chosen: bench_choice [--threads N] [--rounds N] [NETWORK...]
 *
 * A row is what a step does for one layer in one direction: weights are prepared from cold memory, each thread takes
 * its images through in chunks as the planner would cut them, gradients are finished. The kernels take turns, and the
 * fastest of their turns counts, since other work on the machine only ever adds to one. `lost` is what the choice takes
 * more than the fastest. The last lines add up the rows of a network, each as often as the network has the layer. */
#include "backend/cpu/conv.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/threads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHOICES = ICL__CONV_DIRECT + 1, MOST_THREADS = 64, EVICTED = 64 << 20 };

typedef struct {
  const char *network;
  int32_t times, images, size, in, out, kernel, stride, groups;
} layer;

static const layer layers[] = {
    {"resnet_preact-20", 1, 128, 32, 3, 16, 3, 1, 1},
    {"resnet_preact-20", 7, 128, 32, 16, 16, 3, 1, 1},
    {"resnet_preact-20", 1, 128, 32, 16, 32, 3, 2, 1},
    {"resnet_preact-20", 5, 128, 16, 32, 32, 3, 1, 1},
    {"resnet_preact-20", 1, 128, 16, 32, 64, 3, 2, 1},
    {"resnet_preact-20", 5, 128, 8, 64, 64, 3, 1, 1},
    {"resnet_preact-20x4", 7, 64, 32, 64, 64, 3, 1, 1},
    {"resnet_preact-20x4", 1, 64, 32, 64, 128, 3, 2, 1},
    {"resnet_preact-20x4", 5, 64, 16, 128, 128, 3, 1, 1},
    {"resnet_preact-20x4", 1, 64, 16, 128, 256, 3, 2, 1},
    {"resnet_preact-20x4", 5, 64, 8, 256, 256, 3, 1, 1},
    {"wrn-28-10", 1, 16, 32, 16, 160, 3, 1, 1},
    {"wrn-28-10", 7, 16, 32, 160, 160, 3, 1, 1},
    {"wrn-28-10", 1, 16, 32, 160, 320, 3, 2, 1},
    {"wrn-28-10", 7, 16, 16, 320, 320, 3, 1, 1},
    {"wrn-28-10", 1, 16, 16, 320, 640, 3, 2, 1},
    {"wrn-28-10", 7, 16, 8, 640, 640, 3, 1, 1},
    {"shake_shake-26-2x32d", 8, 64, 32, 32, 32, 3, 1, 1},
    {"shake_shake-26-2x32d", 2, 64, 32, 32, 64, 3, 2, 1},
    {"shake_shake-26-2x32d", 14, 64, 16, 64, 64, 3, 1, 1},
    {"shake_shake-26-2x32d", 2, 64, 16, 64, 128, 3, 2, 1},
    {"shake_shake-26-2x32d", 14, 64, 8, 128, 128, 3, 1, 1},
    {"resnext-29-8x64d", 3, 16, 32, 512, 512, 3, 1, 8},
    {"resnext-29-8x64d", 1, 16, 32, 64, 512, 1, 1, 1},
    {"resnext-29-8x64d", 3, 16, 32, 512, 256, 1, 1, 1},
    {"resnext-29-8x64d", 2, 16, 32, 256, 512, 1, 1, 1},
    {"resnext-29-8x64d", 1, 16, 32, 1024, 1024, 3, 2, 8},
    {"resnext-29-8x64d", 2, 16, 16, 1024, 1024, 3, 1, 8},
    {"resnext-29-8x64d", 3, 16, 16, 1024, 512, 1, 1, 1},
    {"resnext-29-8x64d", 2, 16, 16, 512, 1024, 1, 1, 1},
    {"resnext-29-8x64d", 2, 16, 8, 2048, 2048, 3, 1, 8},
    {"resnext-29-8x64d", 3, 16, 8, 2048, 1024, 1, 1, 1},
    {"resnext-29-8x64d", 2, 16, 8, 1024, 2048, 1, 1, 1},
    {"resnext-29-32x4d", 3, 32, 32, 128, 128, 3, 1, 32},
    {"resnext-29-32x4d", 3, 32, 32, 128, 256, 1, 1, 1},
    {"resnext-29-32x4d", 2, 32, 32, 256, 128, 1, 1, 1},
    {"resnext-29-32x4d", 1, 32, 32, 256, 256, 3, 2, 32},
    {"resnext-29-32x4d", 2, 32, 16, 256, 256, 3, 1, 32},
    {"resnext-29-32x4d", 3, 32, 16, 256, 512, 1, 1, 1},
    {"resnext-29-32x4d", 2, 32, 16, 512, 256, 1, 1, 1},
    {"resnext-29-32x4d", 2, 32, 8, 512, 512, 3, 1, 32},
    {"resnext-29-32x4d", 3, 32, 8, 512, 1024, 1, 1, 1},
    {"resnext-29-32x4d", 2, 32, 8, 1024, 512, 1, 1, 1},
    {"densenet_bc-100-12", 4, 64, 32, 48, 48, 1, 1, 1},
    {"densenet_bc-100-12", 12, 64, 32, 120, 48, 1, 1, 1},
    {"densenet_bc-100-12", 16, 64, 32, 48, 12, 3, 1, 1},
    {"densenet_bc-100-12", 16, 64, 16, 204, 48, 1, 1, 1},
    {"densenet_bc-100-12", 16, 64, 16, 48, 12, 3, 1, 1},
    {"densenet_bc-100-12", 16, 64, 8, 240, 48, 1, 1, 1},
    {"densenet_bc-100-12", 16, 64, 8, 48, 12, 3, 1, 1},
    {"pyramidnet-110-84", 36, 64, 32, 30, 31, 3, 1, 1},
    {"pyramidnet-110-84", 36, 64, 16, 58, 59, 3, 1, 1},
    {"pyramidnet-110-84", 36, 64, 8, 86, 87, 3, 1, 1},
    {"resnet-50", 1, 16, 224, 3, 64, 7, 2, 1},
    {"resnet-50", 3, 16, 56, 64, 64, 3, 1, 1},
    {"resnet-50", 4, 16, 56, 64, 256, 1, 1, 1},
    {"resnet-50", 2, 16, 56, 256, 64, 1, 1, 1},
    {"resnet-50", 1, 16, 56, 128, 128, 3, 2, 1},
    {"resnet-50", 3, 16, 28, 128, 128, 3, 1, 1},
    {"resnet-50", 4, 16, 28, 128, 512, 1, 1, 1},
    {"resnet-50", 3, 16, 28, 512, 128, 1, 1, 1},
    {"resnet-50", 5, 16, 14, 256, 256, 3, 1, 1},
    {"resnet-50", 6, 16, 14, 256, 1024, 1, 1, 1},
    {"resnet-50", 5, 16, 14, 1024, 256, 1, 1, 1},
    {"resnet-50", 2, 16, 7, 512, 512, 3, 1, 1},
    {"resnet-50", 3, 16, 7, 512, 2048, 1, 1, 1},
    {"resnet-50", 2, 16, 7, 2048, 512, 1, 1, 1},
    {"odd-channels", 1, 64, 32, 3, 16, 3, 1, 1},
    {"odd-channels", 1, 64, 32, 12, 12, 3, 1, 1},
    {"odd-channels", 1, 64, 32, 17, 17, 3, 1, 1},
    {"odd-channels", 1, 64, 32, 20, 20, 3, 1, 1},
    {"odd-channels", 1, 64, 32, 24, 24, 3, 1, 1},
    {"odd-channels", 1, 64, 32, 33, 33, 3, 1, 1},
    {"odd-channels", 1, 64, 32, 40, 40, 3, 1, 1},
    {"odd-channels", 1, 64, 16, 49, 49, 3, 1, 1},
    {"odd-channels", 1, 64, 16, 56, 56, 3, 1, 1},
    {"odd-channels", 1, 64, 8, 65, 65, 3, 1, 1},
    {"odd-channels", 1, 64, 8, 100, 100, 3, 1, 1},
    {"odd-channels", 1, 64, 16, 96, 24, 3, 1, 1},
    {"few-tiles", 1, 2, 8, 64, 64, 3, 1, 1},
    {"few-tiles", 1, 4, 8, 64, 64, 3, 1, 1},
    {"few-tiles", 1, 8, 8, 64, 64, 3, 1, 1},
    {"few-tiles", 1, 16, 8, 64, 64, 3, 1, 1},
    {"few-tiles", 1, 2, 8, 128, 128, 3, 1, 1},
    {"few-tiles", 1, 4, 8, 128, 128, 3, 1, 1},
    {"few-tiles", 1, 8, 8, 128, 128, 3, 1, 1},
    {"few-tiles", 1, 16, 8, 128, 128, 3, 1, 1},
    {"few-tiles", 1, 2, 8, 256, 256, 3, 1, 1},
    {"few-tiles", 1, 4, 8, 256, 256, 3, 1, 1},
    {"few-tiles", 1, 8, 8, 256, 256, 3, 1, 1},
    {"few-tiles", 1, 16, 8, 256, 256, 3, 1, 1},
    {"few-tiles", 1, 2, 8, 512, 512, 3, 1, 1},
    {"few-tiles", 1, 4, 8, 512, 512, 3, 1, 1},
    {"few-tiles", 1, 8, 8, 512, 512, 3, 1, 1},
    {"few-tiles", 1, 16, 8, 512, 512, 3, 1, 1},
    {"few-tiles", 1, 16, 7, 512, 512, 3, 1, 1},
    {"few-tiles", 1, 32, 4, 512, 512, 3, 1, 1},
    {"few-tiles", 1, 64, 2, 512, 512, 3, 1, 1},
    {"few-tiles", 1, 4, 14, 256, 256, 3, 1, 1},
    {"narrow-groups", 1, 32, 32, 128, 128, 3, 1, 128},
    {"narrow-groups", 1, 32, 32, 128, 128, 3, 2, 128},
    {"narrow-groups", 1, 32, 32, 128, 128, 5, 1, 128},
    {"narrow-groups", 1, 32, 32, 128, 128, 3, 1, 64},
    {"narrow-groups", 1, 32, 32, 128, 128, 3, 2, 64},
    {"narrow-groups", 1, 32, 32, 128, 128, 3, 1, 32},
    {"narrow-groups", 1, 32, 32, 128, 128, 3, 2, 32},
    {"narrow-groups", 1, 32, 32, 128, 128, 3, 1, 16},
    {"narrow-groups", 1, 32, 32, 128, 128, 3, 2, 16},
    {"few-strided", 1, 2, 32, 64, 128, 3, 2, 1},
    {"few-strided", 1, 4, 32, 64, 128, 3, 2, 1},
    {"few-strided", 1, 8, 32, 64, 128, 3, 2, 1},
    {"few-strided", 1, 16, 32, 64, 128, 3, 2, 1},
    {"few-strided", 1, 2, 28, 256, 256, 3, 2, 1},
    {"few-strided", 1, 4, 28, 256, 256, 3, 2, 1},
    {"few-strided", 1, 8, 28, 256, 256, 3, 2, 1},
    {"few-strided", 1, 16, 28, 256, 256, 3, 2, 1},
    {"few-strided", 1, 4, 16, 320, 640, 3, 2, 1},
    {"few-strided", 1, 8, 16, 320, 640, 3, 2, 1},
    {"few-strided", 1, 16, 14, 512, 512, 3, 2, 1},
    {"few-strided", 1, 32, 14, 512, 512, 3, 2, 1},
};
enum { LAYERS = sizeof layers / sizeof *layers };

static icl__dnnl *dnnl;

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

static void check(icl_status status) {
  if (status == ICL_OK)
    return;
  fprintf(stderr, "bench_choice: %s\n", icl_message());
  exit(1);
}

static void *room(size_t bytes) {
  void *memory = icl__alloc(bytes + 64, 1);
  if (!memory) {
    fputs("bench_choice: out of memory\n", stderr);
    exit(1);
  }
  return memory;
}

/* ---- one layer ---- */

typedef struct {
  icl__conv_shape shape;
  int threads;
  void *x, *y; /* images and results, or their gradients */
  float *hwio;
} problem;

static icl__conv_shape shape_of(const layer *l, icl__conv_direction direction, icl_dtype dtype) {
  int32_t padding = l->kernel / 2, made = (l->size + 2 * padding - l->kernel) / l->stride + 1;
  return (icl__conv_shape){.direction = direction,
                           .dtype = dtype,
                           .images = l->images,
                           .x = {l->size, l->size, l->in},
                           .y = {made, made, l->out},
                           .kernel = {l->kernel, l->kernel},
                           .stride = {l->stride, l->stride},
                           .padding = {padding, padding},
                           .groups = l->groups};
}

static size_t image_values(const int32_t size[3]) { return (size_t)size[0] * (size_t)size[1] * (size_t)size[2]; }

static size_t weight_count(const icl__conv_shape *s) {
  return (size_t)(s->kernel[0] * s->kernel[1]) * (size_t)(s->x[2] / s->groups) * (size_t)s->y[2];
}

/* Numbers of either dtype that are neither 0 nor subnormal. */
static void *numbers(size_t count, icl_dtype dtype) {
  size_t bytes = count * icl_dtype_bytes(dtype);
  uint16_t *half = room(bytes);
  for (size_t i = 0; i < bytes / sizeof *half; i++)
    half[i] = (uint16_t)(0x3f00 + (i * 40503 >> 8 & 0x7f) + (i * 7 & 0x8000));
  return half;
}

static problem problem_of(const layer *l, icl__conv_direction direction, icl_dtype dtype, int threads) {
  problem p = {.shape = shape_of(l, direction, dtype), .threads = threads};
  p.x = numbers((size_t)l->images * image_values(p.shape.x), dtype);
  p.y = numbers((size_t)l->images * image_values(p.shape.y), dtype);
  p.hwio = numbers(weight_count(&p.shape), ICL_F32);
  return p;
}

static void problem_free(problem *p) {
  icl__free(p->x);
  icl__free(p->y);
  icl__free(p->hwio);
}

/* As core/plan/instructions.c cuts a thread's images. */
static int64_t chunk_of(const problem *p) {
  size_t least = 256 << 10, most = 4 << 20, x = image_values(p->shape.x), y = image_values(p->shape.y);
  size_t weights = weight_count(&p->shape) * sizeof(float);
  size_t bytes = weights < least ? least : weights > most ? most : weights;
  return larger(1, (int64_t)(bytes / ((x > y ? x : y) * icl_dtype_bytes(p->shape.dtype))));
}

/* ---- one kernel ---- */

typedef struct {
  const problem *problem;
  icl__conv conv;
  char *weights; /* prepared ones, or the gradient of each thread */
  char *scratch; /* of each thread */
  size_t weight_stride, scratch_stride;
  double seconds; /* of the fastest turn */
} contender;

static int64_t first_of(const problem *p, int thread) { return (int64_t)p->shape.images * thread / p->threads; }

/* Calls back with each chunk of a thread. */
static void each_chunk(const contender *c, int thread, void (*body)(const contender *, int, int64_t, int64_t)) {
  int64_t begin = first_of(c->problem, thread), own = first_of(c->problem, thread + 1) - begin;
  int64_t chunk = chunk_of(c->problem), chunks = (own + chunk - 1) / chunk;
  for (int64_t k = 0; k < chunks; k++)
    body(c, thread, begin + own * k / chunks, begin + own * (k + 1) / chunks);
}

static void expect(const contender *c, int thread, int64_t first, int64_t end) {
  (void)thread;
  check(icl__conv_expect((icl__conv *)(uintptr_t)&c->conv, dnnl, (int32_t)(end - first)));
}

static void convolve(const contender *c, int thread, int64_t first, int64_t end) {
  const icl__conv_shape *s = &c->problem->shape;
  size_t bytes = icl_dtype_bytes(s->dtype), x = image_values(s->x) * bytes, y = image_values(s->y) * bytes;
  char *at_x = (char *)c->problem->x + (size_t)first * x, *at_y = (char *)c->problem->y + (size_t)first * y;
  char *gradient = c->weights + (size_t)thread * c->weight_stride,
       *scratch = c->scratch + (size_t)thread * c->scratch_stride;
  int32_t images = (int32_t)(end - first);
  bool accumulate = first > first_of(c->problem, thread);
  if (s->direction == ICL__CONV_FORWARD)
    check(icl__conv_run(&c->conv, thread, images, at_x, c->weights, at_y, scratch, 0, 1));
  else if (s->direction == ICL__CONV_INPUT)
    check(icl__conv_run(&c->conv, thread, images, at_y, c->weights, at_x, scratch, 0, 1));
  else
    check(icl__conv_differentiate(&c->conv, thread, images, at_x, at_y, gradient, accumulate, scratch));
}

static void work(int thread, int threads, void *context) {
  const contender *c = context;
  const problem *p = c->problem;
  bool weight = p->shape.direction == ICL__CONV_WEIGHT, splits = icl__conv_splits(&c->conv);
  int part = splits ? thread : 0, parts = splits ? threads : 1;
  if (!weight && (splits || thread == 0))
    check(icl__conv_prepare(&c->conv, thread, p->hwio, c->weights, part, parts));
  icl__team_barrier();
  each_chunk(c, thread, convolve);
  icl__team_barrier();
  if (weight && (splits || thread == 0))
    check(icl__conv_finish(&c->conv, thread, c->weights, threads, c->weight_stride, p->hwio, part, parts));
}

static contender contender_of(const problem *p, icl__conv_choice choice, const icl__processor *processor) {
  contender c = {.problem = p, .seconds = HUGE_VAL};
  icl__conv_open(&c.conv, &p->shape, choice, processor, p->shape.images / p->threads);
  for (int t = 0; t < p->threads; t++)
    each_chunk(&c, t, expect);
  c.weight_stride = lines(icl__conv_weight_bytes(&c.conv));
  c.scratch_stride = lines(icl__conv_scratch_bytes(&c.conv));
  c.weights = room(c.weight_stride * (size_t)p->threads);
  c.scratch = room(c.scratch_stride * (size_t)p->threads);
  return c;
}

static void contender_free(contender *c) {
  icl__conv_close(&c->conv);
  icl__free(c->weights);
  icl__free(c->scratch);
}

static void take_turn(contender *c, char *evicted) {
  memset(evicted, evicted[0] + 1, EVICTED);
  double start = icl__seconds();
  check(icl__team_run(c->problem->threads, work, c));
  double seconds = icl__seconds() - start;
  if (seconds < c->seconds)
    c->seconds = seconds;
}

/* ---- rows ---- */

typedef struct {
  int threads, rounds;
  icl__processor processor;
  char *evicted;
  double chosen, fastest; /* seconds of the network so far */
} bench;

static void print_row(const layer *l, const problem *p, const contender *c) {
  static const char *const directions[] = {"forward", "input", "weight"};
  double fastest = c[0].seconds;
  for (int i = 1; i < CHOICES; i++)
    fastest = c[i].seconds < fastest ? c[i].seconds : fastest;
  printf("%-21s%4d x%3d %5d->%-5d%d/%d/%-3d%-8s %-5s", l->network, l->images, l->size, l->in, l->out, l->kernel,
         l->stride, l->groups, directions[p->shape.direction], p->shape.dtype == ICL_F32 ? "f32" : "bf16");
  for (int i = 1; i < CHOICES; i++)
    if (c[i].problem)
      printf("%9.2f", 1e3 * c[i].seconds);
    else
      printf("%9s", "-");
  printf("  %-14s%5.2f\n", icl__conv_name(&c[0].conv), c[0].seconds / fastest);
  fflush(stdout);
}

/* AMX is not imitated. What cannot be asked for gives way to another kernel, so that a kernel may take part twice. */
static void measure(bench *b, const layer *l, icl__conv_direction direction, icl_dtype dtype) {
  problem p = problem_of(l, direction, dtype, b->threads);
  contender c[CHOICES];
  for (int i = 0; i < CHOICES; i++)
    if (i == ICL__CONV_AMX && !b->processor.amx_bf16)
      c[i] = (contender){.seconds = HUGE_VAL};
    else
      c[i] = contender_of(&p, (icl__conv_choice)i, &b->processor);
  for (int round = 0; round < b->rounds; round++)
    for (int i = 0; i < CHOICES; i++)
      if (c[i].problem)
        take_turn(&c[i], b->evicted);
  print_row(l, &p, c);
  double fastest = c[0].seconds;
  for (int i = 0; i < CHOICES; i++) {
    fastest = c[i].seconds < fastest ? c[i].seconds : fastest;
    if (c[i].problem)
      contender_free(&c[i]);
  }
  b->chosen += l->times * c[0].seconds;
  b->fastest += l->times * fastest;
  problem_free(&p);
}

static bool wanted(const layer *l, int words, char **word) {
  for (int i = 0; i < words; i++)
    if (!strcmp(word[i], l->network))
      return true;
  return words == 0;
}

int main(int count, char **word) {
  bench b = {.threads = icl__threads_default(), .rounds = 5, .processor = icl__conv_processor()};
  int at = 1;
  for (; at + 1 < count && word[at][0] == '-'; at += 2) {
    int *number = !strcmp(word[at], "--threads") ? &b.threads : !strcmp(word[at], "--rounds") ? &b.rounds : NULL;
    if (!number || (*number = atoi(word[at + 1])) < 1 || b.threads > MOST_THREADS) {
      fputs("usage: bench_choice [--threads N] [--rounds N] [NETWORK...]\n", stderr);
      return 2;
    }
  }
  if (icl__dnnl_library)
    check(icl__dnnl_library->open(b.threads, &dnnl));
  b.evicted = memset(room(EVICTED), 0, EVICTED);
  char units[128];
  icl__processor_describe(&b.processor, units, sizeof units);
  printf("%s; %d threads; milliseconds\n%62s%9s%9s%9s%9s%9s  %-14s%5s\n", units, b.threads, "", "onednn", "winograd",
         "fused", "amx", "direct", "chosen", "lost");
  for (int d = 0; d < 2; d++)
    for (int i = 0; i < LAYERS; i++)
      if (wanted(&layers[i], count - at, word + at)) {
        for (int direction = ICL__CONV_FORWARD; direction <= ICL__CONV_WEIGHT; direction++)
          measure(&b, &layers[i], (icl__conv_direction)direction, d ? ICL_BF16 : ICL_F32);
        if (i + 1 == LAYERS || strcmp(layers[i].network, layers[i + 1].network) != 0) {
          printf("%s %s: chosen %.1f ms, fastest %.1f ms\n", layers[i].network, d ? "bf16" : "f32", 1e3 * b.chosen,
                 1e3 * b.fastest);
          b.chosen = b.fastest = 0;
        }
      }
  icl__free(b.evicted);
  if (icl__dnnl_library)
    icl__dnnl_library->close(dnnl);
  return 0;
}
