/* philox.c - arrays of random numbers, many blocks at a time. */
#include "base/philox.h"

#include <string.h>

enum { BLOCKS = ICL__PHILOX_BLOCKS, WORDS = ICL__PHILOX_WORDS };

/* The words of blocks first ... first + BLOCKS - 1 of an id. */
static void draw_blocks(const uint32_t key[4], uint32_t id, uint32_t first, uint32_t out[WORDS]) {
  uint32_t block[BLOCKS], ids[BLOCKS];
  for (int i = 0; i < BLOCKS; i++) {
    block[i] = first + (uint32_t)i;
    ids[i] = id;
  }
  icl__draw_blocks(key, block, ids, out);
}

/* Draws the words around element j into `buffer`. Sets *at to the place of element j in it and returns how many of the
 * `left` elements that are still wanted it holds from there. */
static size_t draw_words(const uint32_t key[4], uint32_t id, uint32_t j, size_t left, uint32_t buffer[WORDS],
                         size_t *at) {
  draw_blocks(key, id, j / 4, buffer);
  *at = j % 4;
  return left < WORDS - *at ? left : WORDS - *at;
}

void icl__fill_uniform(const uint32_t key[4], uint32_t id, uint32_t first, size_t count, float *out) {
  uint32_t words[WORDS];
  for (size_t done = 0, at, n; done < count; done += n) {
    n = draw_words(key, id, first + (uint32_t)done, count - done, words, &at);
    for (size_t i = 0; i < n; i++)
      out[done + i] = icl__uniform(words[at + i]);
  }
}

void icl__fill_bernoulli(const uint32_t key[4], uint32_t id, uint32_t first, size_t count, float p, bool *out) {
  uint32_t words[WORDS];
  for (size_t done = 0, at, n; done < count; done += n) {
    n = draw_words(key, id, first + (uint32_t)done, count - done, words, &at);
    for (size_t i = 0; i < n; i++)
      out[done + i] = icl__uniform(words[at + i]) < p;
  }
}

void icl__fill_integer(const uint32_t key[4], uint32_t id, uint32_t first, size_t count, int64_t low, int64_t high,
                       int64_t *out) {
  uint32_t words[WORDS];
  for (size_t done = 0, at, n; done < count; done += n) {
    n = draw_words(key, id, first + (uint32_t)done, count - done, words, &at);
    for (size_t i = 0; i < n; i++)
      out[done + i] = icl__integer(words[at + i], low, high);
  }
}

void icl__fill_normal(const uint32_t key[4], uint32_t id, uint32_t first, size_t count, float *out) {
  uint32_t words[WORDS];
  float normals[WORDS];
  for (size_t done = 0, at, n; done < count; done += n) {
    n = draw_words(key, id, first + (uint32_t)done, count - done, words, &at);
    for (size_t pair = at & ~(size_t)1; pair < at + n; pair += 2)
      icl__normal_pair(words + pair, normals + pair);
    memcpy(out + done, normals + at, n * sizeof *out);
  }
}

icl_status icl__permutation(const uint32_t key[4], int64_t n, int64_t *out) {
  if (n < 0 || n > UINT32_MAX)
    return icl__fail(ICL_EINVAL, "permutation: cannot order %lld elements; 0 to 2^32 - 1 are possible", (long long)n);
  for (int64_t i = 0; i < n; i++)
    out[i] = i;
  uint32_t words[WORDS];
  for (int64_t done = 0; done < n; done += WORDS) {
    draw_blocks(key, 0, (uint32_t)done / 4, words);
    for (int64_t j = done; j < n && j < done + WORDS; j++) {
      int64_t last = n - 1 - j, other = icl__integer(words[j - done], 0, last), value = out[last];
      out[last] = out[other];
      out[other] = value;
    }
  }
  return ICL_OK;
}
