/* philox.h - the one source of random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1,
 * 2, 3", 2011).
 *
 * A draw is a pure function of a key of four words (seed low, seed high, a, b), an `id` (the sample or image) and its
 * index `j` within that id: word j % 4 of the block with counter {j / 4, id, a, b} under the key {seed low, seed high}.
 * Every backend follows this rule and the conversions below, so all of them make the same bits in any order. */
#ifndef ICL_BASE_PHILOX_H
#define ICL_BASE_PHILOX_H

#include "base/status.h"

#include <math.h>

/* Before what devices compute as well: their kernels define it as what their compiler wants to see there. */
#ifndef ICL__PHILOX
#define ICL__PHILOX static inline
#endif

/* One block: ten rounds over `counter` under `key`. */
ICL__PHILOX void icl__philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]) {
  uint32_t k0 = key[0], k1 = key[1];
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/* The block of an id that holds its elements 4 * block ... 4 * block + 3. */
ICL__PHILOX void icl__draw_block(const uint32_t key[4], uint32_t id, uint32_t block, uint32_t out[4]) {
  const uint32_t counter[4] = {block, id, key[2], key[3]};
  icl__philox(key, counter, out);
}

/* The words of many blocks of one key, block[i] of id[i], one block after the other. There are so many of them that
 * compilers do not unroll the loop over them and keep its rounds in vector registers. */
enum { ICL__PHILOX_BLOCKS = 32, ICL__PHILOX_WORDS = 4 * ICL__PHILOX_BLOCKS };
static inline void icl__draw_blocks(const uint32_t key[4], const uint32_t block[ICL__PHILOX_BLOCKS],
                                    const uint32_t id[ICL__PHILOX_BLOCKS], uint32_t out[ICL__PHILOX_WORDS]) {
  uint32_t c0[ICL__PHILOX_BLOCKS], c1[ICL__PHILOX_BLOCKS], c2[ICL__PHILOX_BLOCKS], c3[ICL__PHILOX_BLOCKS];
  uint32_t k0 = key[0], k1 = key[1];
  for (int i = 0; i < ICL__PHILOX_BLOCKS; i++) {
    c0[i] = block[i];
    c1[i] = id[i];
    c2[i] = key[2];
    c3[i] = key[3];
  }
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < ICL__PHILOX_BLOCKS; i++) {
      uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
      c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
      c1[i] = (uint32_t)p1;
      c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
      c3[i] = (uint32_t)p0;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < ICL__PHILOX_BLOCKS; i++) {
    out[4 * i] = c0[i];
    out[4 * i + 1] = c1[i];
    out[4 * i + 2] = c2[i];
    out[4 * i + 3] = c3[i];
  }
}

/* ---- a word as a number ---- */

/* In [0, 1): the upper 24 bits, exact in f32. */
ICL__PHILOX float icl__uniform(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

/* low ... high inclusive, high - low < 2^32. The bias is below (high - low + 1) / 2^32. */
ICL__PHILOX int64_t icl__integer(uint32_t word, int64_t low, int64_t high) {
  uint64_t range = (uint64_t)high - (uint64_t)low + 1;
  return low + (int64_t)(((uint64_t)word * range) >> 32);
}

/* Two independent normals of mean 0 and variance 1 from two words (Box and Muller 1958), computed in double. */
static inline void icl__normal_pair(const uint32_t words[2], float out[2]) {
  double radius = sqrt(-2 * log((words[0] + 0.5) * 0x1p-32));
  double angle = 0x1.921fb54442d18p+2 * ((words[1] + 0.5) * 0x1p-32);
  out[0] = (float)(radius * cos(angle));
  out[1] = (float)(radius * sin(angle));
}

/* ---- element j of an id ---- */

ICL__PHILOX uint32_t icl__draw_word(const uint32_t key[4], uint32_t id, uint32_t j) {
  uint32_t block[4];
  icl__draw_block(key, id, j / 4, block);
  return block[j % 4];
}

ICL__PHILOX float icl__draw_uniform(const uint32_t key[4], uint32_t id, uint32_t j) {
  return icl__uniform(icl__draw_word(key, id, j));
}

ICL__PHILOX bool icl__draw_bernoulli(const uint32_t key[4], uint32_t id, uint32_t j, float p) {
  return icl__draw_uniform(key, id, j) < p;
}

ICL__PHILOX int64_t icl__draw_integer(const uint32_t key[4], uint32_t id, uint32_t j, int64_t low, int64_t high) {
  return icl__integer(icl__draw_word(key, id, j), low, high);
}

/* Words 0, 1 of a block make its elements 0, 1 and words 2, 3 its elements 2, 3: the cosine is the even one. */
static inline float icl__draw_normal(const uint32_t key[4], uint32_t id, uint32_t j) {
  uint32_t block[4];
  float pair[2];
  icl__draw_block(key, id, j / 4, block);
  icl__normal_pair(block + (j & 2), pair);
  return pair[j & 1];
}

/* ---- elements first ... first + count - 1 <= 2^32 - 1 of an id, the same values as above ---- */

void icl__fill_uniform(const uint32_t key[4], uint32_t id, uint32_t first, size_t count, float *out);
void icl__fill_bernoulli(const uint32_t key[4], uint32_t id, uint32_t first, size_t count, float p, bool *out);
void icl__fill_integer(const uint32_t key[4], uint32_t id, uint32_t first, size_t count, int64_t low, int64_t high,
                       int64_t *out);
void icl__fill_normal(const uint32_t key[4], uint32_t id, uint32_t first, size_t count, float *out);

/* A random order of 0 ... n - 1 (Fisher and Yates, from the end), n < 2^32: step j exchanges element n - 1 - j with
 * element icl__draw_integer(key, 0, j, 0, n - 1 - j). */
icl_status icl__permutation(const uint32_t key[4], int64_t n, int64_t *out);

#endif
