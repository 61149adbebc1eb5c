/* random.c - random draws by key (base/philox.h), many blocks at a time.
 *
 * The elements of an image come in blocks of four words. A call is a row of blocks, those of one image after those of
 * the other; the words of BLOCKS of them are made side by side, and each op then says what its elements are. */
#include "backend/cpu/kernels/rows.h"
#include "backend/cpu/kernels/vector.h"

#include <math.h>

#include "base/philox.h"
#include "ops/attributes.h"
#include "ops/ops.h"

enum { BLOCKS = ICL__PHILOX_BLOCKS, WORDS = ICL__PHILOX_WORDS };

typedef struct draw draw;

/* Writes elements i ... i + count - 1, which words 0 ... count - 1 make; the first begins a block. */
typedef void (*put_fn)(const draw *d, const uint32_t *words, int64_t i, int64_t count);

struct draw {
  const icl__call *call;
  uint32_t key[4];
  const int64_t *ids; /* NULL: images count from `first` */
  int64_t first;
  int64_t size, blocks; /* of an image */
  double probability;
  uint32_t threshold; /* words whose upper 24 bits are less make numbers below the probability */
};

static uint32_t id_of(const draw *d, int64_t image) { return (uint32_t)(d->ids ? d->ids[image] : d->first + image); }

/* Blocks first ... first + BLOCKS - 1 of the call; those behind `end` are arbitrary. */
static void make_counters(const draw *d, int64_t first, int64_t end, uint32_t block[BLOCKS], uint32_t id[BLOCKS]) {
  int64_t image = first / d->blocks, at = first % d->blocks;
  uint32_t current = id_of(d, image);
  for (int lane = 0; lane < BLOCKS; lane++) {
    block[lane] = (uint32_t)at;
    id[lane] = current;
    if (++at == d->blocks && first + lane + 1 < end) {
      at = 0;
      current = id_of(d, ++image);
    }
  }
}

static draw draw_of(const icl__call *call, const icl__view *key, const icl__view *ids, const icl__view *p) {
  int64_t images = call->out.rank ? call->out.shape[0] : 1;
  draw d = {.call = call, .ids = ids ? ids->data : NULL, .first = call->first};
  d.size = images ? icl__view_count(&call->out) / images : 0;
  d.blocks = (d.size + 3) / 4;
  for (int k = 0; k < 4; k++)
    d.key[k] = (uint32_t)((const int64_t *)key->data)[k];
  if (p) {
    d.probability = icl__load_f64(p->dtype, p->data, 0);
    float limit = ceilf((float)d.probability * 0x1p24f);
    d.threshold = limit >= 0x1p24f ? 1 << 24 : limit > 0 ? (uint32_t)limit : 0;
  }
  return d;
}

/* Hands over words of blocks first ... end - 1, image by image. */
static void put_words(const draw *d, put_fn put, const uint32_t *words, int64_t first, int64_t end) {
  for (int64_t b = first, n; b < end; b += n) {
    int64_t image = b / d->blocks, at = b % d->blocks;
    n = d->blocks - at < end - b ? d->blocks - at : end - b;
    int64_t elements = 4 * n < d->size - 4 * at ? 4 * n : d->size - 4 * at;
    put(d, words + 4 * (b - first), image * d->size + 4 * at, elements);
  }
}

/* `ids` and `p` may be NULL. */
static void run(const icl__call *call, const icl__view *key, const icl__view *ids, const icl__view *p, put_fn put) {
  draw d = draw_of(call, key, ids, p);
  share own = part_of(call, call->out.rank ? call->out.shape[0] * d.blocks : d.blocks);
  for (int64_t first = own.begin; first < own.end; first += BLOCKS) {
    uint32_t block[BLOCKS], id[BLOCKS], words[WORDS];
    make_counters(&d, first, own.end, block, id);
    icl__draw_blocks(d.key, block, id, words);
    put_words(&d, put, words, first, first + BLOCKS < own.end ? first + BLOCKS : own.end);
  }
}

static const icl__view *input(const icl__call *call, int i) { return i < call->inputs ? &call->in[i] : NULL; }

/* ---- elements ---- */

/* Runs of adjacent elements of `y`, an array of `type`: element k of a run comes from word `from + k`. */
#define EACH_RUN(type, statement)                                                                                      \
  for (int64_t from = 0, left; from < count; from += left) {                                                           \
    type *y = elements_from(&d->call->out, i + from, &left);                                                           \
    left = left < count - from ? left : count - from;                                                                  \
    statement                                                                                                          \
  }

static void put_uniform(const draw *d, const uint32_t *words, int64_t i, int64_t count) {
  EACH_RUN(float, for (int64_t k = 0; k < left; k++) y[k] = icl__uniform(words[from + k]);)
}

static void put_bernoulli(const draw *d, const uint32_t *words, int64_t i, int64_t count) {
  uint32_t threshold = d->threshold;
  EACH_RUN(uint8_t, for (int64_t k = 0; k < left; k++) y[k] = words[from + k] >> 8 < threshold;)
}

static void put_integer(const draw *d, const uint32_t *words, int64_t i, int64_t count) {
  int64_t low = d->call->attr->i[RANDINT_LOW], high = d->call->attr->i[RANDINT_HIGH];
  EACH_RUN(int64_t, for (int64_t k = 0; k < left; k++) y[k] = icl__integer(words[from + k], low, high);)
}

/* ---- normal numbers: the formulas of icl__normal_pair() without calls, so that they are vectors of f64 ---- */

/* Of 0 < x <= 1: x = 2^k m with m around 1, log m = 2 artanh s by its Taylor polynomial, |s| < 0.172. */
INLINE double log_f64(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  int32_t k = ((int32_t)(bits >> 32) - 0x3fe6a09e) >> 20; /* 0.7071 <= m < 1.4143 */
  bits -= (uint64_t)(int64_t)k << 52;
  double m, s, z, p = 1.0 / 23;
  memcpy(&m, &bits, sizeof m);
  s = (m - 1) / (m + 1);
  z = s * s;
  p = p * z + 1.0 / 21;
  p = p * z + 1.0 / 19;
  p = p * z + 1.0 / 17;
  p = p * z + 1.0 / 15;
  p = p * z + 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  return k * 0x1.62e42fefa39efp-1 + 2 * (s + s * z * p);
}

/* Of 0 <= x <= 2 pi: x = q pi / 2 + r with |r| <= pi / 4, and Taylor polynomials of r. */
INLINE void sine_cosine(double x, double *sine, double *cosine) {
  int32_t q = (int32_t)(x * 0x1.45f306dc9c883p-1 + 0.5);
  double r = x - q * 0x1.921fb544p+0 - q * 0x1.0b4611a626331p-34, z = r * r;
  double s = 1 / 355687428096000.0, c = 1 / 20922789888000.0;
  s = s * z - 1 / 1307674368000.0;
  s = s * z + 1 / 6227020800.0;
  s = s * z - 1 / 39916800.0;
  s = s * z + 1 / 362880.0;
  s = s * z - 1 / 5040.0;
  s = s * z + 1 / 120.0;
  s = s * z - 1 / 6.0;
  s = s * z * r + r;
  c = c * z - 1 / 87178291200.0;
  c = c * z + 1 / 479001600.0;
  c = c * z - 1 / 3628800.0;
  c = c * z + 1 / 40320.0;
  c = c * z - 1 / 720.0;
  c = c * z + 1 / 24.0;
  c = c * z - 0.5;
  c = c * z + 1;
  double a = q & 1 ? c : s, b = q & 1 ? s : c;
  *sine = q & 2 ? -a : a;
  *cosine = (q + 1) & 2 ? -b : b;
}

static void put_normal(const draw *d, const uint32_t *words, int64_t i, int64_t count) {
  float normals[WORDS];
  for (int64_t k = 0; k < (count + 1) / 2; k++) {
    double sine, cosine, radius = sqrt(-2 * log_f64((words[2 * k] + 0.5) * 0x1p-32));
    sine_cosine(0x1.921fb54442d18p+2 * ((words[2 * k + 1] + 0.5) * 0x1p-32), &sine, &cosine);
    normals[2 * k] = (float)(radius * cosine);
    normals[2 * k + 1] = (float)(radius * sine);
  }
  EACH_RUN(float, memcpy(y, normals + from, (size_t)left * sizeof *y);)
}

/* ---- dropout ---- */

/* x 1 / (1 - p), or 0, of `lanes` elements from k on */
INLINE void drop_lanes(const uint32_t *words, const void *x, void *y, int64_t k, int64_t lanes, uint32_t threshold,
                       float factor, icl_dtype dtype) {
  vec_bits kept = (vec_bits)((vec_bits)load_part(ICL_F32, words, k, lanes) >> 8 >= threshold);
  vec v = load_part(dtype, x, k, lanes) * factor;
  store_part(dtype, y, k, lanes, (vec)((vec_bits)v & kept));
}

INLINE void drop(const uint32_t *words, const void *x, void *y, int64_t count, uint32_t threshold, float factor,
                 icl_dtype dtype) {
  int64_t k = 0;
  for (; k + LANES <= count; k += LANES)
    drop_lanes(words, x, y, k, LANES, threshold, factor, dtype);
  if (k < count)
    drop_lanes(words, x, y, k, count - k, threshold, factor, dtype);
}

static void put_dropped(const draw *d, const uint32_t *words, int64_t i, int64_t count) {
  float factor = (float)(1 / (1 - d->probability));
  for (int64_t from = 0, n; from < count; from += n) {
    int64_t readable, writable;
    const void *x = elements_from(&d->call->in[0], i + from, &readable);
    void *y = elements_from(&d->call->out, i + from, &writable);
    n = readable < writable ? readable : writable;
    n = n < count - from ? n : count - from;
    FOR_FLOATS(d->call->out.dtype, drop, words + from, x, y, n, d->threshold, factor);
  }
}

static void uniform(const icl__call *call) { run(call, &call->in[0], input(call, 1), NULL, put_uniform); }
static void normal(const icl__call *call) { run(call, &call->in[0], input(call, 1), NULL, put_normal); }
static void randint(const icl__call *call) { run(call, &call->in[0], input(call, 1), NULL, put_integer); }
static void bernoulli(const icl__call *call) { run(call, &call->in[0], input(call, 2), &call->in[1], put_bernoulli); }
static void dropout(const icl__call *call) { run(call, &call->in[1], input(call, 3), &call->in[2], put_dropped); }

bool ISA_NAME(icl__choose_random)(const icl__call *prototype, icl__choice *choice) {
  choice->splits = true;
  switch (prototype->op) {
  case ICL__OP_uniform:
    choice->run = uniform;
    return true;
  case ICL__OP_normal:
    choice->run = normal;
    return true;
  case ICL__OP_bernoulli:
    choice->run = bernoulli;
    return true;
  case ICL__OP_randint:
    choice->run = randint;
    return true;
  case ICL__OP_dropout:
    choice->run = dropout;
    return is_lane_dtype(prototype->out.dtype);
  default:
    return false;
  }
}
