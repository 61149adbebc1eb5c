/* clock.c - how fast the machine is at this moment: bench_clock [THREADS]
 *
 * Says `ready THREADS VECTORS`, then answers each line with the rates of work whose cost is known, on all threads at
 * once, about 10 ms of each:
 *
 *   vectors=GFLOP/s   products from registers, in the widest vectors of the processor
 *   copies=GB/s       memory that no cache holds is copied; reading and writing added up
 *   tiles=GFLOP/s     products of bf16 tiles (AMX), where processor and system have them
 *
 * The work is the same every time, as much as took 10 ms when the program began, and the slowest thread counts, as it
 * does in a step of training. */
#include "backend/cpu/processor.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

enum { BLOCK = 128 << 20, PIECE = 1 << 20, PIECES = BLOCK / PIECE, MOST_THREADS = PIECES };

static const double SECONDS = 0.01; /* of one measurement, about */

typedef struct {
  int threads, thread;
  char *from, *to; /* BLOCK bytes each, which all threads share */
  long at;         /* the piece that this thread copies next */
  float result;    /* so that nothing is left out as useless */
  double seconds;  /* of the processor, for the last measurement */
} place;

/* Does a kind of work so many times. */
typedef void work(place *p, long times);

/* ---- products from registers ---- */

/* A chain of products waits for the one before; so many at once keep all units busy. The numbers tend to 2. */
enum { CHAINS = 12 };
#define PRODUCTS(name, attributes, vector, all, multiply_add, first)                                                   \
  attributes static void name(place *p, long times) {                                                                  \
    vector sums[CHAINS], half = all(0.5f), one = all(1);                                                               \
    for (int i = 0; i < CHAINS; i++)                                                                                   \
      sums[i] = all((float)i);                                                                                         \
    for (long t = 0; t < times; t++) {                                                                                 \
      _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) sums[i] = multiply_add(sums[i], half, one);            \
    }                                                                                                                  \
    for (int i = 0; i < CHAINS; i++)                                                                                   \
      p->result += first(sums[i]);                                                                                     \
  }

typedef float four __attribute__((vector_size(16)));
static inline four all_four(float x) { return (four){x, x, x, x}; }
static inline four multiply_add_four(four a, four b, four c) { return a * b + c; }
static inline float first_of_four(four a) { return a[0]; }
PRODUCTS(products_portable, , four, all_four, multiply_add_four, first_of_four)

#if defined __x86_64__
PRODUCTS(products_avx2, __attribute__((target("avx2,fma"))), __m256, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_cvtss_f32)
PRODUCTS(products_avx512, __attribute__((target("avx512f"))), __m512, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_cvtss_f32)
#endif

typedef struct {
  const char *name;
  int lanes;
  work *run;
} products;

static products widest(void) {
#if defined __x86_64__
  icl__processor processor = icl__processor_at_hand();
  if (processor.avx512)
    return (products){"AVX-512", 16, products_avx512};
  if (processor.avx2)
    return (products){"AVX2", 8, products_avx2};
#endif
  return (products){"portable", 4, products_portable};
}

/* ---- copies ---- */

/* Each thread goes round its own part of the block, so that what it copies was pushed out of the caches. */
static void copy_pieces(place *p, long times) {
  long begin = (long)PIECES * p->thread / p->threads, end = (long)PIECES * (p->thread + 1) / p->threads;
  for (long t = 0; t < times; t++) {
    if (p->at < begin || p->at >= end)
      p->at = begin;
    memcpy(p->to + p->at * PIECE, p->from + p->at * PIECE, PIECE);
    p->at++;
  }
}

/* ---- products of tiles ---- */

enum { TILE_ROWS = 16, TILE_BYTES = 64 }; /* of each row */

#if defined __x86_64__
/* Two tiles by two. The compiler does not know what memory these instructions touch. */
__attribute__((target("amx-tile,amx-bf16"))) static void products_of_tiles(place *p, long times) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } shapes = {.palette = 1};
  uint16_t numbers[TILE_ROWS * TILE_BYTES / 2];
  float sums[TILE_ROWS * TILE_BYTES / 4];
  for (int i = 0; i < 8; i++) {
    shapes.rows[i] = TILE_ROWS;
    shapes.row_bytes[i] = TILE_BYTES;
  }
  for (int i = 0; i < TILE_ROWS * TILE_BYTES / 2; i++)
    numbers[i] = 0x3f80; /* 1 */
  __asm__ volatile("" : : "r"(&shapes), "r"(numbers) : "memory");
  _tile_loadconfig(&shapes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, numbers, TILE_BYTES);
  _tile_loadd(5, numbers, TILE_BYTES);
  _tile_loadd(6, numbers, TILE_BYTES);
  _tile_loadd(7, numbers, TILE_BYTES);
  for (long t = 0; t < times; t++) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, TILE_BYTES);
  _tile_release();
  __asm__ volatile("" : : "r"(sums) : "memory");
  p->result += sums[0];
}
#else
static void products_of_tiles(place *p, long times) {
  (void)p;
  (void)times;
}
#endif

/* ---- rates ---- */

typedef struct {
  const char *name;
  double cost; /* operations or bytes, in thousands of millions, of doing it once */
  work *run;
  long times; /* of one measurement, on each thread */
  place *places;
} meter;

static void check(icl_status status) {
  if (status == ICL_OK)
    return;
  fprintf(stderr, "bench_clock: %s\n", icl_message());
  exit(1);
}

/* Of the processor, for the calling thread. */
static double own_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_one(int thread, int threads, void *context) {
  const meter *m = context;
  place *p = &m->places[thread];
  (void)threads;
  icl__team_barrier();
  double start = own_seconds();
  m->run(p, m->times);
  p->seconds = own_seconds() - start;
}

static double seconds_of(meter *m, int threads) {
  double start = icl__seconds();
  check(icl__team_run(threads, run_one, m));
  return icl__seconds() - start;
}

/* How often takes SECONDS? While others use the machine, too, only the processor's time tells. */
static void adjust(meter *m, int threads) {
  double seconds;
  m->times = 1;
  for (;; m->times *= 2) {
    seconds_of(m, threads);
    seconds = m->places[0].seconds;
    if (seconds >= SECONDS / 2)
      break;
  }
  long times = (long)((double)m->times * SECONDS / seconds);
  m->times = times > 1 ? times : 1;
}

int main(int count, char **word) {
  int threads = count > 1 ? atoi(word[1]) : icl__threads_default();
  if (count > 2 || threads < 1 || threads > MOST_THREADS) {
    fputs("usage: bench_clock [THREADS]\n", stderr);
    return 2;
  }
  char *block = icl__alloc(2 * (size_t)BLOCK, 1);
  if (!block) {
    fputs("bench_clock: out of memory\n", stderr);
    return 1;
  }
  memset(block, 1, 2 * (size_t)BLOCK);
  place places[MOST_THREADS];
  for (int t = 0; t < threads; t++)
    places[t] = (place){.threads = threads, .thread = t, .from = block, .to = block + BLOCK};

  products vectors = widest();
  meter meters[] = {
      {"vectors", 2e-9 * CHAINS * vectors.lanes, vectors.run, 0, places},
      {"copies", 2e-9 * PIECE, copy_pieces, 0, places},
      {"tiles", 4 * 2e-9 * TILE_ROWS * (TILE_BYTES / 4) * (TILE_BYTES / 2), products_of_tiles, 0, places},
  };
  int kinds = icl__processor_at_hand().amx_bf16 ? 3 : 2;
  for (int k = 0; k < kinds; k++)
    adjust(&meters[k], threads);
  printf("ready %d %s%s\n", threads, vectors.name, kinds > 2 ? " and tiles" : "");
  fflush(stdout);

  for (char line[64]; fgets(line, sizeof line, stdin);) {
    for (int k = 0; k < kinds; k++) {
      meter *m = &meters[k];
      printf("%s%s=%.3f", k ? " " : "", m->name, (double)threads * (double)m->times * m->cost / seconds_of(m, threads));
    }
    puts("");
    fflush(stdout);
  }
  icl__free(block);
  return 0;
}
